/**
 * One run of a job: takes over from the last checkpoint, takes turns until it is stopped or
 * drained, and ends with a last checkpoint.
 *
 * Invariants:
 * 1. One turn at a time (job-turns.ts), and a checkpoint only between two (checkpoint-cycle.ts):
 *    one chain of turns, subscribed to once, does all reading, processing and checkpoints.
 * 2. After a crash anywhere, the next run continues exactly once (job-checkpoints.ts).
 * 3. An operational fault of a sink ends the run; its owner restarts it from the last checkpoint.
 *    Requests to a stream or the store of the checkpoints are retried in place.
 * 4. Parts are made in one order (invariants of job-parts.ts): take-over, operators, sinks,
 *    sources. `close` ends whichever are there.
 */
// Each from its file: the index takes every thread 16 ms more of CPU in the bundle, and 80 ms where
// its 235 files are loaded.
import { lastValueFrom } from 'rxjs/internal/lastValueFrom';
import { defer } from 'rxjs/internal/observable/defer';
import { concatMap } from 'rxjs/internal/operators/concatMap';
import { repeat } from 'rxjs/internal/operators/repeat';
import { takeWhile } from 'rxjs/internal/operators/takeWhile';
import { present } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { CheckpointHealth, CheckpointNews } from '../checkpoint/health.ts';
import { deriveHealth, healthy } from '../checkpoint/health.ts';
import { noLosses } from '../checkpoint/losses.ts';
import type { SavepointInfo } from '../checkpoint/savepoints.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import { CheckpointCycle } from './checkpoint-cycle.ts';
import { connect } from './connections.ts';
import type { Dag } from './dag.ts';
import { isNarrower, keepIsolation } from './job-isolation.ts';
import type { JobOptions } from './job-options.ts';
import type { JobParts, RunBase } from './job-parts.ts';
import { assembleParts, compileOperators } from './job-parts.ts';
import { inputsOf } from './job-sources.ts';
import type { TakenOver } from './job-take-over.ts';
import { takeOver } from './job-take-over.ts';
import { JobTurns } from './job-turns.ts';
import { JobWatch } from './job-watch.ts';
import { hasKeyedNodes } from './parallel/keyed-worker.ts';
import { Rejections } from './rejections.ts';
import type { JobRun } from './running-job.ts';
import type { SkipRequest } from './skips.ts';
import { scheduleSources } from './source.ts';
import type { SourceSchedule } from './source-schedule.ts';
import type { JobStatus } from './status.ts';
import { fullNodes, holdersOf, nodeStatus } from './status.ts';
import { requireValid } from './take-over.ts';
import { TickTime, tickMs } from './tick-time.ts';

/** Elements of one turn. */
export const turnMaxRows = 1_024;
export const turnMaxBytes = 8 * mebi;

export function createRun(options: JobOptions): JobRun {
  return new Run(options);
}

class Run implements JobRun {
  foundOne = false;
  isBehind = false;
  wantsWorkers = false;
  readonly #options: JobOptions;
  readonly #store: CheckpointStore;
  readonly #rejections: Rejections;
  readonly #time: TickTime;
  readonly #watch: JobWatch;
  #health: CheckpointHealth = healthy;
  #isStopping = false;
  // Each is there once `open` has come so far.
  #taken: TakenOver | undefined;
  #id: RunId | undefined;
  #dag: Dag | undefined;
  #parts: JobParts | undefined;
  #readers: readonly RecordReader[] = [];
  #schedule: SourceSchedule | undefined;
  #turns: JobTurns | undefined;

