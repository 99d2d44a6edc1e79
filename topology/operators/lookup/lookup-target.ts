/**
 * What all look-ups of one target share: when it may be asked again, and how long it takes.
 *
 * A target that fails is asked no more than it can bear: retries have one budget, whoever waits for
 * them. It is a token bucket as clients of AWS have it
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html): a retry takes a
 * token, answers give some back, and time a little, so that a target which was away for long is
 * found again, by one call a second, then by twice as many with each answer.
 *
 * Invariants:
 * 1. A target that says how long it wants to be left alone (`Retry-After`) is asked nothing until
 *    then, by nobody; first tries that waited for that take a token as retries do, so that it is
 *    not met by all of them at once.
 * 2. Over any time, retries are at most `lookupRetryBurst`, one a `lookupRetryTokenMs`, two for
 *    each answer to a retry, and one for ten to first tries.
 * 3. Who waits is served in order.
 */
import type { Clock, Timer } from '../../../schemas/kernel/clock.ts';
import type { LookupTimes } from './call-times.ts';
import { CallTimes } from './call-times.ts';
import type { LookupCall } from './node.ts';

/**
 * Retries of all look-ups of one target: so many at once, then one in so long beside what answers
 * give back.
 */
export const lookupRetryBurst = 100;
export const lookupRetryTokenMs = 1_000;
/**
 * How long a target that says how long it wants to be left alone is obeyed; then it is asked
 * again, whatever it said.
 */
export const lookupPauseMaxMs = 3_600_000;

/** What an answer gives back to the budget: to a try that took a token, and to one that did not. */
const tokensOfRetry = 2;
const tokensOfFirst = 0.1;

/** A try that may be made now. `paid`: it took a token. */
export type Go = (paid: boolean) => void;

/** For status. */
export interface AskedTarget extends LookupTimes {
  /** Epoch ms: it said that it wants to be left alone until then. */
  readonly pausedUntil?: number;
  /** Tries that wait for that, or for the budget of retries. */
  readonly waiting: number;
}

export class LookupTarget {
  readonly times = new CallTimes();
  readonly #clock: Clock;
  #tokens: number = lookupRetryBurst;
  #filledAtMs: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #waiting: Go[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAtMs = clock.monotonic();
  }

  get asked(): AskedTarget {
    const leftMs = this.#pausedUntilMs - this.#clock.monotonic();
    const paused = leftMs > 0 ? { pausedUntil: Math.round(this.#clock.now() + leftMs) } : {};
    return { ...this.times.read(), waiting: this.#waiting.length, ...paused };
  }

  /** Calls `go` at once, or when the pause that the target asked for is over. */
  first(go: Go): void {
    if (this.#isPaused) this.again(go);
    else go(false);
  }

  /** Calls `go` when a retry may be made, which can be at once. */
  again(go: Go): void {
    this.#waiting.push(go);
    this.#serve();
  }

  answered(paid: boolean): void {
    this.#tokens = Math.min(
      lookupRetryBurst,
      this.#tokens + (paid ? tokensOfRetry : tokensOfFirst),
    );
    if (this.#waiting.length > 0) this.#serve();
  }

  /** The target said how long it wants to be left alone; the longest of what it said counts. */
  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(
      this.#pausedUntilMs,
      this.#clock.monotonic() + Math.min(ms, lookupPauseMaxMs),
    );
    this.#fill();
    this.#tokens = Math.min(this.#tokens, 1);
  }

  close(): void {
    this.#waiting = [];
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  get #isPaused(): boolean {
    return this.#clock.monotonic() < this.#pausedUntilMs;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonic();
    // Not for the time of a pause: what comes after it begins with one.
    const passedMs = Math.max(
      0,
      nowMs - Math.max(this.#filledAtMs, Math.min(this.#pausedUntilMs, nowMs)),
    );
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(lookupRetryBurst, this.#tokens + passedMs / lookupRetryTokenMs);
  }

  #serve(): void {
    this.#fill();
    while (!this.#isPaused && this.#tokens >= 1) {
      const go = this.#waiting.shift();
      if (go === undefined) return;
      this.#tokens--;
      go(true);
    }
    if (this.#waiting.length === 0 || this.#timer !== undefined) return;
    const tokenMs = Math.max(1, (1 - this.#tokens) * lookupRetryTokenMs);
    const pausedMs = this.#pausedUntilMs - this.#clock.monotonic();
    this.#timer = this.#clock.setTimer(pausedMs > 0 ? pausedMs : tokenMs, () => {
      this.#timer = undefined;
      this.#serve();
    });
  }
}

/** Of a job: one target for all look-ups of a connector, and one for each function. */
export type LookupTargets = (lookup: LookupCall) => LookupTarget;

export function lookupTargets(clock: Clock): LookupTargets {
  const connectors = new Map<string, LookupTarget>();
  return ({ from, name }) => {
    const known = from === 'connector' ? connectors.get(name) : undefined;
    const target = known ?? new LookupTarget(clock);
    if (from === 'connector') connectors.set(name, target);
    return target;
  };
}

/**
 * How long a look-up that failed is to be left alone, ms, where what it rejects with says so in
 * `retryAfterMs`.
 */
export function retryAfterOf(thrown: unknown): number | undefined {
  const said =
    typeof thrown === 'object' && thrown !== null
      ? (thrown as { readonly retryAfterMs?: unknown }).retryAfterMs
      : undefined;
  return typeof said === 'number' && said >= 0 ? said : undefined;
}
