/**
 * Keeps one topology file running in a worker thread: starts it, starts it again after a fault, and
 * replaces it whole when something it was made of changes.
 *
 * Invariants:
 * 1. At most one thread runs the topology; a new one starts only after the old one has ended.
 * 2. A changed file first has to compile, be of right types, load, be valid and fit the last
 *    checkpoint, all beside the build that runs.
 * 3. A new build is on trial until it completed a checkpoint of its own. One that fails before has
 *    committed nothing: the build before goes on from the last checkpoint, as it was bundled,
 *    whatever is in the file now.
 * 4. One change is one try and one message. What cannot get better by itself waits for the next
 *    change.
 * 5. Other faults are answered by a restart from the last checkpoint after a growing pause; never
 *    given up, because captured events wait.
 */
import { relative } from 'node:path';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { failureOf, healthy } from '../../topology/checkpoint/health.ts';
import type {
  CheckpointHealth,
  DropState,
  JobNews,
  JobStatus,
  Plan,
  RunFailure,
  SkipRequest,
  StartFrom,
} from '../../topology/index.ts';
import { tablePath } from './bindings.ts';
import type { AskedStatus } from './status-asker.ts';
import type { Candidate } from './topology-candidate.ts';
import { prepareCandidate } from './topology-candidate.ts';
import type { CompiledTopology } from './topology-file.ts';
import type { TopologyNames } from './topology-names.ts';
import { healthAfter, newsLine } from './topology-news.ts';
import { TopologyThread } from './topology-thread.ts';
import type { TablePolicy } from './topology-watch.ts';
import { TopologyWatch } from './topology-watch.ts';
import type { WorkerFault, WorkerInput } from './worker-protocol.ts';
import { errorOf, faultText } from './worker-protocol.ts';

export interface TopologyHostOptions {
  readonly file: string;
  readonly buildDir: string;
  /** Whether it was built before (built-topology.ts). Default: it is compiled here. */
  readonly built?: boolean;
  readonly input: Omit<WorkerInput, 'script' | 'file' | 'goBack' | 'failure'>;
  /** What the topology's graph sinks write to, where its thread can not reach it by itself. */
  readonly graph?: GraphDatabase;
  /** Of all topologies of the instance. */
  readonly names: TopologyNames;
  readonly clock: Clock;
  readonly random: Random;
  /** One line for a person: what happened to the topology. */
  readonly tell: (line: string) => void;
}

export interface TopologyHostStatus {
  readonly file: string;
  readonly name: string | null;
  /**
   * `draining`, then `drained`: it emitted everything and ended; it restarts when its file changes,
   * or with the next start. `taken-over`: another process runs it now.
   */
  readonly state:
    | 'starting'
    | 'running'
    | 'failed'
    | 'draining'
    | 'drained'
    | 'taken-over'
    | 'stopped';
  /** The build of the file that runs, or ran last: the first digits of its hash. */
  readonly build: string | null;
  /** The last change of the file that is not used, until one is. */
  readonly refused: RefusedBuild | null;
  /** Tables of look-ups that have changed and wait for the next start. */
  readonly tablesKept: readonly string[];
  readonly error: WorkerFault | null;
  readonly restarts: number;
  /** How its checkpoints fare, through all restarts. */
  readonly checkpoints: CheckpointHealth;
  /**
   * Epoch ms since when its thread does not answer, and `job` is what it said last; null while it
   * does.
   */
  readonly silentSinceMs: number | null;
  readonly job: JobStatus | null;
  /** What happened to its connections since its worker began, by name. */
  readonly happened: Readonly<Record<string, number>>;
}

export interface RefusedBuild {
  /** Null when it does not compile. */
  readonly build: string | null;
  readonly why: string;
  /** Epoch ms. */
  readonly sinceMs: number;
}

export interface TopologyHost {
  /** Resolves when the topology runs, or its first try has failed. */
  start(): Promise<void>;
  status(): Promise<TopologyHostStatus>;
  /**
   * Begins to read to where the streams end now, give out everything and end. Throws `SluiceError`
   * `drain-refused`.
   */
  drain(): Promise<void>;
  /**
   * Goes past what cannot be read of a split; resolves with what was done. Throws `SluiceError`
   * `skip-refused`, `split-unknown`, `split-ambiguous`.
   */
  skip(request: SkipRequest): Promise<string>;
  /** Takes a last checkpoint and ends the worker. */
  stop(): Promise<void>;
}