  constructor(options: JobOptions) {
    const { topology, clock, blobs } = options;
    this.#options = options;
    this.#store = checkpointStore(blobs, topology.plan.name);
    this.#rejections = new Rejections(topology.plan, clock);
    this.#time = new TickTime(clock);
    this.#watch = new JobWatch(
      {
        cursors: () => this.#schedule?.cursors ?? [],
        full: () => this.#full(),
        busy: () => [...(this.#parts?.sinks.busy ?? [])],
      },
      clock,
      (news) => options.tell?.(news),
    );
  }

  get notes(): readonly string[] {
    return this.#taken?.notes ?? [];
  }

  async open(): Promise<void> {
    const { topology, connectors } = this.#options;
    requireValid(topology);
    // Before it takes over: a table that is not there must not end an older run.
    const connections = await connect(topology.plan, connectors);
    const tell = (news: CheckpointNews): void => this.#tell(news);
    const taken = await takeOver(this.#options, this.#store, tell);
    const { fence, id } = taken;
    this.#taken = taken;
    this.#id = id;
    this.#time.start();
    const { startedAtMs } = this.#time;
    const [options, store, rejections] = [this.#options, this.#store, this.#rejections];
    const base: RunBase = { options, store, rejections, fence, id, startedAtMs, tell };
    const operators = compileOperators(base, connections, () => this.#schedule?.interrupt());
    this.#dag = operators.dag;
    const parts = await assembleParts(base, operators);
    this.#parts = parts;
    try {
      await parts.sinks.open(fence.sinks);
      await this.#openSources(parts, base);
    } catch (thrown) {
      throw await this.#endOf(parts, thrown);
    }
  }

  async #openSources(parts: JobParts, { fence, id }: RunBase): Promise<void> {
    const { topology, connectors, clock, from } = this.#options;
    const { plan } = topology;
    const bounds = this.#options.turnBounds ?? {
      maxRecords: turnMaxRows,
      maxBytes: turnMaxBytes,
    };
    const inputs = await inputsOf(parts.dag, plan, fence, id, connectors);
    this.#readers = inputs.map(({ reader }) => reader);
    const schedule = await scheduleSources(inputs, bounds, clock, { from, topology: plan.name });
    this.#schedule = schedule;
    const [time, watch, health] = [this.#time, this.#watch, () => this.#health];
    const { stateful } = fence;
    const cycle = new CheckpointCycle(parts, schedule, { plan, clock, stateful, watch, health });
    this.#turns = new JobTurns(parts, schedule, { clock, time, watch, cycle });
    await this.#turns.begin();
  }

  async run(): Promise<void> {
    const { parts, schedule, turns, id } = this.#opened();
    this.#watch.start();
    const next = defer(() => schedule.next(tickMs));
    const all = next.pipe(
      concatMap((turn) => turns.run(turn)),
      repeat(),
      takeWhile(() => !this.#isStopping && turns.drain !== 'drained' && !this.#isFound()),
    );
    try {
      await lastValueFrom(all, { defaultValue: undefined });
      await turns.end();
    } catch (thrown) {
      await this.#keepSuspects(parts, id, thrown);
      throw await this.#endOf(parts, thrown);
    }
  }

  /** Whether what was looked for in one thread is found, so that workers may help again. */
  #isFound(): boolean {
    const { parts, turns } = this.#opened();
    const { keyedWorkers, topology } = this.#options;
    if (keyedWorkers === undefined || parts.dag.parallelism > 1 || turns.drain !== 'no')
      return false;
    this.wantsWorkers = !parts.isolation.isSuspecting && hasKeyedNodes(topology.plan);
    return this.wantsWorkers;
  }

  /** What the failure says of the elements is kept for the next run. */
  async #keepSuspects(parts: JobParts, id: RunId, thrown: unknown): Promise<void> {
    const { isolation, checkpoints, dag } = parts;
    const known = isolation.after(thrown, dag.at?.nodes[0]?.id, this.#options.clock.now());
    if (known === undefined) return;
    const isKept = await keepIsolation(known, this.#store, id, checkpoints);
    this.foundOne = isKept && isNarrower(known, isolation.known);
  }

  /** Why the run ends of `thrown`. */
  async #endOf({ checkpoints }: JobParts, thrown: unknown): Promise<unknown> {
    this.isBehind = await checkpoints.isBehind(thrown);
    return checkpoints.causeOf(thrown);
  }

  async drain(): Promise<void> {
    await this.#opened().turns.startDrain();
  }

  stop(): void {
    this.#isStopping = true;
    this.#parts?.checkpoints.hurry();
    this.#schedule?.stop();
  }

  async skip(request: SkipRequest): Promise<string> {
    const { parts, schedule } = this.#opened();
    return parts.skips.ask(request, schedule);
  }

  async savepoint(name: string): Promise<SavepointInfo> {
    const { parts, schedule, turns } = this.#opened();
    const { name: topology } = this.#options.topology.plan;
    if (turns.drain !== 'no')
      throw new SluiceError('savepoint-failed', `'${topology}' is being drained`, {
        fix: 'take a savepoint before the drain; a drained topology has emitted its state',
      });
    const taken = parts.savepoints.ask(name);
    schedule.interrupt();
    return taken;
  }

  async status(): Promise<JobStatus> {
    const { plan } = this.#options.topology;
    const [dag, parts] = [this.#dag, this.#parts];
    const reading = await this.#watch.status(dag);
    const holders = dag === undefined ? [] : holdersOf(dag);
    const stateful = this.#taken?.fence.stateful ?? [];
    return {
      name: plan.name,
      version: plan.version,
      attempt: this.#id?.attempt ?? 0,
      turns: this.#turns?.count ?? 0,
      parallelism: dag?.parallelism ?? 1,
      checkpoint: parts?.checkpoints.completed ?? null,
      state: this.#stateStatus(),
      checkpoints: this.#health,
      ...reading,
      nodes: plan.nodes.map((node) => {
        const late = parts?.sinks.lateOf(node.id);
        return nodeStatus(node, { dag, holders, plan, stateful, late });
      }),
      rejected: this.#rejections.total,
      setAside: parts?.isolation.lastAside ?? [],
      uncommittedRows: parts?.sinks.pendingRows() ?? 0,
      drained: this.#turns?.drain === 'drained',
      skipped: parts?.skips.done.slice(-limits.statusSplitsMax) ?? [],
      losses: parts?.losses.all ?? noLosses,
      notes: this.notes,
    };
  }

  #stateStatus(): JobStatus['state'] {
    const [dag, tables] = [this.#dag, this.#parts?.tables];
    if (dag === undefined || tables === undefined) return null;
    return { ...tables.status, ...dag.atRest, folder: this.#options.stateFolder ?? null };
  }

  async close(): Promise<void> {
    this.#watch.close();
    const { checkpoints, savepoints, sinks, tables } = this.#parts ?? {};
    savepoints?.close();
    checkpoints?.close();
    await checkpoints?.settled().catch(() => undefined);
    await tables?.close();
    this.#dag?.close();
    await sinks?.close();
    for (const reader of this.#readers) await reader.close();
  }

  #opened(): {
    readonly parts: JobParts;
    readonly schedule: SourceSchedule;
    readonly turns: JobTurns;
    readonly id: RunId;
  } {
    return {
      parts: present(this.#parts, 'the parts of an open job'),
      schedule: present(this.#schedule, 'the sources of an open job'),
      turns: present(this.#turns, 'the turns of an open job'),
      id: present(this.#id, 'the run of an open job'),
    };
  }

  #full(): readonly string[] {
    if (this.#dag === undefined || this.#turns?.isPaused !== true) return [];
    return fullNodes(this.#dag, this.#parts?.sinks, this.#parts?.tables);
  }

  #tell(news: CheckpointNews): void {
    this.#health = deriveHealth(this.#health, news);
    this.#options.tell?.(news);
  }
}
