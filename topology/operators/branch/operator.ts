/**
 * Sorts a stream into outputs by conditions: the first that says yes takes the element, `rest`
 * takes the others. Control goes to every output.
 */
import type { Batch } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import type { NodeCounts, Operator, Reject } from '../operator.ts';
import { rejectThrown } from '../operator.ts';

export class BranchOperator implements Operator {
  readonly #node: string;
  readonly #conditions: readonly ((value: unknown) => unknown)[];
  readonly #counts: NodeCounts;
  readonly #reject: Reject;

  /** `conditions[i]` belongs to output i; the output after the last condition is `rest`. */
  constructor(
    node: string,
    conditions: readonly ((value: unknown) => unknown)[],
    counts: NodeCounts,
    reject: Reject,
  ) {
    this.#node = node;
    this.#conditions = conditions;
    this.#counts = counts;
    this.#reject = reject;
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as (typeof batch.kinds)[number];
      const timestamp = batch.timestamps[i] as number;
      if (kind !== rowKinds.element) {
        for (const target of out) target.push(kind, batch.values[i], timestamp, undefined);
        continue;
      }
      this.#counts.in++;
      const value = batch.values[i];
      const origin = batch.origins[i];
      try {
        const found = this.#conditions.findIndex((condition) => condition(value) === true);
        out[found < 0 ? this.#conditions.length : found]?.element(value, timestamp, origin);
        this.#counts.passed++;
      } catch (thrown) {
        this.#counts.rejected++;
        rejectThrown(this.#reject, this.#node, thrown, value, origin);
      }
    }
  }
}
