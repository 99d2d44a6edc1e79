/**
 * Keeps one topology file running in a worker thread: starts it, starts it again after a fault, and replaces it whole when a file it was
 * made of changes.
 *
 * Invariants:
 * 1. At most one worker runs the topology; a new one starts only after the old one has ended.
 * 2. A changed file first has to compile, load, be valid and fit the last checkpoint; until then the old one goes on.
 * 3. Faults are answered by a restart from the last checkpoint after a growing pause; never given up, because captured events wait.
 */
import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { present } from '../../schemas/kernel/assert.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Graph, JobStatus } from '../../topology/index.ts';
import { answerCall } from './graph-link.ts';
import type { CompiledTopology } from './topology-file.ts';
import { compileTopologyFile } from './topology-file.ts';
import type { FromWorker, RunningStatus, ToWorker, WorkerFault, WorkerInput } from './worker-protocol.ts';

export interface TopologyHostOptions {
  readonly file: string;
  readonly buildDir: string;
  readonly input: Omit<WorkerInput, 'task' | 'script' | 'file'>;
  /** What the topology's graph sinks write to, where its thread can not reach it by itself. */
  readonly graph?: GraphDatabase;
  readonly clock: Clock;
  readonly random: Random;
  /** One line for a person: what happened to the topology. */
  readonly tell: (line: string) => void;
}

export interface TopologyHostStatus {
  readonly file: string;
  readonly name: string | null;
  /**
   * `draining`, then `drained`: it emitted everything and ended; it restarts when its file changes, or with the next start. `fenced`: another
   * process runs it now.
   */
  readonly state: 'starting' | 'running' | 'failed' | 'draining' | 'drained' | 'fenced' | 'stopped';
  readonly error: WorkerFault | null;
  readonly restarts: number;
  readonly job: JobStatus | null;
  /** What happened to its connections since its worker began, by name. */
  readonly happened: Readonly<Record<string, number>>;
}

export interface TopologyHost {
  /** Resolves when the topology runs, or its first try has failed. */
  start(): Promise<void>;
  status(): Promise<TopologyHostStatus>;
  /** Begins to read to where the streams end now, give out everything and end. Throws `SluiceError` `drain-refused`. */
  drain(): Promise<void>;
  /** Takes a last checkpoint and ends the worker. */
  stop(): Promise<void>;
}

const watchMs = 500;
const restartBackoff = { baseMs: 500, maxMs: 15_000 };
const statusTimeoutMs = 2_000;
/** How long a thread that has said its last may take to end. */
const endGraceMs = 2_000;

interface Running {
  readonly worker: Worker;
  readonly ended: Promise<WorkerFault | undefined>;
  readonly ready: Promise<Graph>;
}

