/**
 * What a window makes of its elements: the built-in aggregates and the author's own, behind one
 * contract.
 *
 * Invariants:
 * 1. `read` is called for all aggregates of an element before any `add`: an element that one of
 *    them refuses changes none.
 * 2. Results of the built-in ones do not depend on the order of elements or merges.
 * 3. `encode` gives JSON-safe data; `decode` of it gives an accumulator that behaves the same.
 * 4. An accumulator of the author's own shares nothing with what `decode` made it of, nor with what
 *    came out. It may keep elements, which are frozen. It is JSON, and so is its result.
 * 5. Null and undefined are skipped, as in SQL: `count` of a function counts the others, the sum,
 *    mean, least and greatest of nothing are null. The author's own aggregate is given them like
 *    everything else.
 *
 * Source of 5: ISO/IEC 9075-2, 10.9 <aggregate function>, general rule "eliminate null values", as
 * PostgreSQL and DuckDB do. Both take NaN and infinities; a JSON number is neither.
 */
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { DistinctSketch, EncodedSketch } from '../../state/distinct-sketch.ts';
import {
  addToSketch,
  decodeSketch,
  encodeSketch,
  estimate,
  mergeSketches,
  newSketch,
} from '../../state/distinct-sketch.ts';
import type { ExactSum } from '../../state/exact-sum.ts';
import { addToSum, emptySum, meanOf, mergeSums, roundedSum } from '../../state/exact-sum.ts';
import { freeze } from '../../state/freeze.ts';
import { jsonCopy, jsonPartsOf, requireJson, requireJsonSoFar } from '../../state/json-safe.ts';
import { keyTextOf } from '../key-text.ts';
import type { AggregateChoice } from './node.ts';
import { aggregateSlot } from './node.ts';

/** `A` is the accumulator, `X` what is read from an element. */
export interface Aggregator<A, X> {
  /** What `add` will need of the element; throws for one that it cannot take. */
  read(value: unknown): X;
  create(): A;
  /** Gives the next accumulator, often the same one changed. */
  add(accumulator: A, read: X): A;
  merge(into: A, from: A): A;
  /** What it gives shares nothing with the accumulator. */
  result(accumulator: A): unknown;
  encode(accumulator: A): unknown;
  decode(encoded: unknown): A;
}

type Resolve = (slot: string) => (...args: unknown[]) => unknown;

// biome-ignore lint/suspicious/noExplicitAny: each aggregator only sees accumulators that it made
export type AnyAggregator = Aggregator<any, any>;

export function aggregatorOf({ name, agg }: AggregateChoice, resolve: Resolve): AnyAggregator {
  const part = (of: string): ((...args: unknown[]) => unknown) => resolve(aggregateSlot(name, of));
  switch (agg) {
    case 'count':
      return counting;
    case 'countValues':
      return countingValues(part('of'));
    case 'sum':
      return summing(name, part('of'));
    case 'avg':
      return averaging(name, part('of'));
    case 'min':
      return extreme(name, part('of'), Math.min);
    case 'max':
      return extreme(name, part('of'), Math.max);
    case 'approxDistinct':
      return distinct(name, part('of'));
    case 'user':
      return user(name, part('create'), part('add'), part('merge'), part('result'));
  }
}

const plain = {
  encode: (accumulator: unknown): unknown => accumulator,
  decode: (encoded: unknown): never => encoded as never,
};

/** An accumulator that is undefined before the first value. */
const orNothing = {
  create: (): undefined => undefined,
  encode: (accumulator: unknown): unknown => accumulator ?? null,
  decode: (encoded: unknown): never => (encoded ?? undefined) as never,
};

const counting: Aggregator<number, undefined> = {
  ...plain,
  read: () => undefined,
  create: () => 0,
  add: (total) => total + 1,
  merge: (a, b) => a + b,
  result: (total) => total,
};

function countingValues(of: (value: unknown) => unknown): Aggregator<number, boolean> {
  return {
    ...counting,
    read: (value) => !isNothing(of(value)),
    add: (total, counts) => (counts ? total + 1 : total),
  };
}

function isNothing(read: unknown): read is null | undefined {
  return read === null || read === undefined;
}

/** Gives undefined for what is skipped. */
function numberReader(
  name: string,
  of: (value: unknown) => unknown,
): (value: unknown) => number | undefined {
  return (value) => {
    const read = of(value);
    if (typeof read === 'number' && Number.isFinite(read)) return read;
    if (isNothing(read)) return undefined;
    throw new SluiceError(
      'function-result',
      `'${name}' needs a finite number, or null, of each element, not ${nameOf(read)}`,
    );
  };
}

