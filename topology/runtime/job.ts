/**
 * A running topology. Pulls a turn's records, runs them through all stages at once, hands the rows
 * to the sinks, and takes checkpoints between turns.
 *
 * Invariants:
 * 1. One turn at a time; a turn is over when every sink has accepted its rows. That is the
 *    backpressure: nothing is pulled before.
 * 2. A checkpoint's snapshot is taken between two turns. A turn runs all branches to their ends, so
 *    every operator has seen exactly the elements up to the positions: the gap between two turns is
 *    the barrier, and there is nothing to align.
 * 3. Checkpoints are job-checkpoints.ts's: a crash anywhere leaves a state from which the next run
 *    goes on exactly once.
 * 4. An operational fault of a sink ends the job; whoever started it starts it again from the last
 *    checkpoint. What can be asked again in place, a stream or the store of the checkpoints, is.
 */
import { concatMap, defer, lastValueFrom, repeat, takeWhile } from 'rxjs';
import { present } from '../../schemas/kernel/assert.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { newRun } from '../../schemas/run-id.ts';
import type { CheckpointNews } from '../checkpoint/health.ts';
import { deriveHealth, failureOf, healthy } from '../checkpoint/health.ts';
import type { Isolation } from '../checkpoint/isolation.ts';
import type { Manifest, StatefulNode } from '../checkpoint/manifest.ts';
import { lineageOf } from '../checkpoint/manifest.ts';
import type { CarriedState } from '../checkpoint/restore.ts';
import { carryOver, restoreNotes } from '../checkpoint/restore.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import type { SourceNode } from '../operators/source/kind.ts';
import { compileDag } from './compile-dag.ts';
import { connect } from './connections.ts';
import type { Cursor } from './cursor.ts';
import type { Dag } from './dag.ts';
import { endInput } from './dag.ts';
import { enterRecords } from './enter-records.ts';
import { heardOf } from './heard.ts';
import { JobCheckpoints, storeUnanswered } from './job-checkpoints.ts';
import {
  isNarrower,
  isolationAfter,
  JobIsolation,
  keepIsolation,
  runSuspected,
} from './job-isolation.ts';
import { JobLosses } from './job-losses.ts';
import type { JobOptions } from './job-options.ts';
import { JobSinks } from './job-sinks.ts';
import { JobSkips } from './job-skips.ts';
import { inputsOf } from './job-sources.ts';
import { headOf, marksOf, positionsOf, restoreStates, statesOf } from './job-state.ts';
import { JobWatch } from './job-watch.ts';
import { KeyExamples } from './key-examples.ts';
import { Refusals } from './rejections.ts';
import type { JobRun } from './running-job.ts';
import type { SourceSchedule } from './source.ts';
import { scheduleSources } from './source.ts';
import { fullNodes, holdersOf, nodeStatus } from './status.ts';
import { requireRestorable, requireTables, requireValid } from './take-over.ts';

/** Watermarks and idleness are judged at least this often, as Flink's auto watermark interval. */
const tickMs = 200;

/** What is there does not fit: no checkpoint has failed. */
const misfitCodes: ReadonlySet<string> = new Set(['restore-refused', 'table-mismatch']);

