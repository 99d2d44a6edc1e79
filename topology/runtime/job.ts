/**
 * A running topology. Pulls a turn's records, runs them through all stages at once, hands the rows to the sinks, and takes checkpoints
 * between turns.
 *
 * Invariants:
 * 1. One turn at a time; a turn is over when every sink has accepted its rows. That is the backpressure: nothing is pulled before.
 * 2. A checkpoint's snapshot is taken between two turns. A turn runs all branches to their ends, so every operator has seen exactly the
 *    elements up to the positions: the gap between two turns is the barrier, and there is nothing to align.
 * 3. Order of a checkpoint: sinks stage, manifest is created, sinks commit. A crash anywhere leaves a state from which the next run
 *    goes on exactly once.
 * 4. Any operational fault ends the job; whoever started it starts it again from the last checkpoint.
 */
import { concatMap, defer, lastValueFrom, repeat, takeWhile } from 'rxjs';
import { present } from '../../schemas/kernel/assert.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { manifestVersion, statefulNodes } from '../checkpoint/manifest.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import type { SourceNode } from '../graph/graph.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import { connect } from './connections.ts';
import type { Dag } from './dag.ts';
import { compileDag, endInput, tellClock } from './dag.ts';
import { enterRecords } from './enter-records.ts';
import { heardOf } from './heard.ts';
import type { JobOptions } from './job-options.ts';
import { JobSinks } from './job-sinks.ts';
import { Refusals } from './rejections.ts';
import type { Cursor, SourceInput, SourceSchedule } from './source.ts';
import { hearingOf, positionKey, scheduleSources } from './source.ts';
import type { JobStatus } from './status.ts';
import { nodeStatus, splitStatus } from './status.ts';
import type { CarriedState } from './take-over.ts';
import { carriedOver, requireRestorable, requireValid } from './take-over.ts';
import { unfoldingReader } from './unfold.ts';

export interface Job {
  /** Takes over from the last checkpoint; resolves when it is ready to take turns. Throws `topology-invalid`, `restore-refused`, `stream-missing`. */
  open(): Promise<void>;
  /** Takes turns until `stop`; then a last checkpoint. Rejects on an operational fault, having committed nothing past the last checkpoint. */
  run(): Promise<void>;
  /**
   * Reads every split to where it ends now, gives out everything that waits for time, takes a last checkpoint and ends `run`. A later run begins
   * with empty state, after the positions that were read.
   */
  drain(): Promise<void>;
  stop(): void;
  status(): Promise<JobStatus>;
  close(): Promise<void>;
}

/** Watermarks and idleness are judged at least this often, as Flink's auto watermark interval. */
const tickMs = 200;

/** The pause before the next checkpoint is at least so many times what the last one kept the events waiting. */
const checkpointPauseFactor = 9;

