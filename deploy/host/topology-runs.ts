/**
 * The runs of one topology, one worker thread after the other: begins them, restarts them after a
 * fault, goes back to the build before, and replaces one build by another.
 *
 * Invariants:
 * 1. At most one thread runs the topology; a new one starts only after the old one has ended.
 * 2. A new build is on trial until it completed a checkpoint of its own. One that fails before has
 *    committed nothing: the build before resumes from the last checkpoint, as it was bundled,
 *    whatever is in the file now.
 * 3. Other faults are answered by a restart from the last checkpoint after a growing pause; never
 *    given up, because captured events wait.
 */
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { SluiceError } from '../../schemas/kernel/errors.ts';
import { failureOf, healthy } from '../../topology/checkpoint/health.ts';
import type {
  CheckpointHealth,
  DropState,
  JobNews,
  JobStatus,
  RunFailure,
  Savepoints,
  StartFrom,
} from '../../topology/index.ts';
import type {
  RefusedBuild,
  TopologyHostOptions,
  TopologyHostStatus,
  TopologyState,
} from './hosted-topology.ts';
import { decideRunEnd } from './run-end.ts';
import type { CompiledTopology } from './topology-file.ts';
import { healthAfter, newsLine } from './topology-news.ts';
import type { Ready } from './topology-thread.ts';
import { TopologyThread } from './topology-thread.ts';
import type { WorkerFault } from './worker-protocol.ts';
import { errorOf, faultText } from './worker-protocol.ts';

const restartBackoff = { baseMs: 500, maxMs: 15_000 };
const restartStepsMax = 8;

/** A build that runs or ran. */
interface Build {
  readonly compiled: CompiledTopology;
  /** What continues when this one fails on trial. */
  before: Build | undefined;
}

export class TopologyRuns {
  readonly #options: TopologyHostOptions;
  readonly #shown: string;
  readonly #stopped: AbortSignal;
  readonly #onReady: (ready: Ready) => void;
  #build: Build | undefined;
  #thread: TopologyThread | undefined;
  #state: TopologyState = 'starting';
  #error: WorkerFault | null = null;
  /** The last change of the file that is not used, until one is. */
  #refused: RefusedBuild | null = null;
  #name: string | null = null;
  #restarts = 0;
  /** Starts since the last completed checkpoint. */
  #failedStarts = 0;
  #checkpoints: CheckpointHealth = healthy;
  /** Once it has run, nothing is dropped again: a restart resumes from the state of that run. */
  #dropState: DropState;
  /** As that: once it has run, it is where it went back to. */
  #savepoints: Savepoints | undefined;
  /** Until there is a checkpoint, which has it. */
  #from: StartFrom | undefined;
  /** What the next run has to know of how the last one ended. */
  #failure: RunFailure | undefined;
  #drained: JobStatus | undefined;
  /** The replacement of a thread by another: nothing else starts one meanwhile. */
  #replacing: Promise<void> = Promise.resolve();

  constructor(
    options: TopologyHostOptions,
    shown: string,
    stopped: AbortSignal,
    onReady: (ready: Ready) => void,
  ) {
    this.#options = options;
    this.#shown = shown;
    this.#stopped = stopped;
    this.#onReady = onReady;
    this.#dropState = options.input.dropState;
    this.#savepoints = options.input.savepoints;
    this.#from = options.input.from;
  }

  get state(): TopologyState {
    return this.#state;
  }

  get status(): Omit<TopologyHostStatus, 'file' | 'tablesKept' | 'silentSinceMs' | 'happened'> {
    return {
      name: this.#name,
      state: this.#state,
      build: this.build ?? null,
      refused: this.#refused,
      error: this.#error,
      restarts: this.#restarts,
      checkpoints: this.#checkpoints,
      job: this.#drained ?? null,
    };
  }

  /** The thread that runs; undefined while there is none. */
  get thread(): TopologyThread | undefined {
    return this.#thread;
  }

  /** The build that runs, or ran last. */
  get build(): string | undefined {
    return this.#build?.compiled.build;
  }

  get dropState(): DropState {
    return this.#dropState;
  }

  /** Resolves when no thread is being replaced by another. */
  get settled(): Promise<void> {
    return this.#replacing;
  }

  isRunning(build: string): boolean {
    return this.#thread !== undefined && this.build === build;
  }

  /** Nothing runs; `fault` is null where the try was broken off. */
  notStarted(fault: WorkerFault | null): void {
    this.#state = 'failed';
    this.#error = fault;
    if (fault !== null) this.#tell(faultText(fault));
  }

  /** Resolves when it runs or has failed. */
  start(compiled: CompiledTopology): Promise<void> {
    return this.#run({ compiled, before: undefined });
  }

  /** Ends what runs and begins `compiled` on trial; resolves when that runs or has failed. */
  async replace(compiled: CompiledTopology): Promise<void> {
    this.#replacing = this.#replace(compiled);
    await this.#replacing;
  }

  /** A change that is not used. */
  refuse(compiled: CompiledTopology | undefined, { message, fix }: WorkerFault): void {
    const why = fix === undefined ? message : `${message}; ${fix}`;
    const sinceMs = this.#options.clock.now();
    this.#refused = { build: compiled?.build ?? null, why, sinceMs };
  }

  /** The files are again what runs; says whether they were not. */
  forgive(): boolean {
    const wasRefused = this.#refused !== null;
    this.#refused = null;
    return wasRefused;
  }

  drain(thread: TopologyThread): void {
    this.#state = 'draining';
    thread.post({ kind: 'drain' });
  }

