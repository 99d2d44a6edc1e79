/**
 * One run of a topology in a worker thread, as its host sees it.
 *
 * Invariants:
 * 1. It ends: when it has said its last, when it is told to stop, and when its modules are not
 *    evaluated in time, whatever is open in it.
 * 2. A function that does not return ends it, and so does the end of a thread of its keyed nodes.
 * 3. `ended` resolves once, with the fault that ended it, or undefined when it stopped or drained.
 */
import { Worker } from 'node:worker_threads';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { assert, present } from '../../schemas/kernel/assert.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type {
  JobNews,
  JobStatus,
  Plan,
  RunFailure,
  SavepointInfo,
  SkipRequest,
} from '../../topology/index.ts';
import { hasKeyedNodes } from '../../topology/index.ts';
import { FunctionWatch } from './function-watch.ts';
import { answerCall } from './graph-link.ts';
import { KeyedThreads } from './keyed-threads.ts';
import type { AskedStatus } from './status-asker.ts';
import { StatusAsker } from './status-asker.ts';
import { ThreadQuestions } from './thread-questions.ts';
import { neverLoaded, outOfMemory } from './topology-trial.ts';
import type {
  Begin,
  FromWorker,
  ThreadInput,
  ToWorker,
  WorkerFault,
  WorkerInput,
} from './worker-protocol.ts';
import { errorOf, faultOf } from './worker-protocol.ts';

/**
 * How long a topology that is told to stop may take for its last checkpoint; then it is ended,
 * and resumes from the one before.
 */
const topologyStopMaxMs = 60_000;
/**
 * How long a command waits for a topology to skip what it was told to: for the turn that is under
 * way.
 */
const skipAnswerMaxMs = 20_000;
assert(skipAnswerMaxMs < limits.controlAnswerMaxMs, 'a command waits for the answer to a skip');

/** How long a thread that has said its last may take to end. */
const endGraceMs = 2_000;

export interface Ready {
  readonly plan: Plan;
  readonly tables: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

export interface ThreadOptions {
  readonly clock: Clock;
  readonly graph: GraphDatabase | undefined;
  readonly onNews: (news: JobNews) => void;
  /** Why a topology of that name may not begin; undefined when it may. */
  readonly refuses: (name: string) => SluiceError | undefined;
}

export class TopologyThread {
  /** Rejects with the fault when it ends before. */
  readonly ready: Promise<Ready>;
  readonly ended: Promise<WorkerFault | undefined>;
  /** Whether it completed a checkpoint of its own. */
  proved = false;
  isReady = false;
  /** Whether it told of a checkpoint that failed. */
  failedCheckpoint = false;
  /** What the next run has to know of how this one ended. */
  failure: RunFailure | undefined;
  /** What a drained run ended with. */
  drained: JobStatus | undefined;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #graph: GraphDatabase | undefined;
  readonly #asker: StatusAsker;
  readonly #skips = new ThreadQuestions<string>();
  readonly #savepoints = new ThreadQuestions<SavepointInfo>();
  readonly #onNews: (news: JobNews) => void;
  readonly #refuses: (name: string) => SluiceError | undefined;
  readonly #functions: FunctionWatch;
  readonly #input: WorkerInput;
  #keyed: KeyedThreads | undefined;
  /** Why it ended silently. */
  #crash: string | undefined;
  #settleReady:
    | { readonly resolve: (ready: Ready) => void; readonly reject: (thrown: unknown) => void }
    | undefined;
  #fault: WorkerFault | undefined;
  #stopped = false;
  #isStopping = false;
  #deadline: Timer | undefined;

  constructor(input: WorkerInput, { clock, graph, onNews, refuses }: ThreadOptions) {
    this.#input = input;
    this.#clock = clock;
    this.#graph = graph;
    this.#onNews = onNews;
    this.#refuses = refuses;
    this.#asker = new StatusAsker(clock, (id) => this.post({ kind: 'status', id }));
    this.#functions = new FunctionWatch(clock, input.functionMaxMs, (fault) =>
      this.#terminate(fault),
    );
    const workerData: ThreadInput = { ...input, calls: this.#functions.calls };
    this.#worker = new Worker(new URL('./topology-worker.js', import.meta.url), { workerData });
    this.ready = new Promise<Ready>((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    this.#endAfter(limits.topologyLoadMaxMs + limits.topologyTrialMaxMs, neverLoaded(input.file));
    this.#worker.once('online', () =>
      this.#endAfter(limits.topologyLoadMaxMs, neverLoaded(input.file)),
    );
    this.#worker.on('message', (message: FromWorker) => this.#hear(message));
    this.#worker.on('error', (thrown: unknown) => {
      this.#fault = faultOf(
        systemCodeOf(thrown) === 'ERR_WORKER_OUT_OF_MEMORY' ? outOfMemory(input.file) : thrown,
      );
      this.#crash = this.#fault.message;
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => resolve(this.#end(code)));
    });
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Takes a last checkpoint and ends; what cannot in time is ended without one. */
  stop(): Promise<WorkerFault | undefined> {
    this.#isStopping = true;
    this.post({ kind: 'stop' });
    this.#endAfter(
      topologyStopMaxMs,
      new SluiceError(
        'stop-timeout',
        `it took no last checkpoint within ${topologyStopMaxMs / 1_000} s`,
      ),
    );
    return this.ended;
  }