function nameOf(read: unknown): string {
  if (typeof read === 'number') return String(read);
  if (typeof read === 'object') return Array.isArray(read) ? 'an array' : 'an object';
  return `a ${typeof read}`;
}

/** Undefined before the first number. */
function summing(
  name: string,
  of: (value: unknown) => unknown,
): Aggregator<ExactSum | undefined, number | undefined> {
  return {
    ...orNothing,
    read: numberReader(name, of),
    add: (sum, x) => {
      if (x === undefined) return sum;
      const into = sum ?? emptySum();
      addToSum(into, x);
      return into;
    },
    merge: (into, from) => {
      if (into === undefined || from === undefined) return into ?? from;
      mergeSums(into, from);
      return into;
    },
    result: (sum) => (sum === undefined ? null : finite(name, roundedSum(sum))),
  };
}

interface Mean {
  readonly sum: ExactSum;
  count: number;
}

function averaging(
  name: string,
  of: (value: unknown) => unknown,
): Aggregator<Mean, number | undefined> {
  return {
    ...plain,
    read: numberReader(name, of),
    create: () => ({ sum: emptySum(), count: 0 }),
    add: (mean, x) => {
      if (x === undefined) return mean;
      addToSum(mean.sum, x);
      mean.count++;
      return mean;
    },
    merge: (into, from) => {
      mergeSums(into.sum, from.sum);
      into.count += from.count;
      return into;
    },
    result: (mean) => (mean.count === 0 ? null : meanOf(mean.sum, mean.count)),
  };
}

/**
 * A number of JSON has no infinity: a total beyond the largest double is refused, not written as
 * null.
 */
function finite(name: string, total: number): number {
  if (Number.isFinite(total)) return total;
  throw new SluiceError('function-result', `'${name}' is beyond the largest number`);
}

function extreme(
  name: string,
  of: (value: unknown) => unknown,
  better: (a: number, b: number) => number,
): Aggregator<number | undefined, number | undefined> {
  const betterOf = (a: number | undefined, b: number | undefined): number | undefined => {
    if (a === undefined) return b;
    return b === undefined ? a : better(a, b);
  };
  return {
    ...orNothing,
    read: numberReader(name, of),
    add: betterOf,
    merge: betterOf,
    result: (best) => (best === 0 ? 0 : (best ?? null)),
  };
}

function distinct(
  name: string,
  of: (value: unknown) => unknown,
): Aggregator<DistinctSketch, string | undefined> {
  return {
    read: (value) => {
      const read = of(value);
      if (isNothing(read)) return undefined;
      try {
        return keyTextOf(read, undefined);
      } catch (cause) {
        throw new SluiceError(
          'function-result',
          `'${name}' needs a key or null of each element: ${messageOf(cause)}`,
          { cause },
        );
      }
    },
    create: newSketch,
    add: (sketch, text) => {
      if (text !== undefined) addToSketch(sketch, text);
      return sketch;
    },
    merge: (into, from) => {
      mergeSketches(into, from);
      return into;
    },
    result: estimate,
    encode: encodeSketch,
    decode: (encoded) => decodeSketch(encoded as EncodedSketch),
  };
}

/** The accumulator is the author's data: JSON-safe, and one of its own for each window. */
function user(
  name: string,
  create: () => unknown,
  add: (accumulator: unknown, value: unknown) => unknown,
  merge: (a: unknown, b: unknown) => unknown,
  result: (accumulator: unknown) => unknown,
): Aggregator<unknown, unknown> {
  const given = (accumulator: unknown, by: string): unknown => {
    if (accumulator !== undefined) return accumulator;
    throw new SluiceError(
      'function-result',
      `${by} of '${name}' must return an accumulator, not undefined`,
    );
  };
  return {
    read: freeze,
    create: () => jsonCopy(given(create(), 'create'), `the accumulator of '${name}'`),
    add: (accumulator, value) =>
      requireJsonSoFar(given(add(accumulator, value), 'add'), `the accumulator of '${name}'`),
    merge: (into, from) =>
      requireJson(given(merge(into, from), 'merge'), `the accumulator of '${name}'`),
    // A copy costs no more than the elements that made the accumulator.
    result: (accumulator) =>
      requireJson(
        result(jsonCopy(accumulator, `the accumulator of '${name}'`)),
        `the result of '${name}'`,
      ),
    // One that is too large to be looked at whole with each element may have something else; its
    // pane is rejected for that.
    encode: jsonPartsOf,
    decode: (encoded) => jsonCopy(encoded, `the accumulator of '${name}'`),
  };
}
