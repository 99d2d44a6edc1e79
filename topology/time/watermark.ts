/**
 * Watermarks of one operator over the splits of its input, as Flink's: bounded out-of-orderness per
 * split, idleness, and the merge rule of a source's splits (`combined`). Pure state; the operator
 * feeds it events, ticks and the processing time.
 *
 * Invariants:
 * 1. A watermark W says that no element with a timestamp of W or less is expected; it never goes
 *    back.
 * 2. Per split W = maxTimestamp - outOfOrderness - 1; before the first event it is the minimum.
 * 3. A split is idle when it was heard to be quiet, by reads that found its end, for longer than
 *    the timeout. The time of a run that is over, or in which nobody could read, is not quiet.
 * 4. The output is the minimum over active splits. When all are idle it is the maximum of all,
 *    whichever fell idle last; then idle.
 *
 * Source of the rules: org.apache.flink.api.common.eventtime.{BoundedOutOfOrdernessWatermarks,
 * WatermarksWithIdleness, WatermarkOutputMultiplexer, IdlenessManager} (as of FLINK-38454).
 */
import type { SplitSnapshot, SplitTime } from './split-time.ts';
import {
  decodeSplitTime,
  encodeSplitTime,
  isIdle,
  judgeIdle,
  newSplitTime,
  resumeQuiet,
} from './split-time.ts';
import type { EncodedTime, TimeSignal } from './time-bounds.ts';
import { decodeTime, encodeTime, maxTime, minTime } from './time-bounds.ts';

/**
 * How long after an event was read a silent split has to be asked again and found empty before
 * time continues without it: what was sent together is stored in several splits, one after the
 * other.
 */
export const silenceSettleMs = 1_000;

/** What the sources have heard, in the time of ticks. */
export interface Heard {
  /**
   * All splits that are taken for silent, of the whole job, were found empty by reads that began no
   * earlier; infinite without such splits.
   */
  readonly through: number;
  /** Whose splits it tells of. */
  readonly source: string;
  /** By split of the source: when the last read began that found its end. */
  readonly at: ReadonlyMap<string, number>;
}

export interface WatermarkOptions {
  readonly outOfOrdernessMs: number;
  /** 0: never idle. */
  readonly idleAfterMs: number;
}

/** An advance, or idleness after one, that waits for the silent splits. */
interface Pending {
  readonly atMs: number;
  readonly at: number;
  readonly idle: boolean;
}

export interface WatermarkSnapshot {
  readonly splits: readonly SplitSnapshot[];
  readonly emitted: EncodedTime;
  readonly idle: boolean;
}

export class SplitWatermarks {
  readonly #options: WatermarkOptions;
  readonly #splits = new Map<string, SplitTime>();
  #emitted = minTime;
  #idle = false;
  /** What may be said once every silent split was heard again. */
  #pending: Pending | undefined;
  #nowMs = 0;
  #restored = false;

  constructor(options: WatermarkOptions) {
    this.#options = options;
  }

  /** The last watermark that was emitted. */
  get watermark(): number {
    return this.#emitted;
  }

  get idle(): boolean {
    return this.#idle;
  }

