/**
 * What a window makes of its elements: the built-in aggregates and the author's own, behind one contract.
 *
 * Invariants:
 * 1. `read` is called for all aggregates of an element before any `add`: an element that one of them refuses changes none.
 * 2. Results of the built-in ones do not depend on the order of elements or merges.
 * 3. `encode` gives JSON-safe data; `decode` of it gives an accumulator that behaves the same.
 * 4. An accumulator of the author's own shares nothing with what `decode` made it of.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey } from '../../schemas/kernel/key.ts';
import type { AggregateChoice } from '../graph/graph.ts';
import { aggregateSlot } from '../graph/graph.ts';
import type { DistinctSketch, EncodedSketch } from '../state/distinct-sketch.ts';
import { addToSketch, decodeSketch, encodeSketch, estimate, mergeSketches, newSketch } from '../state/distinct-sketch.ts';
import type { ExactSum } from '../state/exact-sum.ts';
import { addToSum, emptySum, meanOf, mergeSums, roundedSum } from '../state/exact-sum.ts';
import { jsonCopy } from '../state/json-safe.ts';

/** `A` is the accumulator, `X` what is read from an element. */
export interface Aggregator<A, X> {
  /** What `add` will need of the element; throws for one that it cannot take. */
  read(value: unknown): X;
  create(): A;
  /** Gives the next accumulator, often the same one changed. */
  add(accumulator: A, read: X): A;
  merge(into: A, from: A): A;
  result(accumulator: A): unknown;
  encode(accumulator: A): unknown;
  decode(encoded: unknown): A;
}

type Resolve = (slot: string) => (...args: unknown[]) => unknown;

// biome-ignore lint/suspicious/noExplicitAny: each aggregator is used only with accumulators that it made
export type AnyAggregator = Aggregator<any, any>;

export function aggregatorOf({ name, agg }: AggregateChoice, resolve: Resolve): AnyAggregator {
  const part = (of: string): ((...args: unknown[]) => unknown) => resolve(aggregateSlot(name, of));
  switch (agg) {
    case 'count':
      return counting;
    case 'sum':
      return summing(name, part('of'));
    case 'avg':
      return averaging(name, part('of'));
    case 'min':
      return extreme(name, part('of'), Math.min);
    case 'max':
      return extreme(name, part('of'), Math.max);
    case 'approxDistinct':
      return distinct(part('of'));
    case 'user':
      return user(name, part('create'), part('add'), part('merge'), part('result'));
  }
}

const plain = { encode: (accumulator: unknown): unknown => accumulator, decode: (encoded: unknown): never => encoded as never };

const counting: Aggregator<number, undefined> = {
  ...plain,
  read: () => undefined,
  create: () => 0,
  add: (total) => total + 1,
  merge: (a, b) => a + b,
  result: (total) => total,
};

function numberReader(name: string, of: (value: unknown) => unknown): (value: unknown) => number {
  return (value) => {
    const read = of(value);
    if (typeof read === 'number' && Number.isFinite(read)) return read;
    const found = typeof read === 'number' ? String(read) : read === null ? 'null' : typeof read;
    throw new SluiceError('function-result', `'${name}' needs a finite number of each element, not ${found}`);
  };
}

function summing(name: string, of: (value: unknown) => unknown): Aggregator<ExactSum, number> {
  return {
    ...plain,
    read: numberReader(name, of),
    create: emptySum,
    add: (sum, x) => {
      addToSum(sum, x);
      return sum;
    },
    merge: (into, from) => {
      mergeSums(into, from);
      return into;
    },
    result: (sum) => finite(name, roundedSum(sum)),
  };
}

interface Mean {
  readonly sum: ExactSum;
  count: number;
}

function averaging(name: string, of: (value: unknown) => unknown): Aggregator<Mean, number> {
  return {
    ...plain,
    read: numberReader(name, of),
    create: () => ({ sum: emptySum(), count: 0 }),
    add: (mean, x) => {
      addToSum(mean.sum, x);
      mean.count++;
      return mean;
    },
    merge: (into, from) => {
      mergeSums(into.sum, from.sum);
      into.count += from.count;
      return into;
    },
    result: (mean) => meanOf(mean.sum, mean.count),
  };
}

/** A number of JSON has no infinity: a total beyond the largest double is refused, not written as null. */
function finite(name: string, total: number): number {
  if (Number.isFinite(total)) return total;
  throw new SluiceError('function-result', `'${name}' is beyond the largest number`);
}

function extreme(
  name: string,
  of: (value: unknown) => unknown,
  better: (a: number, b: number) => number,
): Aggregator<number | undefined, number> {
  return {
    read: numberReader(name, of),
    create: () => undefined,
    add: (best, x) => (best === undefined ? x : better(best, x)),
    merge: (a, b) => (a === undefined ? b : b === undefined ? a : better(a, b)),
    result: (best) => (best === 0 ? 0 : best),
    encode: (best) => best ?? null,
    decode: (encoded) => (encoded === null ? undefined : (encoded as number)),
  };
}

function distinct(of: (value: unknown) => unknown): Aggregator<DistinctSketch, string> {
  return {
    read: (value) => encodeKey(of(value) as Key),
    create: newSketch,
    add: (sketch, text) => {
      addToSketch(sketch, text);
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
    throw new SluiceError('function-result', `${by} of '${name}' must return an accumulator, not undefined`);
  };
  return {
    read: (value) => value,
    create: () => jsonCopy(given(create(), 'create'), `the accumulator of '${name}'`),
    add: (accumulator, value) => given(add(accumulator, value), 'add'),
    merge: (into, from) => given(merge(into, from), 'merge'),
    result,
    encode: (accumulator) => accumulator,
    decode: (encoded) => jsonCopy(encoded, `the accumulator of '${name}'`),
  };
}
