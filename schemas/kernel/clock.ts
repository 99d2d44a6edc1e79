/**
 * Time as a port. Production code takes a `Clock`; tests and the simulator pass one that is moved
 * by hand. This file is the only one that may touch the ambient clock and timers.
 *
 * Invariants:
 * 1. `monotonic` never goes back; `now` may (the system clock can be stepped).
 * 2. A cancelled timer never fires.
 * 3. A timer fires no sooner than it was asked to, however long that is: Node's own fire at once
 *    past 2^31 - 1 ms (24.8 days).
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time, epoch milliseconds (integer). May step back. */
  now(): number;
  /** Milliseconds since an arbitrary start, fractional, never going back. For durations. */
  monotonic(): number;
  /**
   * Runs `fire` once after at least `delayMs`, which may be infinite. A pending timer keeps the
   * process alive; cancel it to let go. Throws `RangeError` when `delayMs` is not a number.
   */
  setTimer(delayMs: number, fire: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fire) {
    if (Number.isNaN(delayMs))
      throw new RangeError('a timer needs a number of milliseconds, not NaN');
    if (delayMs > hostTimerMaxMs) return longTimer(delayMs, fire);
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * What `setTimeout` holds (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args): more
 * is taken for 1 ms.
 */
const hostTimerMaxMs = 2 ** 31 - 1;

/** Set again and again until its time has come. */
function longTimer(delayMs: number, fire: () => void): Timer {
  const dueAt = performance.now() + delayMs;
  let handle: NodeJS.Timeout;
  const arm = (): void => {
    const restMs = dueAt - performance.now();
    handle = restMs > hostTimerMaxMs ? setTimeout(arm, hostTimerMaxMs) : setTimeout(fire, restMs);
  };
  arm();
  return { cancel: () => clearTimeout(handle) };
}

/** Resolves after `delayMs` on `clock`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}

/** Calls `then` after what is ready in the event loop now. No time passes but what that takes. */
export function afterThisRound(then: () => void): void {
  setImmediate(then);
}

export interface ManualClock extends Clock {
  /**
   * Moves time forward by `ms`, firing due timers in order of their deadline, then of their making.
   */
  advance(ms: number): void;
  /**
   * Moves to the next deadline and fires its timer alone; the ms that it moved, 0 also when there
   * is none.
   */
  advanceToNext(): number;
}

/** A clock that stands still until `advance` is called. `startMs` is epoch milliseconds. */
export function manualClock(startMs = 0): ManualClock {
  let elapsed = 0;
  let made = 0;
  const timers = new Map<number, { readonly at: number; readonly fire: () => void }>();
  const nextDue = (limit: number): number | undefined => {
    let due: number | undefined;
    let dueAt = limit;
    for (const [id, timer] of timers) {
      if (timer.at <= limit && (due === undefined || timer.at < dueAt)) {
        due = id;
        dueAt = timer.at;
      }
    }
    return due;
  };
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    setTimer(delayMs, fire) {
      const id = made++;
      timers.set(id, { at: elapsed + Math.max(0, delayMs), fire });
      return { cancel: () => void timers.delete(id) };
    },
    advance(ms) {
      const target = elapsed + ms;
      for (let id = nextDue(target); id !== undefined; id = nextDue(target)) {
        const timer = timers.get(id);
        timers.delete(id);
        if (timer === undefined) break;
        elapsed = Math.max(elapsed, timer.at);
        timer.fire();
      }
      elapsed = target;
    },
    advanceToNext() {
      const id = nextDue(Number.POSITIVE_INFINITY);
      const timer = id === undefined ? undefined : timers.get(id);
      if (id === undefined || timer === undefined) return 0;
      timers.delete(id);
      const moved = Math.max(0, timer.at - elapsed);
      elapsed += moved;
      timer.fire();
      return moved;
    },
  };
}
