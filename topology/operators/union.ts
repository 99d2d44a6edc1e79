/**
 * Several streams as one. Elements keep their order within each; watermarks merge by the rule `valve`.
 */
import type { MergeSnapshot } from '../time/merge.ts';
import { WatermarkMerge } from '../time/merge.ts';
import type { Batch, RowKind } from './batch.ts';
import { endOfInput, rowKinds } from './batch.ts';
import type { NodeCounts, Operator } from './operator.ts';

export class UnionOperator implements Operator {
  readonly #merge: WatermarkMerge;
  readonly #counts: NodeCounts;
  readonly #inputs: number;
  readonly #ended = new Set<number>();

  constructor(inputs: number, counts: NodeCounts) {
    this.#merge = new WatermarkMerge(inputs, 'valve');
    this.#counts = counts;
    this.#inputs = inputs;
  }

  process(input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as RowKind;
      const timestamp = batch.timestamps[i] as number;
      switch (kind) {
        case rowKinds.element:
          this.#counts.in++;
          this.#counts.passed++;
          target.element(batch.values[i], timestamp, batch.origins[i]);
          break;
        case rowKinds.watermark:
          if (batch.values[i] === endOfInput) {
            this.#ended.add(input);
            if (this.#ended.size === this.#inputs) target.control(kind, timestamp, endOfInput);
            break;
          }
          target.signals(this.#merge.advance(input, timestamp));
          break;
        case rowKinds.idle:
          target.signals(this.#merge.idle(input));
          break;
        case rowKinds.active:
          target.signals(this.#merge.active(input));
          break;
        default:
          target.push(kind, batch.values[i], timestamp, undefined);
      }
    }
  }

  snapshot(): MergeSnapshot {
    return this.#merge.snapshot();
  }

  restore(snapshot: MergeSnapshot): void {
    this.#merge.restore(snapshot);
  }
}
