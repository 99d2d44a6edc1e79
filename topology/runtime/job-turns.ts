/**
 * The turns of a running job: one split's records pass through all stages at once, and on to the
 * sinks.
 *
 * Invariants:
 * 1. One turn at a time; a turn is over when every sink has accepted its rows. That is the
 *    backpressure: nothing is pulled before.
 * 2. The order of a turn: what was asked of the splits, the time, the records, what became of the
 *    splits, the operators, the sinks, the end of a drain, the checkpoint.
 * 3. What is suspected of failing an operator has a turn of its own, without time
 *    (job-isolation.ts).
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import type { SourceNode } from '../operators/source/kind.ts';
import type { CheckpointCycle } from './checkpoint-cycle.ts';
import type { Cursor } from './cursor.ts';
import type { SourceStage } from './dag.ts';
import { endInput } from './dag.ts';
import { enterRecords } from './enter-records.ts';
import { heardOf } from './heard.ts';
import type { DrainPhase } from './job-drain.ts';
import { deriveDrain } from './job-drain.ts';
import { runSuspected } from './job-isolation.ts';
import type { JobParts } from './job-parts.ts';
import type { JobWatch } from './job-watch.ts';
import type { SourceSchedule, TakenRecords } from './source-schedule.ts';
import type { TickTime } from './tick-time.ts';

/** The records of one turn; undefined where none came in time. */
export type Turn = TakenRecords | undefined;

/** What the turns of a run share with its other parts. */
export interface TurnOptions {
  readonly clock: Clock;
  readonly time: TickTime;
  readonly watch: JobWatch;
  readonly cycle: CheckpointCycle;
}

/** Into so many parts the records of a turn are divided where workers begin with the first. */
const turnParts = 4;
const partMinRecords = 4;

function partsOf(
  records: readonly IncomingRecord[],
  parallelism: number,
): readonly (readonly IncomingRecord[])[] {
  if (parallelism === 1) return [records];
  const size = Math.max(partMinRecords, Math.ceil(records.length / turnParts));
  return Array.from({ length: Math.ceil(records.length / size) }, (_, n) =>
    records.slice(n * size, (n + 1) * size),
  );
}

export class JobTurns {
  /** Since the run began. */
  count = 0;
  readonly #parts: JobParts;
  readonly #schedule: SourceSchedule;
  readonly #clock: Clock;
  readonly #time: TickTime;
  readonly #watch: JobWatch;
  readonly #cycle: CheckpointCycle;
  #isPaused = false;
  #drain: DrainPhase = 'no';

  constructor(parts: JobParts, schedule: SourceSchedule, options: TurnOptions) {
    this.#parts = parts;
    this.#schedule = schedule;
    this.#clock = options.clock;
    this.#time = options.time;
    this.#watch = options.watch;
    this.#cycle = options.cycle;
  }

