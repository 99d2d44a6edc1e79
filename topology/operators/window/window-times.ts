/**
 * How far event time is for a window operator, and the timers of its windows.
 *
 * Invariants:
 * 1. A window has at most two timers, of its end or removal and of its next early firing; each is
 *    known as what it is, also at one time.
 * 2. What the watermark went past stays past, also when a restored job allows more lateness.
 * 3. Timers come due in the order of their times, at equal times in the order of keys and starts.
 */
import type { Timer } from '../../state/timer-queue.ts';
import { TimerQueue } from '../../state/timer-queue.ts';
import { minTime } from '../../time/watermark.ts';
import { firstEarlyFiring } from '../../time/windows.ts';
import type { WindowNode } from './node.ts';
import type { OpenWindow } from './window-state.ts';

export class WindowTimes {
  watermark = minTime;
  /** Windows whose last time is not after this are removed; elements not after it are late. */
  removedThrough = minTime;
  /** By what the timer that came due last is ordered among those of its time. */
  dueKey = '';
  readonly #allowedLatenessMs: number;
  readonly #earlyMs: number;
  /** Of live windows. */
  readonly timers = new TimerQueue<OpenWindow>();

  constructor({ allowedLatenessMs, earlyMs }: WindowNode) {
    this.#allowedLatenessMs = allowedLatenessMs;
    this.#earlyMs = earlyMs;
  }

  /** When a window of this end is removed; never, where a time cannot hold that. */
  cleanupTime(end: number): number {
    const at = end - 1 + this.#allowedLatenessMs;
    return at > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : at;
  }

  advance(watermark: number): void {
    this.watermark = watermark;
    this.removeThrough(watermark);
  }

  /** A lateness that a time cannot hold never ends before the input does. */
  removeThrough(watermark: number): void {
    this.removedThrough = Math.max(this.removedThrough, watermark - this.#allowedLatenessMs);
  }

  takeDue(): Timer<OpenWindow> | undefined {
    this.dueKey = this.timers.nextKey ?? '';
    return this.timers.takeUntil(this.watermark);
  }

  plan(window: OpenWindow): void {
    this.planAt(window, this.nextOf(window));
  }

  /** `at`: of its end or its removal. */
  planAt(window: OpenWindow, at: number): void {
    window.timer = this.#timer(at, window);
    if (window.early !== undefined) this.planEarly(window, window.early);
  }

  /** When a window ends, or is removed where its end has passed. */
  nextOf({ end }: Pick<OpenWindow, 'end'>): number {
    return end - 1 > this.watermark ? end - 1 : this.cleanupTime(end);
  }

  /** When the first timer of a window that has one at `at` comes due. */
  firstOf({ early, end }: Pick<OpenWindow, 'early' | 'end'>, at: number): number {
    return early !== undefined && early < end - 1 ? Math.min(early, at) : at;
  }

  /**
   * One timer a window: for its end, or for its removal once the end has passed. One that comes
   * before its window is due, because the window has grown, is set again when it is reached: a
   * session that grows with every element does not set its timer with every one.
   */
  planNext(window: OpenWindow): void {
    const at = this.nextOf(window);
    if (window.timer !== undefined && window.timer.at <= at) return;
    this.timers.cancel(window.timer);
    window.timer = this.#timer(at, window);
  }

  /** The timer that came due was that of its end, or came before it. */
  planAfter(window: OpenWindow, at: number): void {
    const next = at < window.end - 1 ? window.end - 1 : this.cleanupTime(window.end);
    window.timer = this.#timer(next, window);
  }

  planEarly(window: OpenWindow, at: number): void {
    if (!(at < Number.POSITIVE_INFINITY)) return;
    window.early = at;
    this.timers.cancel(window.earlyTimer);
    window.earlyTimer = at < window.end - 1 ? this.#timer(at, window) : undefined;
  }

  /** An element came at `timestamp` into a window that waits for no early firing. */
  planFirstEarly(window: OpenWindow, timestamp: number): void {
    if (this.#earlyMs > 0 && window.early === undefined)
      this.planEarly(window, firstEarlyFiring(timestamp, this.#earlyMs));
  }

  /**
   * After an early firing at `at`. Nothing changes while the watermark moves: the next one that can
   * fire is beyond it.
   */
  planNextEarly(window: OpenWindow, at: number): void {
    const next = Math.max(at, firstEarlyFiring(this.watermark, this.#earlyMs));
    this.planEarly(window, next);
  }

  /** The next early firing of a restored window, by the interval that is now. */
  earlyAfterRestore({
    start,
    end,
    changed,
    early,
  }: Pick<OpenWindow, 'start' | 'end' | 'changed' | 'early'>): number | undefined {
    const earlyMs = this.#earlyMs;
    if (earlyMs === 0) return undefined;
    if (early === undefined ? !changed || end - 1 <= this.watermark : early % earlyMs === 0)
      return early;
    return firstEarlyFiring(Math.max(this.watermark, start), earlyMs);
  }

  cancel(window: OpenWindow): void {
    this.timers.cancel(window.timer);
    this.timers.cancel(window.earlyTimer);
  }

  clear(): void {
    this.timers.clear();
  }

  #timer(at: number, window: OpenWindow): Timer<OpenWindow> | undefined {
    if (at === Number.POSITIVE_INFINITY) return undefined;
    return this.timers.set(at, timerKey(window.owner.text, window.start), window);
  }
}

/** By which timers of one time are ordered, of the key with this text and the window's start. */
export function timerKey(text: string, start: number): string {
  return `${text}\n${orderText(start)}`;
}

/**
 * A start as text whose order is the numbers' order, for timers of one time: sign, then digits of
 * one length.
 */
function orderText(start: number): string {
  const digits = String(start < 0 ? Number.MAX_SAFE_INTEGER + start : start);
  return `${start < 0 ? '-' : '0'}${digits.padStart(16, '0')}`;
}
