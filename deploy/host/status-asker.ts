/**
 * How the host asks a topology's thread for its status, without ever being a load to it, or kept by
 * it.
 *
 * Invariants:
 * 1. One question is with the thread at most, whoever asks and however often: all who ask meanwhile
 *    share its answer.
 * 2. An answer serves those who ask within `statusFreshMs` of it.
 * 3. Nobody waits longer than `statusAnswerMaxMs`; where the thread does not answer, in a function
 *    of the author's that does not return, the last answer stands with the time since when there is
 *    none, and whoever asks next is told so at once.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { RunningStatus } from './worker-protocol.ts';

/** How long a topology's thread is waited for, and how long its answer serves others. */
export const statusAnswerMaxMs = 2_000;
export const statusFreshMs = 50;
assert(
  limits.lagWaitMs < statusAnswerMaxMs,
  'a stream that does not say how far it is keeps no status from its answer',
);

export interface AskedStatus {
  /** The last answer; undefined before the first. */
  readonly answer: RunningStatus | undefined;
  /** Epoch ms of the question that is without an answer; null while it answers. */
  readonly silentSinceMs: number | null;
}

export class StatusAsker {
  readonly #clock: Clock;
  readonly #put: (id: number) => void;
  #ids = 0;
  #answer: RunningStatus | undefined;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  /** The question that is with the thread. */
  #asked:
    | {
        readonly id: number;
        readonly atMs: number;
        readonly shared: Promise<void>;
        readonly settle: () => void;
      }
    | undefined;
  #isSilent = false;

  /** `put` hands a question to the thread. */
  constructor(clock: Clock, put: (id: number) => void) {
    this.#clock = clock;
    this.#put = put;
  }

  async ask(): Promise<AskedStatus> {
    if (this.#asked === undefined && this.#clock.monotonic() - this.#answeredAtMs >= statusFreshMs)
      this.#begin();
    if (this.#asked !== undefined && !this.#isSilent) await this.#asked.shared;
    return {
      answer: this.#answer,
      silentSinceMs: this.#isSilent ? (this.#asked?.atMs ?? null) : null,
    };
  }

  #begin(): void {
    let timer: { cancel(): void } | undefined;
    let settle = (): void => undefined;
    const shared = new Promise<void>((resolve) => {
      settle = () => {
        timer?.cancel();
        resolve();
      };
      timer = this.#clock.setTimer(statusAnswerMaxMs, () => {
        this.#isSilent = true;
        resolve();
      });
    });
    this.#asked = { id: ++this.#ids, atMs: this.#clock.now(), shared, settle };
    this.#put(this.#asked.id);
  }

  /** The thread's answer; undefined where it could not tell. */
  answered(id: number, answer: RunningStatus | undefined): void {
    if (this.#asked?.id !== id) return;
    this.#answer = answer ?? this.#answer;
    this.#answeredAtMs = this.#clock.monotonic();
    this.#end();
  }

  /** The thread has ended: nobody waits for it any more. */
  close(): void {
    if (this.#asked !== undefined) this.#end();
  }

  #end(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    this.#isSilent = false;
    asked?.settle();
  }
}
