/**
 * A table sink's worker thread as a function that answers.
 *
 * Invariant: after one failed request every later one fails the same way: the thread's rows are no
 * longer the engine's, and only a restart from the last checkpoint makes them so again.
 */
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import type {
  ParquetAnswer,
  ParquetReply,
  ParquetRequest,
  ParquetWorkerInput,
} from './worker-protocol.ts';

/**
 * A table: how long its end waits for what is still to be removed; the next run removes what is
 * left.
 */
const lakeCloseMaxMs = 10_000;

export interface ParquetThread {
  /** Answers come in the order of the requests. Rejects with a `SluiceError`. */
  ask(request: ParquetRequest): Promise<ParquetAnswer>;
  /** What it still has to remove is removed before, within `lakeCloseMaxMs`. */
  end(): Promise<void>;
}

interface Asked {
  readonly resolve: (answer: ParquetAnswer) => void;
  readonly reject: (fault: SluiceError) => void;
}

export function parquetThread(input: ParquetWorkerInput): ParquetThread {
  const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), { workerData: input });
  const asked: Asked[] = [];
  let fault: SluiceError | undefined;
  const failAll = (found: SluiceError): void => {
    fault ??= found;
    for (const { reject } of asked.splice(0)) reject(fault);
  };
  const ended = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  const unanswered = (): SluiceError =>
    new SluiceError('sink-ended', `the writer of table '${input.table}' did not end`);
  worker.on('message', (reply: ParquetReply) => {
    if (reply.ok) {
      asked.shift()?.resolve(reply);
      return;
    }
    failAll(
      new SluiceError(reply.code, reply.message, {
        retryable: true,
        ...(reply.fix === undefined ? {} : { fix: reply.fix }),
      }),
    );
  });
  worker.on('error', (cause: unknown) =>
    failAll(
      new SluiceError('sink-ended', `the writer of table '${input.table}' failed`, {
        cause,
        retryable: true,
      }),
    ),
  );
  worker.on('exit', () =>
    failAll(
      new SluiceError('sink-ended', `the writer of table '${input.table}' ended`, {
        retryable: true,
      }),
    ),
  );
  return {
    ask(request) {
      if (fault !== undefined) return Promise.reject(fault);
      return new Promise((resolve, reject) => {
        asked.push({ resolve, reject });
        worker.postMessage(request);
      });
    },
    async end() {
      if (fault === undefined) {
        worker.postMessage('end');
        await within(systemClock, lakeCloseMaxMs, ended, unanswered).catch(() => undefined);
      }
      await worker.terminate();
    },
  };
}
