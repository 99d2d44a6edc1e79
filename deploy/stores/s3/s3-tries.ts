/**
 * The tries of an operation on S3.
 *
 * Invariants:
 * 1. An operation has at most `s3AttemptsMax` tries within `s3OperationMaxMs`, with full jitter
 *    between them; more only while its patience lasts. A condition that does not hold says that
 *    others write: it is never waited for.
 * 2. With patience all calls share one pace: a bucket that asks to slow down is asked less often by
 *    each of them.
 */
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { Pace } from '../../../schemas/kernel/pace.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { S3Failure, S3Operation } from './s3-failure.ts';
import { deriveS3Failure, s3Fault } from './s3-failure.ts';

/**
 * The time after which no try of an operation begins, and the pause before the next: the first, and
 * the longest.
 */
const s3OperationMaxMs = 120_000;
const s3RetryBaseMs = 100;
const s3RetryMaxMs = 5_000;
/**
 * S3: the pause between any two calls of one client while it is asked too often: the first, and
 * the longest.
 */
const s3PaceBaseMs = 20;
const s3PaceMaxMs = 2_000;

export interface S3TriesOptions {
  readonly bucket: string;
  readonly clock: Clock;
  readonly random: Random;
  /** 0: somebody waits. */
  readonly patienceMs: number;
}

const backoff = { baseMs: s3RetryBaseMs, maxMs: s3RetryMaxMs };

export class S3Tries {
  readonly #options: S3TriesOptions;
  readonly #pace: Pace;

  constructor(options: S3TriesOptions) {
    this.#options = options;
    const { clock } = options;
    this.#pace = new Pace({ clock, baseMs: s3PaceBaseMs, maxMs: s3PaceMaxMs });
  }

  /**
   * `answer` may know what a failure means for its operation; it is told whether an earlier try may
   * have taken effect.
   */
  async ofCall<T>(
    operation: S3Operation,
    key: string,
    call: () => Promise<T>,
    answer: (failure: S3Failure, unclear: boolean) => Promise<T | undefined> | T | undefined = () =>
      undefined,
  ): Promise<T> {
    const { bucket, clock, patienceMs } = this.#options;
    const begunMs = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      if (patienceMs > 0) await this.#pace.turn();
      try {
        const value = await call();
        this.#pace.ease();
        return value;
      } catch (thrown) {
        const failure = this.#failureOf(thrown);
        const known = await answer(failure, attempt > 0);
        if (known !== undefined) return known;
        const spentMs = clock.monotonic() - begunMs;
        const isLast = attempt + 1 >= limits.s3AttemptsMax || spentMs >= s3OperationMaxMs;
        const passes = mayPass(failure) && !(isLast && spentMs >= patienceMs);
        const others = failure.kind === 'condition' && !isLast;
        if (!passes && !others)
          throw s3Fault(operation, bucket, `object '${key}'`, failure, thrown);
        await this.#pause(attempt);
      }
    }
  }

  /**
   * A part of an operation that began at `begunMs` and tries it all again, if there is time, when
   * these tries are used up.
   */
  async ofPart(begunMs: number, call: (unclear: boolean) => Promise<void>): Promise<void> {
    const { clock, patienceMs } = this.#options;
    for (let attempt = 0; ; attempt++) {
      if (patienceMs > 0) await this.#pace.turn();
      try {
        return await call(attempt > 0);
      } catch (thrown) {
        const failure = this.#failureOf(thrown);
        const isLast =
          attempt + 1 >= limits.s3AttemptsMax ||
          clock.monotonic() - begunMs >= Math.max(patienceMs, s3OperationMaxMs);
        if (isLast || !mayPass(failure) || failure.code === 'NoSuchUpload') throw thrown;
        await this.#pause(attempt);
      }
    }
  }

  #failureOf(thrown: unknown): S3Failure {
    const failure = deriveS3Failure(thrown);
    if (failure.kind === 'throttled') this.#pace.slowDown();
    return failure;
  }

  #pause(attempt: number): Promise<void> {
    return sleep(this.#options.clock, backoffMs(attempt, backoff, this.#options.random));
  }
}

function mayPass({ kind }: S3Failure): boolean {
  return kind === 'again' || kind === 'throttled';
}
