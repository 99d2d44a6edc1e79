/**
 * Keeps one topology file running: starts it, answers commands, and takes a changed file over once
 * it has shown that it could run. The runs themselves are topology-runs.ts's.
 *
 * Invariants:
 * 1. A changed file first has to compile, be of right types, load, be valid and fit the last
 *    checkpoint, all beside the build that runs.
 * 2. One change is one try and one message. What cannot get better by itself waits for the next
 *    change.
 * 3. A command waits until no thread is being replaced by another.
 */

import { relative } from 'node:path';
import { tablePath } from '../../enrich/lookup/lookups.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Plan, SavepointInfo, SkipRequest } from '../../topology/index.ts';
import type {
  SavepointRequest,
  TopologyHost,
  TopologyHostOptions,
  TopologyHostStatus,
} from './hosted-topology.ts';
import type { AskedStatus } from './status-asker.ts';
import type { Candidate } from './topology-candidate.ts';
import { prepareCandidate } from './topology-candidate.ts';
import { TopologyRuns } from './topology-runs.ts';
import type { TablePolicy } from './topology-watch.ts';
import { TopologyWatch } from './topology-watch.ts';
import { faultText } from './worker-protocol.ts';

const nothingAsked: AskedStatus = { answer: undefined, silentSinceMs: null };

export function topologyHost(options: TopologyHostOptions): TopologyHost {
  return new Host(options);
}

class Host implements TopologyHost {
  readonly #options: TopologyHostOptions;
  readonly #shown: string;
  readonly #watch: TopologyWatch;
  readonly #runs: TopologyRuns;
  readonly #stopped = new AbortController();
  /** Why the types of the last try were not checked, as it was told. */
  #unchecked: string | undefined;
  /** The last one that was asked for. */
  #savepoint: { readonly name: string; readonly taken: Promise<SavepointInfo> } | undefined;

  constructor(options: TopologyHostOptions) {
    this.#options = options;
    this.#shown = relative(process.cwd(), options.file);
    const { clock, tell, file } = options;
    const keep = (path: string): void =>
      tell(
        `${relative(process.cwd(), path)} was changed, but its old rows are still in use: restart Sluice to read it again`,
      );
    this.#watch = new TopologyWatch(clock, () => this.#onChange(), keep);
    this.#runs = new TopologyRuns(options, this.#shown, this.#stopped.signal, ({ plan, tables }) =>
      this.#watch.tables(tablesOf(file, plan), tables),
    );
  }

  async start(): Promise<void> {
    const { compiled, fault } = await this.#prepare(false);
    if (compiled === undefined || fault !== undefined) this.#runs.notStarted(fault ?? null);
    else await this.#runs.start(compiled);
    this.#watch.start();
  }

  async status(): Promise<TopologyHostStatus> {
    const { job: drained } = this.#runs.status;
    const { answer, silentSinceMs } =
      (drained === null ? await this.#runs.thread?.status() : undefined) ?? nothingAsked;
    const { job, ...run } = this.#runs.status;
    return {
      file: this.#shown,
      ...run,
      tablesKept: [...this.#watch.kept].map((path) => relative(process.cwd(), path)),
      silentSinceMs,
      job: job ?? answer?.job ?? null,
      happened: answer?.happened ?? {},
    };
  }

  async drain(): Promise<void> {
    await this.#runs.settled;
    const { state, thread } = this.#runs;
    if (state === 'drained' || state === 'draining') return;
    if (state === 'starting')
      throw new SluiceError('topology-starting', `${this.#shown} is starting`, { retryable: true });
    if (thread === undefined || state !== 'running') {
      throw new SluiceError(
        'drain-refused',
        `${this.#shown} is not running (${state}): there is nothing to drain`,
        {
          fix: 'see `sluice status`; once it runs again, drain again',
        },
      );
    }
    this.#runs.drain(thread);
  }

  async skip(request: SkipRequest): Promise<string> {
    await this.#runs.settled;
    const { state, thread } = this.#runs;
    if (thread === undefined) {
      throw new SluiceError(
        'skip-refused',
        `${this.#shown} is not running (${state}): there is nothing to skip`,
        {
          fix: 'see `sluice status`; once it runs again, ask again',
        },
      );
    }
    return thread.skip(request);
  }

  async savepoint({ name, again }: SavepointRequest): Promise<SavepointInfo> {
    await this.#runs.settled;
    if (again && this.#savepoint?.name === name) return this.#savepoint.taken;
    const { state, thread } = this.#runs;
    if (thread === undefined || state !== 'running') {
      throw new SluiceError(
        'savepoint-failed',
        `${this.#shown} is not running (${state}): no savepoint can be taken of it`,
        {
          fix: 'see `sluice status`; once it runs again, take it again',
          retryable: state === 'starting',
        },
      );
    }
    const taken = thread.savepoint(name);
    taken.catch(() => undefined);
    this.#savepoint = { name, taken };
    return taken;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#watch.stop();
    await this.#runs.stop();
  }

  async #prepare(trial: boolean): Promise<Candidate> {
    const { file, buildDir, built = false, clock } = this.#options;
    const input = { ...this.#options.input, dropState: this.#runs.dropState };
    const { signal } = this.#stopped;
    const needless = (build: string): boolean => this.#isCurrent(build);
    const candidate = await prepareCandidate(
      { file, buildDir, built, input, clock },
      { trial, needless, signal },
    );
    this.#watch.files(candidate.stamps);
    if (candidate.unchecked !== undefined && this.#unchecked !== candidate.unchecked)
      this.#options.tell(`the types of ${this.#shown}: ${candidate.unchecked}`);
    this.#unchecked = candidate.unchecked;
    return candidate;
  }

  /** Something it was made of is another now. */
  async #onChange(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const candidate = await this.#prepare(true);
    if (this.#stopped.signal.aborted) return;
    const { compiled, fault } = candidate;
    if (compiled === undefined || fault !== undefined) this.#refuse(candidate);
    else if (!this.#isCurrent(compiled.build)) await this.#runs.replace(compiled);
    else if (this.#runs.forgive())
      this.#options.tell(`${this.#shown} is again what runs: build ${compiled.build}`);
  }

  #refuse({ compiled, fault }: Candidate): void {
    if (fault === undefined) return;
    this.#runs.refuse(compiled, fault);
    const build = compiled === undefined ? '' : ` (build ${compiled.build})`;
    const before =
      this.#runs.thread === undefined ? '' : `\nThe one before goes on: build ${this.#runs.build}.`;
    this.#options.tell(
      `${this.#shown} was changed but is not used${build}:\n${faultText(fault)}${before}`,
    );
  }

  /** Whether it runs, with its tables as they are. */
  #isCurrent(build: string): boolean {
    return this.#runs.isRunning(build) && !this.#watch.tablesChanged;
  }
}

function tablesOf(file: string, plan: Plan): ReadonlyMap<string, TablePolicy> {
  const tables = new Map<string, TablePolicy>();
  for (const node of plan.nodes) {
    if (node.kind === 'lookup' && node.lookup.from === 'file')
      tables.set(tablePath(file, node.lookup.file), node.lookup.whenChanged);
  }
  return tables;
}
