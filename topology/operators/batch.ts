/**
 * What flows along one edge in one turn: elements and control in one order, by column.
 *
 * Invariants:
 * 1. `kinds`, `values`, `timestamps` and `origins` have `length` entries that belong together.
 * 2. Only the operator that owns an output appends to its batch, and only within its own turn;
 *    readers never change it.
 */
import type { Route } from '../../schemas/ports/record.ts';
import type { Provenance } from '../nodes/sink.ts';
import type { TimeSignal } from '../time/watermark.ts';
import { maxTime } from '../time/watermark.ts';

export const rowKinds = {
  element: 0,
  /**
   * `timestamps[i]` is the watermark; `values[i]` is `endOfInput` where it is the end of time and
   * nothing comes any more. Before `eventTime` it is given by hand, as idleness is: `values[i]` is
   * the key of the split that it is given to, or a list of those of a whole source; undefined means
   * all.
   */
  watermark: 1,
  idle: 2,
  active: 3,
  /**
   * The periodic emission: watermarks are made here, and idleness is judged at `timestamps[i]`,
   * which stands still while sources are held. `values[i]` is what the sources have heard so far, a
   * `Heard`, where they tell.
   */
  tick: 4,
  /** The split of `values[i]`, a `SplitBegin`, exists, or has begun again. */
  split: 5,
  /** The split `values[i]` ended: it holds no watermark back. */
  splitEnd: 6,
  /**
   * Processing time is `timestamps[i]`: timers of processing time fire here. `values[i]` is the
   * time of ticks, where that is another one.
   */
  clock: 7,
  /** There are the splits of `values[i]`, a set of their keys, and no others. */
  splits: 8,
} as const;

/**
 * A split by its key, and those whose records come before its own: it begins at the least of their
 * watermarks.
 */
export interface SplitBegin {
  readonly split: string;
  readonly parents: readonly string[];
  /** Whether ticks say what was heard of it: until it was heard it is not idle. */
  readonly told: boolean;
}

/**
 * Marks the end of time as the end of input: an operator of several inputs lets it continue when
 * each of them has said it, whichever are idle.
 */
export const endOfInput = true;

export type RowKind = (typeof rowKinds)[keyof typeof rowKinds];

export class Batch {
  length = 0;
  readonly kinds: RowKind[] = [];
  readonly values: unknown[] = [];
  readonly timestamps: number[] = [];
  readonly origins: (Provenance | undefined)[] = [];

  push(kind: RowKind, value: unknown, timestamp: number, origin: Provenance | undefined): void {
    this.kinds.push(kind);
    this.values.push(value);
    this.timestamps.push(timestamp);
    this.origins.push(origin);
    this.length++;
  }

  element(value: unknown, timestamp: number, origin: Provenance | undefined): void {
    this.push(rowKinds.element, value, timestamp, origin);
  }

  control(
    kind: Exclude<RowKind, typeof rowKinds.element>,
    timestamp: number,
    value?: unknown,
  ): void {
    this.push(kind, value, timestamp, undefined);
  }

  /** `end` where the end of time among them is that of all input. */
  signals(signals: readonly TimeSignal[], end?: typeof endOfInput): void {
    for (const signal of signals) {
      if (signal.kind === 'watermark')
        this.control(rowKinds.watermark, signal.at, signal.at === maxTime ? end : undefined);
      else this.control(signal.kind === 'idle' ? rowKinds.idle : rowKinds.active, 0);
    }
  }

  clear(): void {
    this.kinds.length = 0;
    this.values.length = 0;
    this.timestamps.length = 0;
    this.origins.length = 0;
    this.length = 0;
  }
}

/** The split of elements that no record carried. */
export const noSplit = '';

/**
 * The key of a split among all splits of a job: two sources that read one stream are at different
 * places in it.
 */
export function splitKey({
  source,
  route,
  split,
}: {
  readonly source: string;
  readonly route: Route;
  readonly split: string;
}): string {
  return `${source} ${route} ${split}`;
}
