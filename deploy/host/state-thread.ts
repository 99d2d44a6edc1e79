/**
 * A thread beside that of a topology, for its state: it writes the runs of checkpoints
 * (topology/checkpoint/sorted-runs/state-writer.ts), and deflates blocks at rest in memory
 * (topology/state/deflate-blocks.ts).
 *
 * Invariants:
 * 1. What fails here, in a store, rejects as it failed; the thread learns only that it did.
 * 2. When the thread ends, everything that is not done yet rejects, and everything after it.
 * 3. Blocks that wait to be deflated take `deflatingMaxBytes` and a segment of each store at most:
 *    the topology deflates others itself, so that both threads work when there is much.
 */
import { Worker } from 'node:worker_threads';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { EntryChunk } from '../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type { MergeFiles } from '../../topology/checkpoint/sorted-runs/merge-runs.ts';
import type { StateFile } from '../../topology/checkpoint/sorted-runs/sorted-run.ts';
import type { StateWriter } from '../../topology/checkpoint/sorted-runs/state-writer.ts';
import { BlockRecords } from '../../topology/state/block-records.ts';
import type { BlockDeflater, BlockRow } from '../../topology/state/deflate-blocks.ts';
import type { RecordStore } from '../../topology/state/records.ts';
import type { MemorySegmentsOptions } from '../../topology/state/segments.ts';
import { memorySegments } from '../../topology/state/segments.ts';
import type { FromStateWorker, ToStateWorker } from './state-protocol.ts';
import { errorOf } from './worker-protocol.ts';

interface Call {
  readonly files: Pick<MergeFiles, 'put'> & Partial<MergeFiles>;
  readonly resolve: (files: readonly StateFile[]) => void;
  readonly reject: (fault: unknown) => void;
}

interface Deflating {
  readonly waitingBytes: number;
  readonly resolve: (blocks: BlockRow) => void;
  readonly reject: (fault: unknown) => void;
}

/** What one job needs of it. */
export interface JobStateThread {
  readonly stateWriter: () => StateWriter;
  /** A store in memory. */
  readonly recordStore: () => RecordStore;
  /** After the job. */
  close(): Promise<void>;
}

const deflatingMaxBytes = 16 * mebi;

/** It begins when there is something for it to do. `segments`: of the stores. */
export function jobStateThread(segments: MemorySegmentsOptions = {}): JobStateThread {
  let [thread, isClosed] = [undefined as StateThread | undefined, false];
  const begun = (): StateThread => (thread ??= new StateThread());
  const deflater: BlockDeflater = {
    get hasRoom() {
      return !isClosed && begun().hasRoom;
    },
    deflate: (blocks) => begun().deflate(blocks),
  };
  return {
    stateWriter: begun,
    recordStore: () => new BlockRecords(memorySegments(segments), deflater),
    async close() {
      isClosed = true;
      await thread?.close();
    },
  };
}

class StateThread implements StateWriter, BlockDeflater {
  readonly #worker = new Worker(new URL('./state-worker.js', import.meta.url));
  readonly #calls = new Map<number, Call>();
  readonly #deflating = new Map<number, Deflating>();
  #deflatingBytes = 0;
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

  get hasRoom(): boolean {
    return this.#fault === undefined && this.#deflatingBytes < deflatingMaxBytes;
  }

  deflate(blocks: BlockRow): Promise<BlockRow> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    const waitingBytes = blocks.bytes.length;
    this.#deflatingBytes += waitingBytes;
    return new Promise((resolve, reject) => {
      const call = ++this.#numbers;
      this.#deflating.set(call, { waitingBytes, resolve, reject });
      this.#post({ kind: 'deflate', call, blocks }, [blocks.bytes.buffer]);
    });
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
    if (message.kind === 'deflated') return this.#deflated(message.call, message.blocks);
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

  #deflated(call: number, blocks: BlockRow): void {
    const asked = this.#deflating.get(call);
    if (asked === undefined) return;
    this.#deflating.delete(call);
    this.#deflatingBytes -= asked.waitingBytes;
    asked.resolve(blocks);
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
    for (const calls of [this.#calls, this.#deflating]) {
      for (const { reject } of calls.values()) reject(this.#fault);
      calls.clear();
    }
  }
}