type Turn = { readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined;

export function createJob(options: JobOptions): Job {
  const { topology, clock, connectors } = options;
  const { graph } = topology;
  const bounds = options.turnBounds ?? { maxRecords: limits.turnMaxRows, maxBytes: limits.turnMaxBytes };
  const store = checkpointStore(options.blobs, graph.name);
  const refusals = new Refusals(graph, clock);
  let dag: Dag;
  let sinks: JobSinks | undefined;
  let readers: readonly RecordReader[] = [];
  let schedule: SourceSchedule;
  let attempt = 0;
  let checkpoint = 0;
  let fenceNumber = 0;
  let completed: JobStatus['checkpoint'] = null;
  let committing: Promise<void> = Promise.resolve();
  let nextCheckpointAt = 0;
  /** When it was opened: the time of ticks goes on from there as the job runs, whatever happens to the clock on the wall. */
  let startedMs = 0;
  let startedAtMs = 0;
  let lastTickAt = Number.NEGATIVE_INFINITY;
  let held = false;
  let lastTurnAt = clock.monotonic();
  let heldMs = 0;
  let turns = 0;
  let dirty = false;
  let stopping = false;
  let draining: 'no' | 'reading' | 'ended' | 'drained' = 'no';

  const allSinks = (): JobSinks => present(sinks, 'the sinks of an open job');
  const backlog = (): number => dag.stages.reduce((rows, { operator }) => rows + (operator.backlog ?? 0), 0);

  const positions = (): Manifest['positions'] => {
    const bySource: Record<string, Record<string, string>> = {};
    for (const { node } of dag.sources) bySource[node.id] = {};
    for (const cursor of schedule.cursors) {
      if (cursor.position !== undefined) (bySource[cursor.source.id] ??= {})[positionKey(cursor)] = cursor.position;
    }
    return bySource;
  };

  const manifestWith = (states: CarriedState, number: number, ofAttempt: number): Manifest => ({
    manifestVersion,
    topology: graph.name,
    version: graph.version,
    checkpoint: number,
    attempt: ofAttempt,
    createdAtMs: clock.now(),
    stateful: statefulNodes(graph),
    positions: states.positions,
    operators: states.operators,
    sinks: states.sinks,
    counts: states.counts,
  });

  const open = async (): Promise<void> => {
    requireValid(topology);
    // Before it takes over: a table that is not there must not end an older run.
    const connections = await connect(graph, connectors);
    const fence = await store.takeOver(
      (nextAttempt, number, previous) => {
        requireRestorable(previous, graph, options.dropState ?? false);
        return manifestWith(carriedOver(previous, graph), number, nextAttempt);
      },
      options.goBack === true ? { goBack: true } : undefined,
    );
    attempt = fence.attempt;
    checkpoint = fence.checkpoint;
    fenceNumber = fence.checkpoint;

    startedMs = clock.monotonic();
    startedAtMs = clock.now();
    const host = { clock, random: options.random, wake: () => schedule?.interrupt() };
    dag = compileDag(topology, refusals.reject, { ...connections, host });
    // Before the states: a restored operator may refuse what it held.
    for (const [id, counts] of Object.entries(fence.counts)) Object.assign(dag.counts.get(id) ?? {}, counts);
    // And the time: what waits in a restored operator may come out at once.
    tellClock(dag, startedAtMs, startedAtMs);
    for (const stage of dag.stages) {
      const [node] = stage.nodes;
      const state = node === undefined ? undefined : fence.operators[node.id];
      if (state !== undefined) stage.operator.restore?.(state as never);
    }

    sinks = new JobSinks(dag, refusals, graph, connectors, attempt);
    await sinks.open(fence.sinks);

    await openSources(fence);
    nextCheckpointAt = clock.monotonic() + options.checkpointIntervalMs;
    completed = { id: fence.checkpoint, completedAtMs: fence.createdAtMs };
  };

  const openSources = async (fence: Manifest): Promise<void> => {
    const inputs: SourceInput[] = [];
    for (const { node } of dag.sources) {
      for (const folded of await connectors.readers(node.stream, graph, attempt)) {
        const reader = unfoldingReader(folded, node.stream, connectors.claims);
        const positionOf = (split: string): string | undefined => fence.positions[node.id]?.[positionKey({ path: reader.path, split })];
        inputs.push({ source: node, reader, positionOf });
      }
    }
    readers = inputs.map(({ reader }) => reader);
    schedule = await scheduleSources(inputs, bounds, clock);
    const splits = new Set(schedule.cursors.map(({ key }) => key));
    for (const { out } of dag.sources) out.control(rowKinds.splits, 0, splits);
    tellSplits();
    // The splits make themselves known before the first element, so that none can run ahead of one that was not seen yet.
    await runDag();
  };

  const outOf = (source: SourceNode): Batch => present(dag.sources.find(({ node }) => node === source)?.out, 'the output of a source');

  const tellSplits = (): void => {
    for (const { kind, cursor, parents } of schedule.changes()) {
      if (kind === 'begin') outOf(cursor.source).control(rowKinds.split, 0, { split: cursor.key, parents, told: true });
      else outOf(cursor.source).control(rowKinds.splitEnd, 0, cursor.key);
    }
  };

  const runTurn = async (turn: Turn): Promise<void> => {
    turns++;
    const now = clock.now();
    // A split that is not read is not silent: idleness is judged by the time in which it could have been heard.
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
      if (reads) {
        const counts = present(dag.counts.get(node.id), 'the counts of a source');
        enterRecords(turn.cursor, turn.records, out, counts, refusals.reject);
        dirty = true;
      }
      if (reads || ticks) out.control(rowKinds.tick, tickAt, heard);
    }
    tellSplits();
    await runDag();
    if (turn !== undefined) turn.cursor.met = true;
    if (draining !== 'no') await drainOn();
    // Once time has ended, the state before it is the last that can be gone on from, until the drained end itself.
    if (draining === 'ended' || draining === 'drained') return;
    if (clock.monotonic() >= nextCheckpointAt) await takeCheckpoint();
  };

  const runDag = async (): Promise<void> => {
    if (dag.run()) dirty = true;
    // What waits for answers is bounded: nothing is pulled before there is room again.
    held = dag.stages.some(({ operator }) => operator.isFull === true);
    schedule.hold(held);
    if (await allSinks().write()) dirty = true;
    dag.clear();
  };

  /** After the last record: the end of time through all operators, once; then, when nothing waits any more, the end. */
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
    await committing;
    const begunAt = clock.monotonic();
    nextCheckpointAt = begunAt + options.checkpointIntervalMs;
    if (draining === 'ended') return;
    const last = draining === 'drained';
    if (!dirty && !last && allSinks().pendingRows() === 0) return;
    const number = checkpoint + 1;
    const operators: Record<string, unknown> = {};
    for (const stage of dag.stages) {
      const [node] = stage.nodes;
      const state = last ? undefined : stage.operator.snapshot?.();
      if (node !== undefined && state !== undefined) operators[node.id] = state;
    }
    const counts = Object.fromEntries([...dag.counts].map(([id, count]) => [id, { ...count }]));
    const at = positions();
    const prepared = await allSinks().prepare(number, last);
    const manifest = manifestWith({ positions: at, operators, sinks: prepared, counts }, number, attempt);
    dirty = false;
    checkpoint = number;
    committing = commit(last ? { ...manifest, drained: true } : manifest);
    // Its failure is seen by whoever awaits `committing` next: the following checkpoint, or the end of the run.
    committing.catch(() => undefined);
    // A large state takes long to write: checkpoints come less often then, so that most of the time goes into events.
    nextCheckpointAt = Math.max(nextCheckpointAt, clock.monotonic() + (clock.monotonic() - begunAt) * checkpointPauseFactor);
  };

  const commit = async (manifest: Manifest): Promise<void> => {
    await store.create(manifest);
    await allSinks().commit(manifest.checkpoint);
    completed = { id: manifest.checkpoint, completedAtMs: clock.now() };
    if (manifest.checkpoint === fenceNumber + 1) options.onFirstCheckpoint?.();
    await store.prune(limits.checkpointsKept);
  };

  return {
    open,
    async run() {
      const next = defer(() => schedule.next(tickMs));
      await lastValueFrom(
        next.pipe(
          concatMap(runTurn),
          repeat(),
          takeWhile(() => !stopping),
        ),
        { defaultValue: undefined },
      );
      await takeCheckpoint();
      await committing;
    },
    async drain() {
      if (draining !== 'no') return;
      draining = 'reading';
      await schedule.drain();
    },
    stop() {
      stopping = true;
      schedule?.stop();
    },
    async status() {
      return {
        name: graph.name,
        version: graph.version,
        attempt,
        turns,
        checkpoint: completed,
        splits: await Promise.all(
          (schedule?.cursors ?? [])
            .filter(({ phase }) => phase !== 'done')
            .map((cursor) => splitStatus(cursor, dag, clock.now(), hearingOf(cursor, held, clock.monotonic()))),
        ),
        nodes: graph.nodes.map((node) => nodeStatus(node, dag, graph)),
        rejected: refusals.total,
        uncommittedRows: sinks?.pendingRows() ?? 0,
        drained: draining === 'drained',
      };
    },
    async close() {
      await committing.catch(() => undefined);
      for (const { operator } of dag?.stages ?? []) operator.close?.();
      await sinks?.close();
      for (const reader of readers) await reader.close();
    },
  };
}