const nothingAsked: AskedStatus = { answer: undefined, silentSinceMs: null };
const restartBackoff = { baseMs: 500, maxMs: 15_000 };
/** Faults of what was written: the same build fails in the same way until a file is changed. */
const faultsOfWriting: ReadonlySet<string> = new Set([
  'topology-load',
  'topology-invalid',
  'topology-name-taken',
  'restore-refused',
]);

/** A build that runs or ran. */
interface Build {
  readonly compiled: CompiledTopology;
  /** What goes on when this one fails on trial. */
  before: Build | undefined;
}

export function topologyHost(options: TopologyHostOptions): TopologyHost {
  return new Host(options);
}

class Host implements TopologyHost {
  readonly #options: TopologyHostOptions;
  readonly #shown: string;
  readonly #watch: TopologyWatch;
  readonly #stopped = new AbortController();
  #build: Build | undefined;
  #thread: TopologyThread | undefined;
  #state: TopologyHostStatus['state'] = 'starting';
  #error: WorkerFault | null = null;
  #refused: RefusedBuild | null = null;
  #name: string | null = null;
  #restarts = 0;
  /** Starts since the last completed checkpoint. */
  #failedStarts = 0;
  #checkpoints = healthy;
  #unchecked: string | undefined;
  /** Once it has run, nothing is dropped again: a restart goes on from the state of that run. */
  #dropState: DropState;
  /** Until there is a checkpoint, which has it. */
  #from: StartFrom | undefined;
  #failure: RunFailure | undefined;
  #drained: JobStatus | undefined;
  /** The replacement of a thread by another: nothing else starts one meanwhile. */
  #replacing: Promise<void> = Promise.resolve();

  constructor(options: TopologyHostOptions) {
    this.#options = options;
    this.#dropState = options.input.dropState;
    this.#from = options.input.from;
    this.#shown = relative(process.cwd(), options.file);
    const { clock, tell } = options;
    const keep = (path: string): void =>
      tell(
        `${relative(process.cwd(), path)} was changed; its rows stay as they were read: restart Sluice to use it`,
      );
    this.#watch = new TopologyWatch(clock, () => this.#onChange(), keep);
  }

