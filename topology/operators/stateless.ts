/**
 * Adjacent nodes without state (validate, map, filter, flatMap, look-ups in a file) fused into one
 * operator: a chain of closures, so that an element passes all of them without a batch in between.
 *
 * Invariants:
 * 1. An element keeps its timestamp and origin; the function's result is the next value. Each
 *    element of a list has its number in its origin.
 * 2. A function that throws rejects that element at its node; the others continue.
 * 3. Control rows pass in their place.
 * 4. A result that is not JSON is rejected; of a flatMap, that result alone.
 */
import { outPort } from '../nodes/node.ts';
import type { Provenance } from '../nodes/sink.ts';
import { isJson, notJson } from '../state/json-safe.ts';
import type { Batch } from './batch.ts';
import { rowKinds } from './batch.ts';
import type { Made, StreamCall } from './node-builder.ts';
import type { NodeCounts, Operator, Reject } from './operator.ts';
import { rejectThrown } from './operator.ts';

/** The slot of a kind that has one function. */
export const functionSlot = 'function';

/** What a user function may ask about its element. */
export interface ElementContext {
  /** Event time of the element, epoch ms; ingestion time before `eventTime()`. */
  readonly timestamp: number;
}

export interface StepRejection {
  readonly code: 'schema-violation' | 'schema-unknown';
  readonly message: string;
  readonly pointer: string | null;
  readonly schema: string;
}

/** The node of a kind that has one function, and an id by its place. */
export function buildStateless({ builder, from, name, given: [call] }: StreamCall): Made {
  const id = builder.pathId(from, name);
  const node = { id, kind: name, inputs: [from], outputs: [outPort] };
  builder.add(node, { [functionSlot]: call });
  return { id };
}

/** Takes an element on. */
export type Next = (value: unknown, timestamp: number, origin: Provenance | undefined) => void;

/** A node of a chain, by what comes after it. */
export type Link = (next: Next) => Next;

export class StatelessOperator implements Operator {
  readonly #entry: Next;
  #out: Batch | undefined;

  constructor(links: readonly Link[]) {
    const last: Next = (value, timestamp, origin) => this.#out?.element(value, timestamp, origin);
    this.#entry = links.reduceRight((next, link) => link(next), last);
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    this.#out = target;
    const { kinds, values, timestamps, origins, length } = batch;
    const entry = this.#entry;
    for (let i = 0; i < length; i++) {
      const kind = kinds[i] as (typeof kinds)[number];
      if (kind === rowKinds.element) entry(values[i], timestamps[i] as number, origins[i]);
      else target?.push(kind, values[i], timestamps[i] as number, undefined);
    }
  }
}

/**
 * The link of a function of one element. `found`: what it is given beside the element, which it may
 * not change either.
 */
export function mapping(
  node: string,
  call: (value: unknown, context: ElementContext) => unknown,
  { counts, reject }: { readonly counts: NodeCounts; readonly reject: Reject },
  found?: (value: unknown) => unknown,
): Link {
  const context = { timestamp: 0 };
  const what = `what '${node}' returns`;
  return (next) => (value, timestamp, origin) => {
    counts.in++;
    let result: unknown;
    try {
      context.timestamp = timestamp;
      result = call(value, context);
    } catch (thrown) {
      counts.rejected++;
      rejectThrown(reject, node, thrown, value, origin, givenTo(value, found));
      return;
    }
    if (!isJson(result)) {
      counts.rejected++;
      rejectThrown(reject, node, notJson(result, what), value, origin);
      return;
    }
    counts.passed++;
    next(result, timestamp, origin);
  };
}

function givenTo(
  value: unknown,
  found: ((value: unknown) => unknown) | undefined,
): readonly unknown[] {
  if (found === undefined) return [value];
  try {
    return [value, found(value)];
  } catch {
    return [value];
  }
}