  /**
   * While an advance waits for silent splits to be heard again: the one that was heard least
   * lately.
   */
  get unheard(): string | undefined {
    const { atMs } = this.#pending ?? {};
    if (atMs === undefined || this.#nowMs < atMs + 2 * silenceSettleMs) return undefined;
    let found: string | undefined;
    let least = atMs + silenceSettleMs;
    for (const [split, { idle, heardMs }] of this.#splits) {
      if (!idle || heardMs >= least) continue;
      least = heardMs;
      found = split;
    }
    return found;
  }

  /** The splits with their own watermarks, for status. */
  get splits(): ReadonlyMap<string, Readonly<SplitTime>> {
    return this.#splits;
  }

  /**
   * Makes a split known. Until it has events or falls idle it holds the watermark where its parents
   * left it, at the least of theirs; at the minimum without any that is known.
   */
  add(split: string, parents: readonly string[] = []): SplitTime {
    const known = this.#splits.get(split);
    if (known !== undefined) return known;
    const before = parents
      .map((parent) => this.#splits.get(parent))
      .filter((time) => time !== undefined);
    const added = newSplitTime(
      before.length === 0 ? minTime : Math.min(...before.map((time) => this.splitWatermark(time))),
    );
    this.#splits.set(split, added);
    return added;
  }

  /**
   * Makes a split known whose source tells what it hears. It is not idle before it was heard in
   * this run, whatever a restored state says: it may have had events meanwhile, so that nothing
   * downstream may take it for idle either.
   */
  begin(split: string, parents: readonly string[]): readonly TimeSignal[] {
    this.add(split, parents).heardMs = minTime;
    if (!this.#idle) return [];
    this.#idle = false;
    return [{ kind: 'active' }];
  }

  /** A split that ended holds nothing back any more. */
  remove(split: string): void {
    this.#splits.delete(split);
  }

  event(split: string, timestamp: number): void {
    const time = this.#splits.get(split) ?? this.add(split);
    if (timestamp > time.maxTimestamp) time.maxTimestamp = timestamp;
    time.touched = true;
  }

  splitWatermark(time: Readonly<SplitTime>): number {
    return Math.max(time.given, time.maxTimestamp - this.#options.outOfOrdernessMs - 1);
  }

  /** Processing time is `nowMs`. */
  clock(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#restored) return;
    this.#restored = false;
    for (const time of this.#splits.values()) resumeQuiet(time, nowMs);
  }

  /**
   * The periodic emission at `nowMs`: what is to be forwarded, in order. After the end of time
   * there is nothing more to say.
   */
  tick(nowMs: number, heard?: Heard): readonly TimeSignal[] {
    this.clock(nowMs);
    if (this.#emitted === maxTime) return [];
    let through = heard?.through ?? maxTime;
    for (const [split, time] of this.#splits) {
      // Restored: that its source continues waits behind rows that were restored, too.
      if (heard !== undefined && time.heardMs === maxTime) time.heardMs = minTime;
      const heardMs = heard?.at.get(split);
      if (heardMs !== undefined) time.heardMs = heardMs;
      judgeIdle(time, nowMs, this.#options.idleAfterMs);
      // Also one that falls silent now: the sources did not know of it yet.
      if (heard !== undefined && time.idle) through = Math.min(through, time.heardMs);
    }
    if (heard === undefined) return this.#combine();
    const woke = this.#wake();
    return woke.concat(through === maxTime ? this.#combine() : this.#combineHeard(nowMs, through));
  }

  /**
   * Whoever merges this output with others has to wait for it from now on, also before it moves on:
   * Flink's waits for an advance, and what a split that wakes has within its bound may be late
   * then.
   */
  #wake(): TimeSignal[] {
    if (!this.#idle || this.#reached().idle) return [];
    this.#idle = false;
    return [{ kind: 'active' }];
  }

  /** A watermark of one split from outside. */
  give(split: string, at: number): readonly TimeSignal[] {
    const time = this.add(split);
    time.idle = false;
    if (at > time.given) time.given = at;
    return this.#combine();
  }

  /** Idleness of one split from outside. */
  setIdle(split: string, idle: boolean): readonly TimeSignal[] {
    const time = this.add(split);
    time.idle = idle;
    // Awake, it has its whole quiet time before it.
    time.quietSinceMs = undefined;
    time.quietForMs = undefined;
    return this.#combine();
  }

  /**
   * A watermark of all splits at once, from outside. While all are idle it is ignored. The end of
   * time needs no split.
   */
  giveAll(at: number): readonly TimeSignal[] {
    if (this.#idle || at <= this.#emitted) return [];
    for (const time of this.#splits.values()) {
      time.idle = false;
      if (at > time.given) time.given = at;
    }
    this.#emitted = at;
    return [{ kind: 'watermark', at }];
  }

  /** The end of input: whatever is idle, or waits to be heard, is over. */
  end(): readonly TimeSignal[] {
    this.#pending = undefined;
    for (const time of this.#splits.values()) {
      time.idle = false;
      time.given = maxTime;
    }
    return this.#emit(maxTime);
  }

  /** Idleness of all splits at once, from outside. */
  setAllIdle(idle: boolean): readonly TimeSignal[] {
    for (const time of this.#splits.values()) time.idle = idle;
    if (idle) return this.#splits.size === 0 ? this.#flush(this.#emitted) : this.#combine();
    if (!this.#idle) return [];
    this.#idle = false;
    return [{ kind: 'active' }];
  }

  #combine(): readonly TimeSignal[] {
    this.#pending = undefined;
    if (this.#splits.size === 0) return [];
    const { at, idle } = this.#reached();
    return idle ? this.#flush(at) : this.#emit(at);
  }

  /**
   * What the splits allow now: the minimum over active ones; with all idle, where none moves on,
   * what any of them has reached.
   */
  #reached(): { readonly at: number; readonly idle: boolean } {
    let active = false;
    let minimum = maxTime;
    let maximum = minTime;
    for (const time of this.#splits.values()) {
      const at = this.splitWatermark(time);
      maximum = Math.max(maximum, at);
      if (isIdle(time)) continue;
      active = true;
      minimum = Math.min(minimum, at);
    }
    return active ? { at: minimum, idle: false } : { at: maximum, idle: true };
  }

  /**
   * While splits are silent an advance waits until all of them were asked again and found empty: a
   * split that is silent may have had events at the same time as the one that moves on, and nobody
   * has looked yet.
   */
  #combineHeard(nowMs: number, through: number): readonly TimeSignal[] {
    if (this.#splits.size === 0) return [];
    const { at, idle } = this.#reached();
    const signals: TimeSignal[] = [];
    const pending = this.#pending;
    if (pending !== undefined) {
      if (through < pending.atMs + silenceSettleMs) return signals;
      this.#pending = undefined;
      const settled = Math.min(pending.at, at);
      signals.push(...(idle && pending.idle ? this.#flush(settled) : this.#emit(settled)));
    }
    if (at > this.#emitted || idle !== this.#idle) this.#pending = { atMs: nowMs, at, idle };
    return signals;
  }

  #emit(at: number): readonly TimeSignal[] {
    if (at <= this.#emitted) return [];
    const signals: TimeSignal[] = this.#idle ? [{ kind: 'active' }] : [];
    this.#idle = false;
    this.#emitted = at;
    signals.push({ kind: 'watermark', at });
    return signals;
  }

  /** Idle, after `at` where it is an advance. */
  #flush(at: number): readonly TimeSignal[] {
    const wasIdle = this.#idle;
    this.#idle = true;
    if (at <= this.#emitted) return wasIdle ? [] : [{ kind: 'idle' }];
    this.#emitted = at;
    const flushed: TimeSignal[] = [{ kind: 'watermark', at }, { kind: 'idle' }];
    // Downstream ignores what an idle input says.
    return wasIdle ? [{ kind: 'active' }, ...flushed] : flushed;
  }

  snapshot(): WatermarkSnapshot {
    return {
      splits: [...this.#splits].map(([split, time]) => encodeSplitTime(split, time, this.#nowMs)),
      emitted: encodeTime(this.#emitted),
      idle: this.#idle,
    };
  }

  restore(snapshot: WatermarkSnapshot): void {
    this.#splits.clear();
    for (const split of snapshot.splits) this.#splits.set(split[0], decodeSplitTime(split));
    this.#emitted = decodeTime(snapshot.emitted);
    this.#idle = snapshot.idle;
    this.#pending = undefined;
    this.#restored = true;
  }
}

export type { SplitTime } from './split-time.ts';
export { isIdle } from './split-time.ts';
export type { EncodedTime, TimeSignal } from './time-bounds.ts';
export { decodeTime, encodeTime, maxTime, minTime } from './time-bounds.ts';
