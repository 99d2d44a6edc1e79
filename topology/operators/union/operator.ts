/**
 * Several streams as one. Elements keep their order within each; watermarks merge by the rule
 * `valve`.
 *
 * Invariants:
 * 1. Where `eventTime` comes only after it there is no time to merge yet: what is said of a source
 *    or a split continues as it is, to the one who keeps the time of each.
 * 2. An event that comes on several ways is several elements: each has the number of its input in
 *    its origin.
 * 3. A source that comes on several of its inputs is heard as far as all of them have let through:
 *    on one of them rows may wait for answers.
 * 4. The end of input is passed on once, at the end, when every input has said it.
 */
import type { Provenance } from '../../nodes/sink.ts';
import { siblingOf } from '../../state/origin.ts';
import type { MergeSnapshot } from '../../time/merge.ts';
import { WatermarkMerge } from '../../time/merge.ts';
import type { Heard } from '../../time/watermark.ts';
import { minTime } from '../../time/watermark.ts';
import type { Batch, RowKind } from '../batch.ts';
import { endOfInput, rowKinds } from '../batch.ts';
import type { NodeCounts, Operator } from '../operator.ts';

export class UnionOperator implements Operator {
  readonly #merge: WatermarkMerge;
  readonly #counts: NodeCounts;
  readonly #merges: boolean;
  readonly #level: number | undefined;
  readonly #sources: readonly ReadonlySet<string>[];
  /** By source: what its last tick said, by input. */
  readonly #heard = new Map<string, (Heard | undefined)[]>();

  /**
   * `sources` has those of each input. `level`, where inputs may have the same events: how many
   * nodes before it make several elements of one.
   */
  constructor(
    sources: readonly ReadonlySet<string>[],
    counts: NodeCounts,
    merges: boolean,
    level: number | undefined,
  ) {
    this.#merge = new WatermarkMerge(sources.length, 'valve');
    this.#sources = sources;
    this.#counts = counts;
    this.#merges = merges;
    this.#level = level;
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
          target.element(batch.values[i], timestamp, this.#originOf(batch.origins[i], input));
          break;
        case rowKinds.watermark:
          if (batch.values[i] === endOfInput) target.signals(this.#merge.end(input), endOfInput);
          else if (this.#merges) target.signals(this.#merge.advance(input, timestamp));
          else target.control(kind, timestamp, batch.values[i]);
          break;
        case rowKinds.idle:
          if (this.#merges) target.signals(this.#merge.idle(input));
          else target.control(kind, timestamp, batch.values[i]);
          break;
        case rowKinds.active:
          if (this.#merges) target.signals(this.#merge.active(input));
          else target.control(kind, timestamp, batch.values[i]);
          break;
        case rowKinds.tick:
          target.control(
            kind,
            timestamp,
            this.#heardOnAll(input, batch.values[i] as Heard | undefined),
          );
          break;
        default:
          target.push(kind, batch.values[i], timestamp, undefined);
      }
    }
  }

  wake(input: number, out: readonly Batch[]): void {
    if (this.#merges) out[0]?.signals(this.#merge.active(input));
  }

  #heardOnAll(input: number, tick: Heard | undefined): Heard | undefined {
    if (tick === undefined) return undefined;
    const told = this.#heard.get(tick.source) ?? [];
    this.#heard.set(tick.source, told);
    told[input] = tick;
    const ways = this.#sources.flatMap((sources, way) =>
      sources.has(tick.source) ? [told[way]] : [],
    );
    if (ways.length === 1) return tick;
    const leastOf = (split: string): number =>
      Math.min(...ways.map((way) => way?.at.get(split) ?? minTime));
    const at = [...tick.at.keys()]
      .map((split) => [split, leastOf(split)] as const)
      .filter(([, heardMs]) => heardMs !== minTime);
    return { ...tick, at: new Map(at) };
  }

  #originOf(origin: Provenance | undefined, input: number): Provenance | undefined {
    return this.#level === undefined ? origin : siblingOf(origin, this.#level, input);
  }

  snapshot(): MergeSnapshot {
    return this.#merge.snapshot();
  }

  restore(snapshot: MergeSnapshot): void {
    this.#merge.restore(snapshot);
  }
}
