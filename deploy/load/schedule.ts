/**
 * When each request of a load is meant to start. Pure. The load is open: a request starts when its
 * time has come, whatever became of those before it, and its latency counts from then. A server
 * that stalls is charged for all that would have come meanwhile (coordinated omission,
 * http://highscalability.com/blog/2015/10/5/your-load-generator-is-probably-lying-to-you-take-the-red-pi.html).
 */

export interface Schedule {
  /**
   * ms from the start at which request `n` (from 0) is due; undefined when the load has ended
   * before.
   */
  dueMs(n: number): number | undefined;
  /** Requests a second that are meant at `atMs`. */
  rateAt(atMs: number): number;
  /** Requests of the whole load. */
  readonly count: number;
}

export interface ScheduleOptions {
  /** Requests a second. With a ramp: from its end on. */
  readonly rate: number;
  readonly durationMs: number;
  /** Begins at this rate and rises evenly to `rate` over the first half. */
  readonly rampFrom?: number;
}

export function createSchedule({ rate, durationMs, rampFrom = rate }: ScheduleOptions): Schedule {
  const rampS = rampFrom === rate ? 0 : durationMs / 2_000;
  const slope = rampS === 0 ? 0 : (rate - rampFrom) / rampS;
  const inRamp = (rampFrom + rate) * 0.5 * rampS;
  const count = Math.floor(inRamp + rate * (durationMs / 1_000 - rampS));
  return {
    count,
    dueMs(n) {
      if (n >= count) return undefined;
      if (n >= inRamp) return (rampS + (n - inRamp) / rate) * 1_000;
      // n = from * t + slope * t^2 / 2
      return ((-rampFrom + Math.sqrt(rampFrom * rampFrom + 2 * slope * n)) / slope) * 1_000;
    },
    rateAt(atMs) {
      if (atMs < 0 || atMs >= durationMs) return 0;
      return atMs / 1_000 < rampS ? rampFrom + (slope * atMs) / 1_000 : rate;
    },
  };
}

/**
 * The part of a load that one of several injectors has: request `index`, and each `of`-th after it.
 * All parts together are the load, at the same times.
 */
export function partOf(whole: Schedule, index: number, of: number): Schedule {
  return {
    count: Math.max(0, Math.ceil((whole.count - index) / of)),
    dueMs: (n) => whole.dueMs(n * of + index),
    rateAt: (atMs) => whole.rateAt(atMs) / of,
  };
}
