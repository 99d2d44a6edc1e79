/**
 * What a topology's thread was asked to do and has not answered yet. Each question is answered
 * once: by the thread, or with the fault that it ended of.
 */
import type { WorkerFault } from './worker-protocol.ts';
import { errorOf } from './worker-protocol.ts';

/** What was done, or why it was not. */
export type ThreadAnswer<T> = { readonly done: T } | { readonly fault: WorkerFault };

export class ThreadQuestions<T> {
  readonly #open = new Map<number, (answer: ThreadAnswer<T>) => void>();
  #last = 0;

  /** Rejects with a fault. `post` sends it; its answer comes with the same id. */
  async ask(post: (id: number) => void): Promise<T> {
    const id = ++this.#last;
    const answered = new Promise<ThreadAnswer<T>>((resolve) => this.#open.set(id, resolve));
    post(id);
    const answer = await answered;
    if ('fault' in answer) throw errorOf(answer.fault);
    return answer.done;
  }

  answered(id: number, answer: ThreadAnswer<T>): void {
    this.#open.get(id)?.(answer);
    this.#open.delete(id);
  }

  /** The thread ended. */
  end(fault: WorkerFault): void {
    for (const id of [...this.#open.keys()]) this.answered(id, { fault });
  }
}