type Turn = { readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined;

export function createRun(options: JobOptions): JobRun {
  const { topology, clock, connectors } = options;
  const { graph } = topology;
  const bounds = options.turnBounds ?? {
    maxRecords: limits.turnMaxRows,
    maxBytes: limits.turnMaxBytes,
  };
  const store = checkpointStore(options.blobs, graph.name);
  const refusals = new Refusals(graph, clock);
  let health = healthy;
  const tell = (news: CheckpointNews): void => {
    health = deriveHealth(health, news);
    options.tell?.(news);
  };
  const isolationOf = (known: Isolation | undefined): JobIsolation =>
    new JobIsolation(known, (news) => options.tell?.(news));
  let isolation = isolationOf(undefined);
  let dag: Dag;
  let keyExamples: KeyExamples | undefined;
  let sinks: JobSinks | undefined;
  let readers: readonly RecordReader[] = [];
  let schedule: SourceSchedule;
  const drop: ReadonlySet<string> = new Set(options.dropState);
  let stateful: readonly StatefulNode[] = [];
  let notes: readonly string[] = [];
  let runId: RunId | undefined;
  let checkpoints: JobCheckpoints | undefined;
  let skips = new JobSkips(clock, refusals.reject, []);
  let losses = new JobLosses(clock, refusals.reject, undefined, () => undefined);
  /**
   * When it was opened: the time of ticks goes on from there as the job runs, whatever happens to
   * the clock on the wall.
   */
  let startedMs = 0;
  let startedAtMs = 0;
  let lastTickAt = Number.NEGATIVE_INFINITY;
  const watched = {
    cursors: () => schedule?.cursors ?? [],
    full: () => (held ? fullNodes(dag, sinks) : []),
    busy: () => [...(sinks?.busy ?? [])],
  };
  const watch = new JobWatch(watched, clock, (news) => options.tell?.(news));
  let held = false;
  let lastTurnAt = clock.monotonic();
  let heldMs = 0;
  let turns = 0;
  let dirty = false;
  let stopping = false;
  let foundOne = false;
  let isBehind = false;
  let draining: 'no' | 'reading' | 'ended' | 'drained' = 'no';

  const allSinks = (): JobSinks => present(sinks, 'the sinks of an open job');
  const backlog = (): number =>
    dag.stages.reduce((rows, { operator }) => rows + (operator.backlog ?? 0), 0);

  const fenceWith = (states: CarriedState, number: number, ofAttempt: number): Manifest => ({
    ...headOf(graph),
    ...states,
    checkpoint: number,
    attempt: ofAttempt,
    createdAtMs: clock.now(),
  });

  const open = async (): Promise<void> => {
    requireValid(topology);
    // Before it takes over: a table that is not there must not end an older run.
    const connections = await connect(graph, connectors);
    const fence = await takeOver();
    stateful = fence.stateful;
    runId = newRun(fence.attempt, lineageOf(fence), options.random);
    startedMs = clock.monotonic();
    startedAtMs = clock.now();
    const host = { clock, random: options.random, wake: () => schedule?.interrupt() };
    isolation = isolationOf(fence.isolation);
    const seen = isolation.watch(topology, options.calls);
    const freezes = options.freezes ?? 'shared';
    dag = compileDag(seen.topology, refusals.reject, { ...connections, host, freezes, ...seen });
    restoreStates(dag, fence, startedAtMs);

    keyExamples = new KeyExamples(seen.topology, dag, fence.keyExamples);
    skips = new JobSkips(clock, refusals.reject, fence.skips ?? []);
    losses = new JobLosses(clock, refusals.reject, fence.losses, (news) => options.tell?.(news));
    sinks = new JobSinks(dag, refusals, graph, {
      connectors,
      run: runId,
      retiring: fence.retiring,
      clock,
    });
    // What a sink that is gone has staged is committed soon, whatever comes.
    dirty = sinks.isRetiring;
    const intervalMs = options.checkpointIntervalMs;
    checkpoints = new JobCheckpoints(
      { store, sinks, clock, random: options.random, intervalMs, tell },
      fence,
    );
    try {
      await sinks.open(fence.sinks);
      await openSources(fence, runId);
    } catch (thrown) {
      throw await endOf(thrown);
    }
  };

  /** Why a run ends of `thrown`. */
  const endOf = async (thrown: unknown): Promise<unknown> => {
    const held = present(checkpoints, 'the checkpoints of an open job');
    isBehind = await held.isBehind(thrown);
    return held.causeOf(thrown);
  };

  /** The first checkpoint of a run. One that cannot be stored is a failed one. */
  const takeOver = async (): Promise<Manifest> => {
    const takeNext = async (): Promise<Manifest> => {
      await requireTables(await store.latest(), graph, connectors);
      return store.takeOver(
        options.random,
        (nextAttempt, number, previous) => {
          requireRestorable(previous, topology, drop);
          notes = previous === undefined ? [] : restoreNotes(previous, graph);
          const fence = fenceWith(
            carryOver(previous, graph, drop, clock.now()),
            number,
            nextAttempt,
          );
          return { ...fence, ...isolationAfter(previous?.isolation, options.failure, clock.now()) };
        },
        { goBack: options.goBack === true, leap: options.leap === true },
      );
    };
    try {
      return await within(clock, limits.checkpointTryMaxMs, takeNext(), () =>
        storeUnanswered(limits.checkpointTryMaxMs),
      );
    } catch (thrown) {
      if (thrown instanceof SluiceError && !misfitCodes.has(thrown.code)) {
        const failure = failureOf(thrown, { checkpoint: null, atMs: clock.now(), againInMs: null });
        tell({ kind: 'checkpoint-failed', failure });
      }
      throw thrown;
    }
  };

  const openSources = async (fence: Manifest, ofRun: RunId): Promise<void> => {
    const inputs = await inputsOf(dag, graph, fence, ofRun, connectors);
    readers = inputs.map(({ reader }) => reader);
    schedule = await scheduleSources(inputs, bounds, clock, {
      from: options.from,
      topology: graph.name,
    });
    const splits = new Set(
      schedule.cursors.filter(({ skipped }) => !skipped).map(({ key }) => key),
    );
    for (const { out } of dag.sources) out.control(rowKinds.splits, 0, splits);
    tellSplits();
    // The splits make themselves known before the first element, so that none can run ahead of one
    // that was not seen yet.
    await runDag();
  };

  const outOf = (source: SourceNode): Batch =>
    present(dag.sources.find(({ node }) => node === source)?.out, 'the output of a source');

  const tellSplits = (): void => {
    for (const { kind, cursor, parents } of schedule.changes()) {
      // Where one begins has to be in a checkpoint, or the next run would not see what was gone by
      // then.
      if (cursor.isNew) dirty = true;
      if (kind === 'begin')
        outOf(cursor.source).control(rowKinds.split, 0, { split: cursor.key, parents, told: true });
      else outOf(cursor.source).control(rowKinds.splitEnd, 0, cursor.key);
    }
  };

  const runTurn = async (turn: Turn): Promise<void> => {
    if (turn === undefined || !isolation.isSuspecting) return runWhole(turn);
    await runSuspected(turn.cursor.key, turn.records, isolation, {
      waiting: runDag,
      run: (records, alone) => {
        turns++;
        enter(turn.cursor, records, alone);
        return runDag();
      },
      checkpoint: takeCheckpointNow,
    });
    await runWhole(undefined);
    turn.cursor.met = true;
  };

  const enter = (cursor: Cursor, records: readonly IncomingRecord[], alone: boolean): void => {
    isolation.enter(cursor.key, records, alone);
    const counts = present(dag.counts.get(cursor.source.id), 'the counts of a source');
    enterRecords(
      cursor,
      records,
      outOf(cursor.source),
      counts,
      refusals.reject,
      isolation.asideOf(cursor.key),
    );
    dirty = true;
    watch.read();
  };

  const runWhole = async (turn: Turn): Promise<void> => {
    turns++;
    const lost = losses.look(schedule);
    if (skips.apply(schedule) || lost) {
      dirty = true;
      checkpoints?.soon();
    }
    const now = clock.now();
    // A split that is not read is not silent: idleness is judged by the time in which it could have
    // been heard.
    if (held) heldMs += clock.monotonic() - lastTurnAt;
    lastTurnAt = clock.monotonic();
    const tickAt = startedAtMs + clock.monotonic() - startedMs - heldMs;
    // Once time has ended no clock moves on: what it set free would come after the end.
    const ticks = draining !== 'ended' && clock.monotonic() - lastTickAt >= tickMs;
    if (ticks) lastTickAt = clock.monotonic();
    const heard = heardOf(schedule.cursors, dag, (atMs) => startedAtMs + atMs - startedMs - heldMs);
    for (const { node, out } of dag.sources) {
      const reads = turn?.cursor.source === node;
      if (reads || ticks) out.control(rowKinds.clock, now, tickAt);
      if (reads) enter(turn.cursor, turn.records, false);
      if (reads || ticks) out.control(rowKinds.tick, tickAt, heard.get(node.id));
    }
    tellSplits();
    await runDag();
    if (turn !== undefined) turn.cursor.met = true;
    if (draining !== 'no') await drainOn();
    // Once time has ended, the state before it is the last that can be gone on from, until the
    // drained end itself.
    if (draining === 'ended' || draining === 'drained') return;
    if (checkpoints?.isDue === true) await takeCheckpoint();
  };

  const runDag = async (): Promise<void> => {
    isolation.runs();
    if (dag.run() || schedule.hasPassed()) dirty = true;
    keyExamples?.look();
    // What waits for answers is bounded: nothing is pulled before there is room again.
    held = dag.stages.some(({ operator }) => operator.isFull === true) || allSinks().isFull;
    schedule.hold(held);
    isolation.writes();
    if (await watch.waitingFor(allSinks().write())) dirty = true;
    isolation.over();
    dag.clear();
  };

  /**
   * After the last record: the end of time through all operators, once; then, when nothing waits
   * any more, the end.
   */
  const drainOn = async (): Promise<void> => {
    if (draining === 'reading' && schedule.drained() && backlog() === 0) {
      draining = 'ended';
      endInput(dag);
      await runDag();
    }
    if (draining !== 'ended' || backlog() > 0) return;
    draining = 'drained';
    stopping = true;
  };

  const takeCheckpoint = async (): Promise<void> => {
    const taking = present(checkpoints, 'the checkpoints of an open job');
    if (draining === 'ended') return;
    const last = draining === 'drained';
    const isOld = clock.now() - taking.completed.completedAtMs > limits.marksMaxAgeMs;
    if (!dirty && !last && !isOld && allSinks().pendingRows() === 0) {
      taking.pass();
      return;
    }
    isolation.takes();
    const states = statesOf(dag, last);
    const examples = present(keyExamples, 'the examples of an open job').taken();
    const known = isolation.beyond(schedule.cursors);
    const snapshot = {
      ...headOf(graph),
      stateful,
      keyExamples: examples,
      positions: positionsOf(dag, schedule.cursors),
      marks: marksOf(dag, schedule.cursors, clock),
      ...states,
      skips: skips.done,
      losses: losses.all,
      ...(known === undefined ? {} : { isolation: known }),
      ...(last ? { drained: true as const } : {}),
    };
    if (await watch.waitingFor(taking.take(snapshot, last))) {
      dirty = allSinks().isRetiring;
      isolation.taken(known);
      return;
    }
    // A state that has no text does not get one by waiting: what spoils it is looked for.
    if (isolation.isSuspecting || health.alarm)
      throw new SluiceError(
        'state-unwritable',
        health.last?.message ?? 'a state cannot be written',
      );
    isolation.over();
  };

  /** All that was before is stored when it resolves. */
  const takeCheckpointNow = async (): Promise<void> => {
    const taking = present(checkpoints, 'the checkpoints of an open job');
    await taking.settled();
    await takeCheckpoint();
    await taking.settled();
  };

  return {
    open,
    get notes() {
      return notes;
    },
    get foundOne() {
      return foundOne;
    },
    get isBehind() {
      return isBehind;
    },
    async run() {
      watch.start();
      const next = defer(() => schedule.next(tickMs));
      const turns = next.pipe(
        concatMap(runTurn),
        repeat(),
        takeWhile(() => !stopping),
      );
      try {
        await lastValueFrom(turns, { defaultValue: undefined });
        await takeCheckpointNow();
      } catch (thrown) {
        const known = isolation.after(thrown, dag.at?.nodes[0]?.id, clock.now());
        const kept =
          known !== undefined &&
          (await keepIsolation(
            known,
            store,
            present(runId, 'the run of an open job'),
            checkpoints,
          ));
        foundOne = kept && isNarrower(known, isolation.known);
        throw await endOf(thrown);
      }
    },
    async drain() {
      if (draining !== 'no') return;
      draining = 'reading';
      await schedule.drain();
    },
    stop() {
      stopping = true;
      checkpoints?.hurry();
      schedule?.stop();
    },
    skip: (request) => skips.ask(request, present(schedule, 'the sources of an open job')),
    async status() {
      const reading = await watch.status(dag);
      const holders = dag === undefined ? [] : holdersOf(dag);
      return {
        name: graph.name,
        version: graph.version,
        attempt: runId?.attempt ?? 0,
        turns,
        checkpoint: checkpoints?.completed ?? null,
        checkpoints: health,
        ...reading,
        nodes: graph.nodes.map((node) =>
          nodeStatus(node, { dag, holders, graph, stateful, late: sinks?.lateOf(node.id) }),
        ),
        rejected: refusals.total,
        setAside: isolation.lastAside,
        uncommittedRows: sinks?.pendingRows() ?? 0,
        drained: draining === 'drained',
        skipped: skips.done.slice(-limits.statusSplitsMax),
        losses: losses.all,
        notes,
      };
    },
    async close() {
      watch.close();
      checkpoints?.close();
      await checkpoints?.settled().catch(() => undefined);
      for (const { operator } of dag?.stages ?? []) operator.close?.();
      await sinks?.close();
      for (const reader of readers) await reader.close();
    },
  };
}