  /** Whether nothing is read, because a look-up or a sink takes no more. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  get drain(): DrainPhase {
    return this.#drain;
  }

  /** Reads every split to where it ends now, emits everything and ends. */
  async startDrain(): Promise<void> {
    if (this.#drain !== 'no') return;
    this.#drain = 'reading';
    await this.#schedule.drain();
  }

  /**
   * Before the first turn: the splits make themselves known before the first element, so that none
   * can run ahead of one that was not seen yet.
   */
  async begin(): Promise<void> {
    const { cursors } = this.#schedule;
    const splits = new Set(cursors.filter(({ skipped }) => !skipped).map(({ key }) => key));
    for (const { out } of this.#parts.dag.sources) out.control(rowKinds.splits, 0, splits);
    this.#tellSplits();
    await this.#runDag();
  }

  async run(turn: Turn): Promise<void> {
    const { isolation } = this.#parts;
    if (turn === undefined || !isolation.isSuspecting) return this.#runWhole(turn);
    await runSuspected(turn.cursor.key, turn.records, isolation, {
      waiting: () => this.#runDag(),
      run: (records, alone) => {
        this.count++;
        this.#enter(turn.cursor, records, alone);
        return this.#runDag();
      },
      checkpoint: () => this.#cycle.takeNow(this.#drain),
    });
    await this.#runWhole(undefined);
    turn.cursor.met = true;
  }

  /** After the last turn: all that was before is stored when it resolves. */
  end(): Promise<void> {
    return this.#cycle.takeNow(this.#drain);
  }

  async #runWhole(turn: Turn): Promise<void> {
    this.count++;
    this.#passLost();
    this.#enterWithTime(turn);
    this.#tellSplits();
    await this.#runDag();
    if (turn !== undefined) turn.cursor.met = true;
    if (this.#drain !== 'no') await this.#drainOn();
    if (this.#drain === 'ended' || this.#drain === 'drained') return;
    if (this.#cycle.isDue) await this.#cycle.take(this.#drain);
  }

  /** Skips that were asked for, and losses that were found, are soon in a checkpoint. */
  #passLost(): void {
    const { losses, skips } = this.#parts;
    const lost = losses.look(this.#schedule);
    if (!skips.apply(this.#schedule) && !lost) return;
    this.#cycle.changed();
    this.#cycle.soon();
  }

  #enterWithTime(turn: Turn): void {
    const now = this.#clock.now();
    const tickAt = this.#time.turn(this.#isPaused);
    // Once time has ended no clock moves on: what it set free would come after the end.
    const ticks = this.#drain !== 'ended' && this.#time.takeTick();
    const heard = heardOf(this.#schedule.cursors, this.#parts.dag, this.#time.at);
    for (const { node, out } of this.#parts.dag.sources) {
      const reads = turn?.cursor.source === node;
      if (reads || ticks) out.control(rowKinds.clock, now, tickAt);
      if (reads) this.#enter(turn.cursor, turn.records, false);
      if (reads || ticks) out.control(rowKinds.tick, tickAt, heard.get(node.id));
    }
  }

  #enter(cursor: Cursor, records: readonly IncomingRecord[], alone: boolean): void {
    const { dag, isolation, rejections } = this.#parts;
    isolation.enter(cursor.key, records, alone);
    const counts = present(dag.counts.get(cursor.source.id), 'the counts of a source');
    const aside = isolation.asideOf(cursor.key);
    const source = this.#stageOf(cursor.source);
    for (const some of partsOf(records, dag.parallelism)) {
      rejections.begin(-1);
      enterRecords(cursor, some, source.out, counts, rejections.reject, aside);
      if (dag.parallelism > 1) dag.runAhead(source);
    }
    this.#cycle.changed();
    this.#watch.read();
  }

  #tellSplits(): void {
    for (const { kind, cursor, parents } of this.#schedule.changes()) {
      // Where one begins has to be in a checkpoint, or the next run would not see what was gone by
      // then.
      if (cursor.isNew) this.#cycle.changed();
      const out = this.#outOf(cursor.source);
      if (kind === 'begin')
        out.control(rowKinds.split, 0, { split: cursor.key, parents, told: true });
      else out.control(rowKinds.splitEnd, 0, cursor.key);
    }
  }

  #outOf(source: SourceNode): Batch {
    return this.#stageOf(source).out;
  }

  #stageOf(source: SourceNode): SourceStage {
    const { sources } = this.#parts.dag;
    return present(
      sources.find(({ node }) => node === source),
      'the stage of a source',
    );
  }

  async #runDag(): Promise<void> {
    const { dag, sinks, tables, isolation, keyExamples, rejections } = this.#parts;
    isolation.runs();
    if (dag.run() || this.#schedule.hasPassed()) this.#cycle.changed();
    keyExamples.look();
    // What waits for answers is bounded: nothing is pulled before there is room again.
    this.#isPaused =
      dag.stages.some(({ operator }) => operator.isFull === true) || sinks.isFull || tables.isFull;
    this.#schedule.hold(this.#isPaused);
    isolation.writes();
    rejections.begin(dag.stages.length);
    if (await this.#watch.waitingFor(sinks.write())) this.#cycle.changed();
    rejections.begin(-1);
    isolation.over();
    dag.clear();
  }

  /**
   * After the last record: the end of time through all operators, once; then, when nothing waits
   * any more, the end.
   */
  async #drainOn(): Promise<void> {
    if (this.#drain === 'reading') {
      this.#drain = this.#nextDrain();
      if (this.#drain === 'reading') return;
      endInput(this.#parts.dag);
      await this.#runDag();
    }
    this.#drain = this.#nextDrain();
  }

  #nextDrain(): DrainPhase {
    const { stages } = this.#parts.dag;
    return deriveDrain(this.#drain, {
      isRead: this.#schedule.drained(),
      backlogRows: stages.reduce((rows, { operator }) => rows + (operator.backlog ?? 0), 0),
    });
  }
}
