/**
 * Gives elements their event time and makes watermarks: one generator per split of the input,
 * merged over the splits.
 *
 * Invariants:
 * 1. An element keeps its place among the others; its timestamp becomes what the function says, in
 *    whole epoch milliseconds.
 * 2. Watermarks are emitted at ticks only, after the elements that caused them.
 * 3. An event further ahead of processing time than the guard is rejected and moves no watermark.
 */
import type { TimeFault } from '../../../schemas/kernel/time.ts';
import { parseEventTime } from '../../../schemas/kernel/time.ts';
import type { RejectionCode } from '../../../schemas/rejection.ts';
import type { Provenance } from '../../nodes/sink.ts';
import type { Heard, TimeSignal, WatermarkSnapshot } from '../../time/watermark.ts';
import { SplitWatermarks } from '../../time/watermark.ts';
import type { Batch, RowKind, SplitBegin } from '../batch.ts';
import { endOfInput, noSplit, rowKinds } from '../batch.ts';
import type { NodeCounts, Operator, Reject } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { EventTimeNode } from './node.ts';

export class EventTimeOperator implements Operator {
  readonly watermarks: SplitWatermarks;
  readonly #node: EventTimeNode;
  readonly #timestampOf: (value: unknown) => unknown;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  #processingTimeMs = 0;

  constructor(
    node: EventTimeNode,
    timestampOf: (value: unknown) => unknown,
    counts: NodeCounts,
    reject: Reject,
  ) {
    this.#node = node;
    this.#timestampOf = timestampOf;
    this.#counts = counts;
    this.#reject = reject;
    this.watermarks = new SplitWatermarks(node);
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const time = batch.timestamps[i] as number;
      switch (batch.kinds[i] as RowKind) {
        case rowKinds.element:
          this.#element(batch.values[i], batch.origins[i], target);
          break;
        case rowKinds.clock:
          this.#processingTimeMs = time;
          this.watermarks.clock((batch.values[i] as number | undefined) ?? time);
          target.control(rowKinds.clock, time, batch.values[i]);
          break;
        case rowKinds.tick:
          target.signals(this.watermarks.tick(time, batch.values[i] as Heard | undefined));
          break;
        case rowKinds.split:
          target.signals(this.#begin(batch.values[i] as SplitBegin));
          break;
        case rowKinds.splits:
          this.#keep(batch.values[i] as ReadonlySet<string>);
          break;
        case rowKinds.splitEnd:
          this.watermarks.remove(batch.values[i] as string);
          break;
        case rowKinds.watermark:
        case rowKinds.idle:
        case rowKinds.active:
          this.#given(batch.kinds[i] as RowKind, time, batch.values[i], target);
          break;
      }
    }
  }

  #begin({ split, parents, told }: SplitBegin): readonly TimeSignal[] {
    return told ? this.watermarks.begin(split, parents) : (this.watermarks.add(split, parents), []);
  }

  /** Whether there are no other splits than those of the one source that is spoken of. */
  #isAll(splits: readonly string[]): boolean {
    for (const split of this.watermarks.splits.keys())
      if (split !== noSplit && !splits.includes(split)) return false;
    return true;
  }

  /** What a restored state has of splits that are gone holds nothing back. */
  #keep(splits: ReadonlySet<string>): void {
    for (const split of this.watermarks.splits.keys())
      if (split !== noSplit && !splits.has(split)) this.watermarks.remove(split);
  }

  /**
   * Time is made here. What comes from upstream was given from outside: the end of input, or a test
   * driver's hand.
   */
  #given(kind: RowKind, at: number, to: unknown, target: Batch): void {
    const { watermarks } = this;
    const idle = kind === rowKinds.idle;
    if (to === endOfInput) {
      target.signals(watermarks.end(), endOfInput);
      return;
    }
    if (to === undefined || (typeof to !== 'string' && this.#isAll(to as readonly string[]))) {
      target.signals(
        kind === rowKinds.watermark ? watermarks.giveAll(at) : watermarks.setAllIdle(idle),
      );
      return;
    }
    for (const split of typeof to === 'string' ? [to] : (to as readonly string[]))
      target.signals(
        kind === rowKinds.watermark ? watermarks.give(split, at) : watermarks.setIdle(split, idle),
      );
  }

  #element(value: unknown, origin: Provenance | undefined, target: Batch): void {
    this.#counts.in++;
    let timestamp: number | TimeFault;
    try {
      timestamp = parseEventTime(this.#timestampOf(value));
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    if (typeof timestamp !== 'number') {
      const message = `the event time must be an RFC 3339 time or whole epoch milliseconds: ${timestamp.reason}`;
      this.#rejectElement('function-result', message, value, origin);
      return;
    }
    const { futureMaxMs } = this.#node;
    if (futureMaxMs > 0 && timestamp > this.#processingTimeMs + futureMaxMs) {
      const ahead = timestamp - this.#processingTimeMs;
      this.#rejectElement(
        'future-event',
        `the event time is ${ahead} ms ahead of processing time; at most ${futureMaxMs} ms are accepted`,
        value,
        origin,
      );
      return;
    }
    this.#counts.passed++;
    this.watermarks.event(origin?.splitKey ?? noSplit, timestamp);
    target.element(value, timestamp, origin);
  }

  #rejectElement(
    code: RejectionCode,
    message: string,
    value: unknown,
    origin: Provenance | undefined,
  ): void {
    this.#counts.rejected++;
    this.#reject({
      node: this.#node.id,
      code,
      message,
      pointer: null,
      schema: null,
      value,
      origin,
    });
  }

  snapshot(): WatermarkSnapshot {
    return this.watermarks.snapshot();
  }

  restore(snapshot: WatermarkSnapshot): void {
    this.watermarks.restore(snapshot);
  }
}