  /** Takes a last checkpoint and ends the worker. */
  async stop(): Promise<void> {
    await this.#replacing;
    if (this.#thread === undefined) return;
    await this.#thread.stop();
    this.#state = 'stopped';
  }

  /** A thread of `build`. `goBack`: the build that ran after it was given up. */
  async #run(build: Build, goBack = false): Promise<void> {
    const { input, clock, graph, names } = this.#options;
    const refuses = (name: string): SluiceError | undefined => names.claim(this.#shown, name);
    const { script } = build.compiled;
    const begin = {
      dropState: this.#dropState,
      savepoints: this.#savepoints,
      from: this.#from,
      failure: this.#failure,
    };
    const thread = new TopologyThread(
      { ...input, ...begin, script, file: this.#shown, goBack },
      { clock, graph, refuses, onNews: (news) => this.#onNews(news) },
    );
    this.#thread = thread;
    this.#build = build;
    this.#drained = undefined;
    void thread.ended.then((fault) => this.#onEnd(thread, build, goBack, fault));
    try {
      this.#began(thread, await thread.ready);
    } catch {
      // #onEnd has the fault and tells it.
    }
  }

  #began(thread: TopologyThread, ready: Ready): void {
    this.#dropState = {};
    this.#savepoints = undefined;
    for (const note of ready.notes) this.#tell(note);
    if (this.#thread !== thread) return;
    this.#name = ready.plan.name;
    this.#state = 'running';
    this.#error = null;
    this.#onReady(ready);
  }

  #onNews(news: JobNews): void {
    const before = this.#checkpoints;
    this.#checkpoints = healthAfter(before, news);
    if (news.kind === 'checkpoint-completed') {
      this.#failedStarts = 0;
      this.#from = undefined;
    }
    const line = newsLine(news, before, this.#checkpoints);
    if (line !== undefined) this.#tell(line);
  }

  async #onEnd(
    thread: TopologyThread,
    build: Build,
    goBack: boolean,
    fault: WorkerFault | undefined,
  ): Promise<void> {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    if (thread.proved) build.before = undefined;
    // One that was not ready has not kept what it was told.
    this.#failure = thread.failure ?? (thread.isReady ? undefined : this.#failure);
    const isDrained = thread.drained !== undefined;
    const isStopping = this.#stopped.aborted;
    const end = decideRunEnd({ fault, isStopping, isDrained, before: build.before });
    switch (end.kind) {
      case 'drained':
        this.#drained = thread.drained;
        this.#state = 'drained';
        this.#error = null;
        this.#options.tell(
          `${this.#shown} is drained; it restarts when its file changes, or with the next start`,
        );
        return;
      case 'stopped':
        this.#state = 'stopped';
        return;
      case 'go-back':
        this.#replacing = this.#goBack(build, end.before, end.fault);
        return;
      case 'taken-over':
        this.#failed('taken-over', end.fault);
        return;
      case 'wait':
        this.#noteStart(thread, end.fault);
        this.#failed('failed', end.fault);
        return;
      case 'restart':
        this.#noteStart(thread, end.fault);
        this.#failed('failed', end.fault);
        await this.#restart(build, goBack && !thread.isReady);
        return;
    }
  }

  /** A run that cannot even begin again after a failed checkpoint completes none either. */
  #noteStart(thread: TopologyThread, fault: WorkerFault): void {
    if (thread.isReady || thread.failedCheckpoint || this.#checkpoints.inARow === 0) return;
    const atMs = this.#options.clock.now();
    const failure = failureOf(errorOf(fault), { checkpoint: null, atMs, againInMs: null });
    this.#onNews({ kind: 'checkpoint-failed', failure });
  }

  #failed(state: 'failed' | 'taken-over', fault: WorkerFault): void {
    this.#state = state;
    this.#error = fault;
    this.#tell(faultText(fault));
  }

  async #restart(build: Build, goBack: boolean): Promise<void> {
    const { clock, random } = this.#options;
    this.#restarts++;
    this.#failedStarts++;
    const steps = Math.min(this.#failedStarts, restartStepsMax);
    await sleep(clock, restartBackoff.baseMs + backoffMs(steps, restartBackoff, random));
    await this.#replacing;
    if (this.#stopped.aborted || this.#thread !== undefined || this.#build !== build) return;
    await this.#run(build, goBack);
  }

  /** Invariant 2. */
  async #goBack(failed: Build, before: Build, fault: WorkerFault): Promise<void> {
    this.refuse(failed.compiled, fault);
    this.#tell(
      `build ${failed.compiled.build} failed before its first checkpoint and is not used:\n${faultText(fault)}\n` +
        `The one before resumes from the last checkpoint: build ${before.compiled.build}.`,
    );
    this.#state = 'starting';
    // What one build failed on says nothing of another.
    this.#failure = undefined;
    await this.#run(before, true);
  }

  async #replace(compiled: CompiledTopology): Promise<void> {
    const [old, before] = [this.#thread, this.#build];
    this.#thread = undefined;
    const fault = await old?.stop();
    if (this.#stopped.aborted) {
      this.#state = 'stopped';
      return;
    }
    if (fault?.code === 'fenced') return this.#failed('taken-over', fault);
    // A build that proved itself needs none after it.
    if (before !== undefined && old?.proved === true) before.before = undefined;
    this.#state = 'starting';
    this.#failure = undefined;
    this.#refused = null;
    await this.#run({ compiled, before: old === undefined ? undefined : before });
    if (!this.isRunning(compiled.build)) return;
    this.#options.tell(
      `${this.#shown} was loaded again and resumes from the last checkpoint: build ${compiled.build}`,
    );
  }

  #tell(line: string): void {
    this.#options.tell(`${this.#shown}: ${line}`);
  }
}
