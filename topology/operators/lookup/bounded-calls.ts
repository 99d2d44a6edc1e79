/**
 * Calls of a look-up's function, each bounded in time, and the pauses between tries. When the
 * operator closes all of them end.
 */
import type { Clock, Timer } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Key } from '../../../schemas/kernel/key.ts';

/**
 * Asks for one key; undefined when there is nothing. Rejects when it cannot tell; `retryAfterMs` of
 * what it rejects with is obeyed.
 */
export type LookupFunction = (
  key: Key,
  context: { readonly signal: AbortSignal },
) => Promise<unknown>;

export class BoundedCalls {
  readonly #ask: LookupFunction;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #aborts = new Set<AbortController>();
  readonly #pauses = new Set<Timer>();

  constructor(ask: LookupFunction, timeoutMs: number, clock: Clock) {
    this.#ask = ask;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** Those that have no answer yet. */
  get inFlight(): number {
    return this.#aborts.size;
  }

  /** One try: what does not answer in time is aborted, and its late answer is not waited for. */
  call(key: Key): Promise<unknown> {
    const abort = new AbortController();
    const timeoutMs = this.#timeoutMs;
    this.#aborts.add(abort);
    return new Promise<unknown>((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => {
        settled(() =>
          reject(
            new SluiceError('lookup-timeout', `no answer within ${timeoutMs} ms`, {
              retryable: true,
            }),
          ),
        );
        abort.abort();
      });
      const settled = (then: () => void): void => {
        timer.cancel();
        this.#aborts.delete(abort);
        then();
      };
      abort.signal.addEventListener('abort', () =>
        settled(() => reject(new SluiceError('lookup-aborted', 'the look-up was canceled'))),
      );
      // The author's function may throw before it gives a promise.
      Promise.resolve()
        .then(() => this.#ask(key, { signal: abort.signal }))
        .then(
          (answer) => settled(() => resolve(answer)),
          (thrown: unknown) => settled(() => reject(thrown)),
        );
    });
  }

  /** Before a try is made again. */
  pause(ms: number, then: () => void): void {
    const timer = this.#clock.setTimer(ms, () => {
      this.#pauses.delete(timer);
      then();
    });
    this.#pauses.add(timer);
  }

  close(): void {
    for (const timer of this.#pauses) timer.cancel();
    for (const abort of this.#aborts) abort.abort();
  }
}
