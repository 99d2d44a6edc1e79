/**
 * A topology's state written by a thread of its own
 * (topology/checkpoint/sorted-runs/state-writer.ts).
 *
 * Invariants:
 * 1. What fails here, in a store, rejects as it failed; the thread learns only that it did.
 * 2. When the thread ends, everything that is not done yet rejects, and everything after it.
 */
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { EntryChunk } from '../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type { MergeFiles } from '../../topology/checkpoint/sorted-runs/merge-runs.ts';
import type { StateFile } from '../../topology/checkpoint/sorted-runs/sorted-run.ts';
import type { StateWriter } from '../../topology/checkpoint/sorted-runs/state-writer.ts';
import type { FromStateWorker, ToStateWorker } from './state-protocol.ts';
import { errorOf } from './worker-protocol.ts';

interface Call {
  readonly files: Pick<MergeFiles, 'put'> & Partial<MergeFiles>;
  readonly resolve: (files: readonly StateFile[]) => void;
  readonly reject: (fault: unknown) => void;
}

export function stateThread(): StateWriter {
  return new StateThread();
}

class StateThread implements StateWriter {
  readonly #worker = new Worker(new URL('./state-worker.js', import.meta.url));
  readonly #calls = new Map<number, Call>();
  #numbers = 0;
  #fault: SluiceError | undefined;

  constructor() {
    this.#worker.on('message', (message: FromStateWorker) => this.#hear(message));
    this.#worker.on('error', (cause: unknown) => this.#end(cause));
    this.#worker.on('exit', () => this.#end());
  }

  add(chunks: readonly EntryChunk[]): void {
    const memory = chunks.map(({ bytes }) => bytes.buffer);
    this.#post({ kind: 'add', chunks }, memory);
  }

  write(prefix: string, put: MergeFiles['put']): Promise<readonly StateFile[]> {
    return this.#call({ put }, (call) => ({ kind: 'write', call, prefix }));
  }

  merge(
    ...[prefix, runs, rules, files]: Parameters<StateWriter['merge']>
  ): ReturnType<StateWriter['merge']> {
    return this.#call(files, (call) => ({ kind: 'merge', call, prefix, runs, rules }));
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #call(
    files: Call['files'],
    asks: (call: number) => ToStateWorker,
  ): Promise<readonly StateFile[]> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      const number = ++this.#numbers;
      this.#calls.set(number, { files, resolve, reject });
      this.#post(asks(number));
    });
  }

  #hear(message: FromStateWorker): void {
    const call = this.#calls.get(message.call);
    switch (message.kind) {
      case 'get':
        return this.#answer(message, call?.files.get?.(message.name));
      case 'put':
        return this.#answer(
          message,
          call?.files.put(message.made).then(() => 'stored' as const),
        );
      case 'done':
        this.#calls.delete(message.call);
        return call?.resolve(message.files);
      case 'failed':
        this.#calls.delete(message.call);
        return call?.reject(errorOf(message.fault));
    }
  }

  /** `outcome`: undefined for a call that failed before. */
  #answer(
    { call, ask }: { readonly call: number; readonly ask: number },
    outcome: Promise<Uint8Array | 'stored'> | undefined,
  ): void {
    if (outcome === undefined) return this.#post({ kind: 'answer', ask, outcome: 'failed' });
    void outcome.then(
      (got) => this.#post({ kind: 'answer', ask, outcome: got }),
      (thrown: unknown) => {
        this.#calls.get(call)?.reject(thrown);
        this.#calls.delete(call);
        this.#post({ kind: 'answer', ask, outcome: 'failed' });
      },
    );
  }

  #post(message: ToStateWorker, handedOver: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...handedOver]);
  }

  #end(cause?: unknown): void {
    this.#fault ??= new SluiceError('checkpoint-failed', 'the thread that writes the state ended', {
      cause,
      retryable: true,
    });
    for (const { reject } of this.#calls.values()) reject(this.#fault);
    this.#calls.clear();
  }
}
