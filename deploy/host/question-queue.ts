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
  let runs = 0;
  const queue = new Set<() => void>();

  const turn = (signal: AbortSignal | undefined): Promise<void> => {
    if (runs < running) {
      runs++;
      return Promise.resolve();
    }
    if (queue.size >= waiting) {
      throw new SluiceError(
        'too-many-questions',
        `${running} questions run and ${waiting} wait, which is the most`,
        {
          retryable: true,
          fix: 'ask again when some are answered',
        },
      );
    }
    return new Promise((resolve, reject) => {
      const gone = (): void => {
        queue.delete(start);
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
      queue.add(start);
      signal?.addEventListener('abort', gone, { once: true });
    });
  };

  return {
    async run(work, signal) {
      await turn(signal);
      try {
        return await work();
      } finally {
        const [next] = queue;
        if (next === undefined) runs--;
        else {
          queue.delete(next);
          next();
        }
      }
    },
  };
}