export function topologyHost(options: TopologyHostOptions): TopologyHost {
  const { file, clock, tell } = options;
  const shown = relative(process.cwd(), file);
  let compiled: CompiledTopology | undefined;
  let running: Running | undefined;
  let state: TopologyHostStatus['state'] = 'starting';
  let error: WorkerFault | null = null;
  let name: string | null = null;
  let restarts = 0;
  let stopping = false;
  let drained: JobStatus | undefined;
  let watchTimer: Timer | undefined;
  let watched = '';
  let statusIds = 0;
  let replacing: Promise<void> = Promise.resolve();
  const waiting = new Map<number, (status: RunningStatus) => void>();

  const launch = (task: WorkerInput['task'], script: string): Running => {
    const input: WorkerInput = { ...options.input, task, script, file: shown };
    const worker = new Worker(new URL('./topology-worker.js', import.meta.url), { workerData: input });
    let fault: WorkerFault | undefined;
    let ending: Timer | undefined;
    /** It has nothing to do any more; what an author's code or a library left open does not keep it. */
    const endSoon = (): void => {
      ending ??= clock.setTimer(endGraceMs, () => void worker.terminate());
    };
    let settleReady: { resolve: (graph: Graph) => void; reject: (thrown: unknown) => void } | undefined;
    const ready = new Promise<Graph>((resolve, reject) => {
      settleReady = { resolve, reject };
    });
    ready.catch(() => undefined);
    worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'ready':
          settleReady?.resolve(message.graph);
          return;
        case 'status':
          waiting.get(message.id)?.(message.status);
          waiting.delete(message.id);
          return;
        case 'graph':
          void answerCall(present(options.graph, 'the graph of a thread that asks for it'), message.call).then((reply) =>
            tellWorker(worker, { kind: 'graph', id: message.id, reply }),
          );
          return;
        case 'failed':
          fault = message.fault;
          endSoon();
          return;
        case 'drained':
          drained = message.status;
          return;
        case 'stopped':
          endSoon();
          return;
      }
    });
    worker.on('error', (thrown: unknown) => {
      fault = { code: 'defect', message: messageOf(thrown), stack: thrown instanceof Error ? thrown.stack : undefined };
    });
    const ended = new Promise<WorkerFault | undefined>((resolve) => {
      worker.on('exit', () => {
        ending?.cancel();
        const end = fault;
        settleReady?.reject(
          new SluiceError(end?.code ?? 'worker-ended', end?.message ?? 'the worker ended', {
            ...(end?.fix === undefined ? {} : { fix: end.fix }),
          }),
        );
        resolve(end);
      });
    });
    return { worker, ended, ready };
  };

  const runFrom = async (next: CompiledTopology): Promise<void> => {
    const started = launch('run', next.script);
    running = started;
    compiled = next;
    drained = undefined;
    void started.ended.then((fault) => onEnd(started, fault));
    try {
      const graph = await started.ready;
      name = graph.name;
      state = 'running';
      error = null;
    } catch {
      // onEnd has the fault and tells it.
    }
  };

  const onEnd = async (ended: Running, fault: WorkerFault | undefined): Promise<void> => {
    if (running !== ended) return;
    running = undefined;
    if (drained !== undefined && fault === undefined) {
      state = 'drained';
      error = null;
      tell(`${shown} is drained; it restarts when its file changes, or with the next start`);
      return;
    }
    if (stopping) {
      state = 'stopped';
      return;
    }
    state = 'failed';
    error = fault ?? { code: 'worker-ended', message: 'the worker ended without a word' };
    tell(`${shown}: ${describe(error)}`);
    // Whoever came later has taken over; taking it back would go on for ever.
    if (error.code === 'fenced') {
      state = 'fenced';
      return;
    }
    restarts++;
    await sleep(clock, restartBackoff.baseMs + backoffMs(Math.min(restarts, 8), restartBackoff, options.random));
    await replacing;
    if (!stopping && running === undefined && compiled !== undefined) await runFrom(compiled);
  };

  /** Compiles, and asks a worker of its own whether the result could take over. */
  const prepare = async (): Promise<CompiledTopology> => {
    const next = await compileTopologyFile(file, options.buildDir);
    watched = await stampOf(next.inputs);
    const check = launch('check', next.script);
    await check.ready;
    await check.ended;
    return next;
  };

  const replace = async (): Promise<void> => {
    let next: CompiledTopology;
    try {
      next = await prepare();
    } catch (thrown) {
      tell(
        `${shown} was changed but is not used:\n${describe(faultOf(thrown))}${running === undefined ? '' : '\nThe one before goes on.'}`,
      );
      return;
    }
    if (next.script === compiled?.script && running !== undefined) return;
    const old = running;
    running = undefined;
    if (old !== undefined) {
      post(old, { kind: 'stop' });
      await old.ended;
    }
    if (stopping) return;
    await runFrom(next);
    if (running !== undefined) tell(`${shown} was loaded again and goes on from the last checkpoint`);
  };

  const watch = (): void => {
    if (stopping) return;
    watchTimer = clock.setTimer(watchMs, () => {
      void (async () => {
        const stamp = await stampOf(compiled?.inputs ?? [file]);
        if (stamp !== watched && !stopping) {
          watched = stamp;
          replacing = replace();
          await replacing;
        }
        watch();
      })();
    });
  };

  return {
    async start() {
      try {
        watched = await stampOf([file]);
        const next = await compileTopologyFile(file, options.buildDir);
        watched = await stampOf(next.inputs);
        await runFrom(next);
      } catch (thrown) {
        state = 'failed';
        error = faultOf(thrown);
        tell(`${shown}: ${describe(error)}`);
      }
      watch();
    },
    async status() {
      const now = drained === undefined ? await runningStatus(running, ++statusIds, waiting, clock) : undefined;
      return { file: shown, name, state, error, restarts, job: drained ?? now?.job ?? null, happened: now?.happened ?? {} };
    },
    async drain() {
      await replacing;
      if (state === 'drained' || state === 'draining') return;
      if (state === 'starting') throw new SluiceError('topology-starting', `${shown} is starting`, { retryable: true });
      if (running === undefined || state !== 'running') {
        throw new SluiceError('drain-refused', `${shown} does not run (${state}): there is nothing to drain`, {
          fix: 'see `sluice status`; once it runs again, drain again',
        });
      }
      state = 'draining';
      post(running, { kind: 'drain' });
    },
    async stop() {
      stopping = true;
      watchTimer?.cancel();
      await replacing;
      const old = running;
      if (old === undefined) return;
      post(old, { kind: 'stop' });
      await old.ended;
      state = 'stopped';
    },
  };
}

function post(to: Running, message: ToWorker): void {
  tellWorker(to.worker, message);
}

function tellWorker(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

function runningStatus(
  from: Running | undefined,
  id: number,
  waiting: Map<number, (status: RunningStatus) => void>,
  clock: Clock,
): Promise<RunningStatus | undefined> {
  if (from === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const timer = clock.setTimer(statusTimeoutMs, () => {
      waiting.delete(id);
      resolve(undefined);
    });
    waiting.set(id, (status) => {
      timer.cancel();
      resolve(status);
    });
    post(from, { kind: 'status', id });
  });
}

function faultOf(thrown: unknown): WorkerFault {
  if (thrown instanceof SluiceError) return { code: thrown.code, message: thrown.message, fix: thrown.fix };
  return { code: 'defect', message: messageOf(thrown), stack: thrown instanceof Error ? thrown.stack : undefined };
}

function describe(fault: WorkerFault): string {
  const fix = fault.fix === undefined ? '' : `\n  ${fault.fix}`;
  return `${fault.message}${fix}${fault.stack === undefined ? '' : `\n${fault.stack}`}`;
}

/** Names, sizes and times of files: cheap to compare, and the same on every file system. */
async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map(async (file) => {
      try {
        const { mtimeMs, size } = await stat(file);
        return `${file} ${mtimeMs} ${size}`;
      } catch {
        return `${file} missing`;
      }
    }),
  );
  return stamps.join('\n');
}
