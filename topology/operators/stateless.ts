/**
 * Adjacent stateless nodes (validate, map, filter, flatMap) fused into one operator: a chain of
 * closures, so that an element passes all of them without a batch in between.
 *
 * Invariants:
 * 1. An element's timestamp and origin stay; what a function returns is the next value. Of a list
 *    each has its number in its origin.
 * 2. A function that throws rejects that element at its node; the others go on.
 * 3. Control rows pass in their place.
 * 4. What a function returns is JSON, or it is rejected: of a flatMap that result alone.
 */
import type { Provenance } from '../graph/sink.ts';
import { freeze } from '../state/freeze.ts';
import { isJson, notJson } from '../state/json-safe.ts';
import { siblingOf } from '../state/origin.ts';
import type { Batch } from './batch.ts';
import { rowKinds } from './batch.ts';
import type { NodeCounts, Operator, Reject } from './operator.ts';
import { rejectThrown } from './operator.ts';

/** What a user function may ask about its element. */
export interface ElementContext {
  /** Event time of the element, epoch ms; ingestion time before `eventTime()`. */
  readonly timestamp: number;
}

export type StatelessStep = { readonly node: string; readonly counts: NodeCounts } & (
  | { readonly kind: 'filter'; readonly call: (value: unknown, context: ElementContext) => unknown }
  | {
      readonly kind: 'map';
      readonly call: (value: unknown, context: ElementContext) => unknown;
      /** What a look-up's function is given beside the element. */
      readonly found?: (value: unknown) => unknown;
    }
  /** `level` is how many nodes before it make several elements of one. */
  | {
      readonly kind: 'flatMap';
      readonly call: (value: unknown, context: ElementContext) => unknown;
      readonly level: number;
    }
  | { readonly kind: 'validate'; readonly check: (value: unknown) => StepRefusal | undefined }
);

export interface StepRefusal {
  readonly code: 'schema-violation' | 'schema-unknown';
  readonly message: string;
  readonly pointer: string | null;
  readonly schema: string;
}

type Next = (value: unknown, timestamp: number, origin: Provenance | undefined) => void;

export class StatelessOperator implements Operator {
  readonly #entry: Next;
  #out: Batch | undefined;

  constructor(steps: readonly StatelessStep[], reject: Reject) {
    const last: Next = (value, timestamp, origin) => this.#out?.element(value, timestamp, origin);
    this.#entry = steps.reduceRight((next, step) => link(step, next, reject), last);
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

const resultOf = (node: string): string => `what '${node}' returns`;

function givenTo(step: StatelessStep, value: unknown): readonly unknown[] {
  if (step.kind !== 'map' || step.found === undefined) return [value];
  try {
    return [value, step.found(value)];
  } catch {
    return [value];
  }
}

function link(step: StatelessStep, next: Next, reject: Reject): Next {
  const { node, counts } = step;
  const context = { timestamp: 0 };
  const refuse = (thrown: unknown, value: unknown, origin: Provenance | undefined): void => {
    counts.rejected++;
    rejectThrown(reject, node, thrown, value, origin, givenTo(step, value));
  };
  switch (step.kind) {
    case 'map': {
      const { call } = step;
      return (value, timestamp, origin) => {
        counts.in++;
        let result: unknown;
        try {
          context.timestamp = timestamp;
          result = call(value, context);
        } catch (thrown) {
          refuse(thrown, value, origin);
          return;
        }
        if (!isJson(result)) {
          counts.rejected++;
          rejectThrown(reject, node, notJson(result, resultOf(node)), value, origin);
          return;
        }
        counts.passed++;
        next(result, timestamp, origin);
      };
    }
    case 'filter': {
      const { call } = step;
      return (value, timestamp, origin) => {
        counts.in++;
        let keep: unknown;
        try {
          context.timestamp = timestamp;
          keep = call(value, context);
        } catch (thrown) {
          refuse(thrown, value, origin);
          return;
        }
        if (keep === true) {
          counts.passed++;
          next(value, timestamp, origin);
        } else counts.filtered++;
      };
    }
    case 'flatMap': {
      const { call, level } = step;
      return (value, timestamp, origin) => {
        counts.in++;
        let results: unknown;
        try {
          context.timestamp = timestamp;
          results = call(value, context);
        } catch (thrown) {
          refuse(thrown, value, origin);
          return;
        }
        if (!Array.isArray(results)) {
          counts.rejected++;
          const message = `flatMap must return an array, not ${results === null ? 'null' : typeof results}`;
          reject({
            node,
            code: 'function-result',
            message,
            pointer: null,
            schema: null,
            value,
            origin,
          });
          return;
        }
        counts.passed++;
        // They may have parts in common.
        const several = results.length > 1;
        let index = 0;
        for (const result of results as unknown[]) {
          const own = siblingOf(origin, level, index++);
          if (!isJson(result)) {
            rejectThrown(reject, node, notJson(result, resultOf(node)), value, own);
            continue;
          }
          counts.emitted++;
          next(several ? freeze(result) : result, timestamp, own);
        }
      };
    }
    case 'validate': {
      const { check } = step;
      return (value, timestamp, origin) => {
        counts.in++;
        const refusal = check(value);
        if (refusal === undefined) {
          counts.passed++;
          next(value, timestamp, origin);
          return;
        }
        counts.rejected++;
        reject({
          node,
          code: refusal.code,
          message: refusal.message,
          pointer: refusal.pointer,
          schema: refusal.schema,
          value,
          origin,
        });
      };
    }
  }
}
