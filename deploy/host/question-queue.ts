/**
 * Turns for questions: a few run, a few wait, the rest are refused at once.
 *
 * Invariants:
 * 1. At most `running` run, in the order in which they came; one that is given up while it waits
 *    never runs.
 * 2. At most `waiting` wait.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';

export interface QuestionQueue {
  /**
   * Throws `SluiceError` `too-many-questions`, `query-failed` when the signal aborts first, and
   * what `work` throws.
   */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function questionQueue(running: number, waiting: number): QuestionQueue {
  return new TurnQueue(running, waiting);
}

class TurnQueue implements QuestionQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  #running = 0;
  /** What lets each of those that wait begin, in their order. */
  readonly #waiting = new Set<() => void>();

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#running < this.#runningMax) {
      this.#running++;
      return Promise.resolve();
    }
    if (this.#waiting.size < this.#waitingMax) return this.#wait(signal);
    throw new SluiceError(
      'too-many-questions',
      `${this.#runningMax} questions run and ${this.#waitingMax} wait, which is the most`,
      {
        retryable: true,
        fix: 'ask again when some are answered',
      },
    );
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = (): void => {
        this.#waiting.delete(start);
        reject(
          new SluiceError(
            'query-failed',
            'the statement was cancelled before its turn, as nobody waits for its answer',
          ),
        );
      };
      const start = (): void => {
        signal?.removeEventListener('abort', gone);
        resolve();
      };
      this.#waiting.add(start);
      signal?.addEventListener('abort', gone, { once: true });
    });
  }

  /** The turn of one that is over goes to the next. */
  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