  status(): Promise<AskedStatus> {
    return this.#asker.ask();
  }

  /**
   * Resolves with what was done. Rejects with why it was not: also when it ends, or does not answer
   * in time.
   */
  skip(request: SkipRequest): Promise<string> {
    const done = this.#skips.ask((id) => this.post({ kind: 'skip', id, request }));
    const late = (): SluiceError =>
      new SluiceError('topology-silent', 'the topology does not answer: it may skip it still', {
        fix: 'see `sluice status`',
      });
    return within(this.#clock, skipAnswerMaxMs, done, late);
  }

  /** As long as it takes: the job bounds how long it waits, and its files are many. */
  savepoint(name: string): Promise<SavepointInfo> {
    return this.#savepoints.ask((id) => this.post({ kind: 'savepoint', id, name }));
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'imported':
        this.#begin(message.plan);
        return;
      case 'ready':
        this.isReady = true;
        this.#settleReady?.resolve(message);
        return;
      case 'news':
        if (message.news.kind === 'checkpoint-completed') this.proved = true;
        if (message.news.kind === 'checkpoint-failed') this.failedCheckpoint = true;
        this.#onNews(message.news);
        return;
      case 'status':
        this.#asker.answered(message.id, message.status);
        return;
      case 'skipped':
        this.#skips.answered(message.id, message.answer);
        return;
      case 'saved':
        this.#savepoints.answered(message.id, message.answer);
        return;
      case 'graph':
        void answerCall(
          present(this.#graph, 'the graph of a thread that asks for it'),
          message.call,
        ).then((reply) => this.post({ kind: 'graph', id: message.id, reply }));
        return;
      case 'failed':
        this.#fault ??= message.fault;
        this.#endAfter(endGraceMs);
        return;
      case 'drained':
        this.drained = message.status;
        return;
      case 'stopped':
        this.#stopped = true;
        // What an author's code or a library left open does not keep it.
        this.#endAfter(endGraceMs);
        return;
    }
  }

  #begin(plan: Plan): void {
    const refusal = this.#refuses(plan.name);
    if (refusal !== undefined) {
      this.#terminate(refusal);
      return;
    }
    if (!this.#isStopping) this.#deadline?.cancel();
    this.#functions.begin(plan);
    const begin: Begin = { kind: 'begin', keyed: this.#keyedPorts(plan) };
    this.#worker.postMessage(
      begin,
      begin.keyed.map(({ port }) => port),
    );
  }

  /** Threads for its keyed nodes, where it is to have some. */
  #keyedPorts(plan: Plan): Begin['keyed'] {
    if (this.#input.parallelism === 1 || !hasKeyedNodes(plan)) return [];
    this.#keyed = new KeyedThreads(this.#input, plan, this.#clock, (thrown, crash) => {
      this.#crash = crash;
      this.#terminate(thrown);
    });
    return this.#keyed.ports;
  }

  #endAfter(delayMs: number, fault?: Error): void {
    this.#deadline?.cancel();
    this.#deadline = this.#clock.setTimer(delayMs, () => this.#terminate(fault));
  }

  #terminate(fault?: unknown): void {
    if (fault !== undefined) this.#fault ??= faultOf(fault);
    void this.#worker.terminate();
  }

  #end(code: number): WorkerFault | undefined {
    this.#deadline?.cancel();
    this.#asker.close();
    this.#skips.end({ code: 'worker-ended', message: 'it ended before it had skipped anything' });
    this.#savepoints.end({ code: 'worker-ended', message: 'it ended before it took a savepoint' });
    if (!this.#stopped && this.#fault === undefined) {
      this.#crash = `its thread ended without an error (exit code ${code})`;
      this.#fault = { code: 'worker-ended', message: this.#crash };
    }
    const failure = this.#keyed?.end();
    this.failure = failure ?? this.#functions.end(this.#crash);
    this.#settleReady?.reject(
      this.#fault === undefined
        ? new SluiceError('worker-ended', 'it was stopped')
        : errorOf(this.#fault),
    );
    return this.#fault;
  }
}
