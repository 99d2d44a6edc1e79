/**
 * When a job takes a checkpoint, and what it holds: the state of all its parts between two turns.
 * job-checkpoints.ts stores it.
 *
 * Invariants:
 * 1. It is taken between two turns. A turn runs all branches to their ends, so every operator has
 *    seen exactly the elements up to the positions: the gap between two turns is the barrier, and
 *    there is nothing to align.
 * 2. One that would hold nothing new is not taken, unless the marks of the last one are too old.
 * 3. Nothing is taken once time has ended, until the drained end itself.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { CheckpointHealth } from '../checkpoint/health.ts';
import type { Isolation } from '../checkpoint/isolation.ts';
import type { StatefulNode } from '../checkpoint/manifest.ts';
import type { Plan } from '../plan/plan.ts';
import type { Snapshot } from './job-checkpoints.ts';
import type { DrainPhase } from './job-drain.ts';
import type { JobParts } from './job-parts.ts';
import { headOf, marksOf, positionsOf, statesOf } from './job-state.ts';
import type { JobWatch } from './job-watch.ts';
import type { SourceSchedule } from './source-schedule.ts';

/**
 * How old what checkpoints say of how far splits were read may be, while there is nothing else to
 * keep.
 */
const marksMaxAgeMs = 3_600_000;

/** What decides whether a checkpoint is taken now. */
export interface CheckpointFacts {
  readonly drain: DrainPhase;
  /** Whether something changed since the last one. */
  readonly isDirty: boolean;
  /** Whether the marks of the last one are older than `marksMaxAgeMs`. */
  readonly isOld: boolean;
  readonly pendingRows: number;
  /** Whether somebody waits for one, for a savepoint. */
  readonly isWanted: boolean;
}

/** `wait`: not even the pause before the next one begins again. */
export function decideCheckpoint(facts: CheckpointFacts): 'take' | 'take-last' | 'pass' | 'wait' {
  if (facts.drain === 'ended') return 'wait';
  if (facts.drain === 'drained') return 'take-last';
  const { isDirty, isOld, isWanted, pendingRows } = facts;
  return isDirty || isOld || isWanted || pendingRows > 0 ? 'take' : 'pass';
}

export interface CheckpointCycleOptions {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly stateful: readonly StatefulNode[];
  readonly watch: JobWatch;
  readonly health: () => CheckpointHealth;
}

export class CheckpointCycle {
  readonly #parts: JobParts;
  readonly #schedule: SourceSchedule;
  readonly #options: CheckpointCycleOptions;
  /** Whether something changed that the last checkpoint does not have. */
  #isDirty: boolean;

  constructor(parts: JobParts, schedule: SourceSchedule, options: CheckpointCycleOptions) {
    this.#parts = parts;
    this.#schedule = schedule;
    this.#options = options;
    // What a sink that is gone has staged is committed soon, also without new records.
    this.#isDirty = parts.sinks.isRetiring;
  }

  /** Whether the next one may be taken now. Throws what ended the last one. */
  get isDue(): boolean {
    const { checkpoints, savepoints } = this.#parts;
    if (savepoints.isUrgent) checkpoints.soon();
    return checkpoints.isDue;
  }

  /** Something changed that the last checkpoint does not have. */
  changed(): void {
    this.#isDirty = true;
  }

  /** The next is due as soon as the one in progress is over. */
  soon(): void {
    this.#parts.checkpoints.soon();
  }

  /** Takes one where there is something to keep; resolves when its sinks have staged. */
  async take(drain: DrainPhase): Promise<void> {
    const { checkpoints, sinks, isolation, savepoints } = this.#parts;
    const { clock, watch } = this.#options;
    const { isWanted } = savepoints;
    const decision = decideCheckpoint({
      drain,
      isDirty: this.#isDirty,
      isOld: clock.now() - checkpoints.completed.completedAtMs > marksMaxAgeMs,
      pendingRows: sinks.pendingRows(),
      isWanted,
    });
    if (decision === 'wait') return;
    if (decision === 'pass') {
      checkpoints.pass();
      return;
    }
    isolation.takes();
    savepoints.taking();
    const last = decision === 'take-last';
    const { snapshot, known } = this.#snapshot(last);
    if (!(await watch.waitingFor(checkpoints.take(snapshot, last, isWanted))))
      return this.#unwritten();
    this.#isDirty = sinks.isRetiring;
    isolation.taken(known);
  }

  /** All that was before is stored when it resolves. */
  async takeNow(drain: DrainPhase): Promise<void> {
    const { checkpoints } = this.#parts;
    await checkpoints.settled();
    await this.take(drain);
    await checkpoints.settled();
  }

  /** `last`: everything was emitted, and no state is left. */
  #snapshot(last: boolean): {
    readonly snapshot: Snapshot;
    readonly known: Isolation | undefined;
  } {
    const { dag, keyExamples, isolation, skips, losses } = this.#parts;
    const { plan, clock, stateful } = this.#options;
    const { cursors } = this.#schedule;
    const states = statesOf(dag, last);
    const examples = keyExamples.taken();
    const known = isolation.beyond(cursors);
    const snapshot: Snapshot = {
      ...headOf(plan),
      stateful,
      keyExamples: examples,
      positions: positionsOf(dag, cursors),
      marks: marksOf(dag, cursors, clock),
      ...states,
      skips: skips.done,
      losses: losses.all,
      ...(known === undefined ? {} : { isolation: known }),
      ...(last ? { drained: true as const } : {}),
    };
    return { snapshot, known };
  }

  /** A state that has no text does not get one by waiting: what spoils it is looked for. */
  #unwritten(): void {
    const { isolation } = this.#parts;
    const { alarm, last } = this.#options.health();
    if (isolation.isSuspecting || alarm)
      throw new SluiceError('state-unwritable', last?.message ?? 'a state cannot be written');
    isolation.over();
  }
}