  async start(): Promise<void> {
    const candidate = await this.#prepare(false);
    if (candidate.compiled === undefined || candidate.fault !== undefined) {
      this.#state = 'failed';
      this.#error = candidate.fault ?? null;
      if (this.#error !== null) this.#options.tell(`${this.#shown}: ${faultText(this.#error)}`);
    } else await this.#run({ compiled: candidate.compiled, before: undefined });
    this.#watch.start();
  }

  async status(): Promise<TopologyHostStatus> {
    const { answer, silentSinceMs } =
      (this.#drained === undefined ? await this.#thread?.status() : undefined) ?? nothingAsked;
    return {
      file: this.#shown,
      name: this.#name,
      state: this.#state,
      build: this.#build?.compiled.build ?? null,
      refused: this.#refused,
      tablesKept: [...this.#watch.kept].map((path) => relative(process.cwd(), path)),
      error: this.#error,
      restarts: this.#restarts,
      checkpoints: this.#checkpoints,
      silentSinceMs,
      job: this.#drained ?? answer?.job ?? null,
      happened: answer?.happened ?? {},
    };
  }

  async drain(): Promise<void> {
    await this.#replacing;
    const [state, thread] = [this.#state, this.#thread];
    if (state === 'drained' || state === 'draining') return;
    if (state === 'starting')
      throw new SluiceError('topology-starting', `${this.#shown} is starting`, { retryable: true });
    if (thread === undefined || state !== 'running') {
      throw new SluiceError(
        'drain-refused',
        `${this.#shown} does not run (${state}): there is nothing to drain`,
        {
          fix: 'see `sluice status`; once it runs again, drain again',
        },
      );
    }
    this.#state = 'draining';
    thread.post({ kind: 'drain' });
  }

  async skip(request: SkipRequest): Promise<string> {
    await this.#replacing;
    if (this.#thread === undefined) {
      throw new SluiceError(
        'skip-refused',
        `${this.#shown} does not run (${this.#state}): there is nothing to skip`,
        {
          fix: 'see `sluice status`; once it runs again, ask again',
        },
      );
    }
    return this.#thread.skip(request);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#watch.stop();
    await this.#replacing;
    if (this.#thread === undefined) return;
    await this.#thread.stop();
    this.#state = 'stopped';
  }

  get #isStopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  async #prepare(trial: boolean): Promise<Candidate> {
    const { file, buildDir, built = false, clock } = this.#options;
    const input = { ...this.#options.input, dropState: this.#dropState };
    const { signal } = this.#stopped;
    const isRunning = (build: string): boolean => this.#runs(build) && !this.#watch.tablesChanged;
    const candidate = await prepareCandidate(
      { file, buildDir, built, input, clock },
      { trial, needless: isRunning, signal },
    );
    this.#watch.files(candidate.stamps);
    if (candidate.unchecked !== undefined && this.#unchecked !== candidate.unchecked) {
      this.#options.tell(`the types of ${this.#shown}: ${candidate.unchecked}`);
    }
    this.#unchecked = candidate.unchecked;
    return candidate;
  }

  #runs(build: string): boolean {
    return this.#thread !== undefined && this.#build?.compiled.build === build;
  }

  /**
   * A thread of `build`; resolves when it runs or has failed. `goBack`: the build that ran after it
   * was given up.
   */
  async #run(build: Build, goBack = false): Promise<void> {
    const { input, clock, graph: database, names } = this.#options;
    const refuses = (name: string): SluiceError | undefined => names.claim(this.#shown, name);
    const { script } = build.compiled;
    const thread = new TopologyThread(
      {
        ...input,
        dropState: this.#dropState,
        from: this.#from,
        script,
        file: this.#shown,
        goBack,
        failure: this.#failure,
      },
      { clock, graph: database, refuses, onNews: (news) => this.#onNews(news) },
    );
    this.#thread = thread;
    this.#build = build;
    this.#drained = undefined;
    void thread.ended.then((fault) => this.#onEnd(thread, build, goBack, fault));
    try {
      const { graph, tables, notes } = await thread.ready;
      this.#dropState = {};
      for (const note of notes) this.#options.tell(`${this.#shown}: ${note}`);
      if (this.#thread !== thread) return;
      this.#name = graph.name;
      this.#state = 'running';
      this.#error = null;
      this.#watch.tables(tablesOf(this.#options.file, graph), tables);
    } catch {
      // #onEnd has the fault and tells it.
    }
  }

  #onNews(news: JobNews): void {
    const before = this.#checkpoints;
    this.#checkpoints = healthAfter(before, news);
    if (news.kind === 'checkpoint-completed') {
      this.#failedStarts = 0;
      this.#from = undefined;
    }
    const line = newsLine(news, before, this.#checkpoints);
    if (line !== undefined) this.#options.tell(`${this.#shown}: ${line}`);
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
    if (thread.drained !== undefined && fault === undefined) {
      this.#drained = thread.drained;
      this.#state = 'drained';
      this.#error = null;
      this.#options.tell(
        `${this.#shown} is drained; it restarts when its file changes, or with the next start`,
      );
      return;
    }
    if (this.#isStopping || fault === undefined) {
      this.#state = 'stopped';
      return;
    }
    if (fault.code !== 'fenced' && build.before !== undefined) {
      this.#replacing = this.#goBack(build, build.before, fault);
      return;
    }
    this.#noteStart(thread, fault);
    await this.#fail(build, goBack && !thread.isReady, fault);
  }

  /** A run that cannot even begin again after a failed checkpoint completes none either. */
  #noteStart(thread: TopologyThread, fault: WorkerFault): void {
    if (
      thread.isReady ||
      thread.failedCheckpoint ||
      this.#checkpoints.inARow === 0 ||
      fault.code === 'fenced'
    )
      return;
    const failure = failureOf(errorOf(fault), {
      checkpoint: null,
      atMs: this.#options.clock.now(),
      againInMs: null,
    });
    this.#onNews({ kind: 'checkpoint-failed', failure });
  }

  /** Invariant 3. */
  async #goBack(failed: Build, before: Build, fault: WorkerFault): Promise<void> {
    this.#refuse(failed.compiled, fault);
    this.#options.tell(
      `${this.#shown}: build ${failed.compiled.build} failed before its first checkpoint and is not used:\n${faultText(fault)}\n` +
        `The one before goes on from the last checkpoint: build ${before.compiled.build}.`,
    );
    this.#state = 'starting';
    // What one build failed on says nothing of another.
    this.#failure = undefined;
    await this.#run(before, true);
  }

  async #fail(build: Build, goBack: boolean, fault: WorkerFault): Promise<void> {
    const { tell, clock, random } = this.#options;
    this.#state = fault.code === 'fenced' ? 'taken-over' : 'failed';
    this.#error = fault;
    tell(`${this.#shown}: ${faultText(fault)}`);
    // Whoever came later has taken over; taking it back would go on for ever.
    if (fault.code === 'fenced' || faultsOfWriting.has(fault.code)) return;
    this.#restarts++;
    this.#failedStarts++;
    await sleep(
      clock,
      restartBackoff.baseMs + backoffMs(Math.min(this.#failedStarts, 8), restartBackoff, random),
    );
    await this.#replacing;
    if (this.#isStopping || this.#thread !== undefined || this.#build !== build) return;
    await this.#run(build, goBack);
  }

  #refuse(compiled: CompiledTopology | undefined, fault: WorkerFault): void {
    const { message, fix } = fault;
    const why = fix === undefined ? message : `${message}; ${fix}`;
    this.#refused = { build: compiled?.build ?? null, why, sinceMs: this.#options.clock.now() };
  }

  /** Something it was made of is another now. */
  async #onChange(): Promise<void> {
    if (this.#isStopping) return;
    const { tell } = this.#options;
    const { compiled, fault } = await this.#prepare(true);
    if (this.#isStopping) return;
    if (compiled === undefined || fault !== undefined) {
      if (fault === undefined) return;
      this.#refuse(compiled, fault);
      const build = compiled === undefined ? '' : ` (build ${compiled.build})`;
      const before =
        this.#thread === undefined
          ? ''
          : `\nThe one before goes on: build ${this.#build?.compiled.build}.`;
      tell(`${this.#shown} was changed but is not used${build}:\n${faultText(fault)}${before}`);
      return;
    }
    if (this.#runs(compiled.build) && !this.#watch.tablesChanged) {
      if (this.#refused !== null)
        tell(`${this.#shown} is again what runs: build ${compiled.build}`);
      this.#refused = null;
      return;
    }
    this.#replacing = this.#replace(compiled);
    await this.#replacing;
  }

  async #replace(compiled: CompiledTopology): Promise<void> {
    const { tell } = this.#options;
    const [old, before] = [this.#thread, this.#build];
    this.#thread = undefined;
    const fault = await old?.stop();
    if (this.#isStopping) {
      this.#state = 'stopped';
      return;
    }
    if (fault?.code === 'fenced') {
      this.#state = 'taken-over';
      this.#error = fault;
      tell(`${this.#shown}: ${faultText(fault)}`);
      return;
    }
    // A build that proved itself needs none behind it.
    if (before !== undefined && old?.proved === true) before.before = undefined;
    this.#state = 'starting';
    this.#failure = undefined;
    this.#refused = null;
    await this.#run({ compiled, before: old === undefined ? undefined : before });
    if (this.#runs(compiled.build)) {
      tell(
        `${this.#shown} was loaded again and goes on from the last checkpoint: build ${compiled.build}`,
      );
    }
  }
}

function tablesOf(file: string, graph: Plan): ReadonlyMap<string, TablePolicy> {
  const tables = new Map<string, TablePolicy>();
  for (const node of graph.nodes) {
    if (node.kind === 'lookup' && node.lookup.from === 'file')
      tables.set(tablePath(file, node.lookup.file), node.lookup.whenChanged);
  }
  return tables;
}
