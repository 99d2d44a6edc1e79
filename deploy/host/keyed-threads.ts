/**
 * The threads that run the keyed nodes of a topology, one for each part of its key groups, as the
 * host of the topology has them. The topology's own thread waits for them and can see nothing
 * meanwhile: this is who hears that one of them ended.
 *
 * Invariants:
 * 1. What ends one of them, or keeps it, is told once, and is to end the run: a function that does
 *    not return, an error, an exit, modules that are not evaluated in time.
 * 2. After `end` nothing is told.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Plan, RunFailure } from '../../topology/index.ts';
import { FunctionWatch } from './function-watch.ts';
import type { KeyedInput, KeyedPort } from './keyed-protocol.ts';
import { neverLoaded, outOfMemory } from './topology-trial.ts';
import type { WorkerInput } from './worker-protocol.ts';

/** `crash`: it ended silently, for this. */
export type OnKeyedEnd = (fault: unknown, crash?: string) => void;

interface KeyedThread {
  readonly worker: Worker;
  readonly functions: FunctionWatch;
  readonly loading: Timer;
}

export class KeyedThreads {
  /** For the topology's thread. */
  readonly ports: readonly KeyedPort[];
  readonly #threads: readonly KeyedThread[];
  #isOver = false;

  constructor(
    input: Pick<WorkerInput, 'script' | 'file' | 'stateFolder' | 'parallelism' | 'functionMaxMs'>,
    plan: Plan,
    clock: Clock,
    onEnd: OnKeyedEnd,
  ) {
    const { file, script, stateFolder, parallelism, functionMaxMs } = input;
    const tell: OnKeyedEnd = (fault, crash) => {
      if (this.#isOver) return;
      this.#isOver = true;
      onEnd(fault, crash);
    };
    const ports: KeyedPort[] = [];
    this.#threads = Array.from({ length: parallelism }, () => {
      const { port1, port2 } = new MessageChannel();
      const answers = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
      ports.push({ port: port1, answers });
      const functions = new FunctionWatch(clock, functionMaxMs, tell);
      functions.begin(plan);
      const workerData: KeyedInput = {
        script,
        file,
        stateFolder,
        port: port2,
        answers,
        calls: functions.calls,
      };
      const worker = new Worker(new URL('./keyed-worker.js', import.meta.url), {
        workerData,
        transferList: [port2],
      });
      const loading = clock.setTimer(limits.topologyLoadMaxMs + limits.topologyTrialMaxMs, () =>
        tell(neverLoaded(file)),
      );
      worker.once('message', () => loading.cancel());
      worker.on('error', (thrown: unknown) => {
        const isFull = systemCodeOf(thrown) === 'ERR_WORKER_OUT_OF_MEMORY';
        const fault = isFull ? outOfMemory(file) : thrown;
        tell(fault, fault instanceof Error ? fault.message : String(fault));
      });
      worker.once('exit', (code) => {
        const message = `a thread of its keyed nodes ended without an error (exit code ${code})`;
        tell(new SluiceError('worker-ended', message), message);
      });
      return { worker, functions, loading };
    });
    this.ports = ports;
  }

  /** Ends them. How they ended, where the run could not keep that itself. */
  end(): RunFailure | undefined {
    this.#isOver = true;
    const failures = this.#threads.map(({ worker, functions, loading }) => {
      loading.cancel();
      void worker.terminate();
      return functions.end(undefined);
    });
    return failures.find((failure) => failure !== undefined);
  }
}
