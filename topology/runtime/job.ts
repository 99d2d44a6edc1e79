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
import { assert } from '../../schemas/kernel/assert.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { manifestVersion, rejectedSinkId, statefulNodes } from '../checkpoint/manifest.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import { latePort } from '../graph/graph.ts';
import type { ElementBatch, Sink } from '../graph/sink.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import { noCounts } from '../operators/operator.ts';
import type { Dag, SinkStage } from './dag.ts';
import { compileDag } from './dag.ts';
import type { JobOptions } from './job-options.ts';
import { RejectedRows, rejectedEventOf } from './rejections.ts';
import type { Cursor, SourceSchedule } from './source.ts';
import { cursorOf, enterRecords, positionKey, scheduleSources } from './source.ts';
import type { JobStatus } from './status.ts';
import { splitStatus } from './status.ts';
import type { CarriedState } from './take-over.ts';
import { carriedOver, requireRestorable, requireValid } from './take-over.ts';

export interface Job {
  /** Takes over from the last checkpoint; resolves when it is ready to take turns. Throws `topology-invalid`, `restore-refused`, `stream-missing`. */
  open(): Promise<void>;
  /** Takes turns until `stop`; then a last checkpoint. Rejects on an operational fault, having committed nothing past the last checkpoint. */
  run(): Promise<void>;
  stop(): void;
  status(): Promise<JobStatus>;
  close(): Promise<void>;
}

/** Watermarks and idleness are judged at least this often, as Flink's auto watermark interval. */
const tickMs = 200;

interface OpenSink {
  readonly id: string;
  readonly sink: Sink;
  readonly stage: SinkStage | undefined;
}

type Turn = { readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined;

export function createJob(options: JobOptions): Job {
  const { topology, clock, connectors } = options;
  const { graph } = topology;
  const bounds = options.turnBounds ?? { maxRecords: limits.turnMaxRows, maxBytes: limits.turnMaxBytes };
  const store = checkpointStore(options.blobs, graph.name);
  const rejectedRows = new RejectedRows();
  let dag: Dag;
  let sinks: readonly OpenSink[] = [];
  let readers: readonly RecordReader[] = [];
  let schedule: SourceSchedule;
  let attempt = 0;
  let checkpoint = 0;
  let completed: JobStatus['checkpoint'] = null;
  let committing: Promise<void> = Promise.resolve();
  let lastCheckpointAt = 0;
  let lastTickAt = Number.NEGATIVE_INFINITY;
  let turns = 0;
  let rejectedTotal = 0;
  let dirty = false;
  let stopping = false;

  const pendingRows = (): number => sinks.reduce((rows, { sink }) => rows + sink.pendingRows(), 0);

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
    const fence = await store.takeOver((nextAttempt, number, previous) => {
      requireRestorable(previous, graph, options.dropState ?? false);
      return manifestWith(carriedOver(previous, graph), number, nextAttempt);
    });
    attempt = fence.attempt;
    checkpoint = fence.checkpoint;

    dag = compileDag(topology, (rejection) => {
      assert(rejection.origin !== undefined, `${rejection.node} rejects an element without an origin`);
      rejectedTotal++;
      rejectedRows.add(rejectedEventOf(rejection, rejection.origin, graph));
    });
    for (const stage of dag.stages) {
      const [node] = stage.nodes;
      const state = node === undefined ? undefined : fence.operators[node.id];
      if (state !== undefined) stage.operator.restore?.(state as never);
    }
    for (const [id, counts] of Object.entries(fence.counts)) Object.assign(dag.counts.get(id) ?? {}, counts);

    const opened: OpenSink[] = [];
    for (const stage of dag.sinks) {
      if (stage.node.sink.kind === 'table') opened.push({ id: stage.node.id, sink: connectors.sink(stage.node, graph, attempt), stage });
    }
    opened.push({ id: rejectedSinkId, sink: connectors.rejected(graph, attempt), stage: undefined });
    sinks = opened;
    for (const { id, sink } of sinks) await sink.open(fence.sinks[id]);

    await openSources(fence);
    lastCheckpointAt = clock.monotonic();
    completed = { id: fence.checkpoint, completedAtMs: fence.createdAtMs };
  };

  const openSources = async (fence: Manifest): Promise<void> => {
    const cursors: Cursor[] = [];
    const opened: RecordReader[] = [];
    for (const { node, out } of dag.sources) {
      for (const reader of await connectors.readers(node.stream)) {
        opened.push(reader);
        for (const split of await reader.splits()) {
          const cursor = cursorOf(node, reader, split.id, fence.positions[node.id]?.[positionKey({ path: reader.path, split: split.id })]);
          cursors.push(cursor);
          out.control(rowKinds.split, 0, cursor.key);
        }
      }
    }
    readers = opened;
    schedule = scheduleSources(cursors, bounds, clock);
    // The splits make themselves known before the first element, so that none can run ahead of one that was not seen yet.
    dag.run();
    dag.clear();
  };

  const runTurn = async (turn: Turn): Promise<void> => {
    turns++;
    const now = clock.now();
    const everySource = clock.monotonic() - lastTickAt >= tickMs;
    if (everySource) lastTickAt = clock.monotonic();
    for (const { node, out } of dag.sources) {
      if (turn?.cursor.source === node) {
        out.control(rowKinds.tick, now);
        const counts = dag.counts.get(node.id);
        assert(counts !== undefined, 'a source has counts');
        enterRecords(turn.cursor, turn.records, out, counts, (rejection) => {
          assert(rejection.origin !== undefined, 'a source knows the origin');
          rejectedTotal++;
          rejectedRows.add(rejectedEventOf(rejection, rejection.origin, graph));
        });
        out.control(rowKinds.tick, now);
        dirty = true;
      } else if (everySource) out.control(rowKinds.tick, now);
    }
    dag.run();
    await writeRows();
    dag.clear();
    if (clock.monotonic() - lastCheckpointAt >= options.checkpointIntervalMs) await takeCheckpoint();
  };

  const writeRows = async (): Promise<void> => {
    const writes: Promise<void>[] = [];
    for (const stage of dag.sinks) {
      const rows = elementsOf(stage.input);
      if (rows.length === 0) continue;
      if (stage.node.sink.kind === 'rejected') rejectElements(stage, rows);
      else {
        const open = sinks.find((candidate) => candidate.stage === stage);
        assert(open !== undefined, 'a table has a sink');
        writes.push(writeTable(stage, open.sink, rows));
      }
    }
    await Promise.all(writes);
    if (rejectedRows.length === 0) return;
    const rejectedSink = sinks.at(-1);
    assert(rejectedSink?.id === rejectedSinkId, 'the last sink is the rejected table');
    const rows = rejectedRows.take();
    const refused = await rejectedSink.sink.write(rows);
    assert(refused.length === 0, 'the rejected table takes every rejected event');
  };

  const rejectElements = (stage: SinkStage, rows: ElementBatch): void => {
    const counts = dag.counts.get(stage.node.id);
    for (let i = 0; i < rows.length; i++) {
      const origin = rows.origins[i];
      assert(origin !== undefined, 'a rejected element has an origin');
      const late = stage.port === latePort;
      const rejection = {
        node: stage.node.id,
        code: late ? ('late' as const) : ('rejected-by-topology' as const),
        message: late ? 'the element came after its state was gone' : `the topology sends '${stage.port}' of its input here`,
        pointer: null,
        schema: null,
        value: rows.values[i],
        origin,
      };
      rejectedTotal++;
      if (counts !== undefined) {
        counts.in++;
        counts.passed++;
      }
      rejectedRows.add(rejectedEventOf(rejection, origin, graph));
    }
  };

  const writeTable = async (stage: SinkStage, sink: Sink, rows: ElementBatch): Promise<void> => {
    const refused = await sink.write(rows);
    const counts = dag.counts.get(stage.node.id);
    assert(counts !== undefined, 'a sink has counts');
    counts.in += rows.length;
    counts.passed += rows.length - refused.length;
    counts.rejected += refused.length;
    for (const { index, message, pointer } of refused) {
      const origin = rows.origins[index];
      assert(origin !== undefined, 'a refused row has an origin');
      const rejection = {
        node: stage.node.id,
        code: 'row-mismatch' as const,
        message,
        pointer,
        schema: null,
        value: rows.values[index],
        origin,
      };
      rejectedTotal++;
      rejectedRows.add(rejectedEventOf(rejection, origin, graph));
    }
  };

  const takeCheckpoint = async (): Promise<void> => {
    await committing;
    lastCheckpointAt = clock.monotonic();
    if (!dirty && pendingRows() === 0) return;
    const number = checkpoint + 1;
    const operators: Record<string, unknown> = {};
    for (const stage of dag.stages) {
      const [node] = stage.nodes;
      const state = stage.operator.snapshot?.();
      if (node !== undefined && state !== undefined) operators[node.id] = state;
    }
    const counts = Object.fromEntries([...dag.counts].map(([id, count]) => [id, { ...count }]));
    const at = positions();
    const prepared = await Promise.all(sinks.map(async ({ id, sink }) => [id, await sink.prepare(number)] as const));
    const manifest = manifestWith({ positions: at, operators, sinks: Object.fromEntries(prepared), counts }, number, attempt);
    dirty = false;
    checkpoint = number;
    committing = commit(manifest);
    // Its failure is seen by whoever awaits `committing` next: the following checkpoint, or the end of the run.
    committing.catch(() => undefined);
  };

  const commit = async (manifest: Manifest): Promise<void> => {
    await store.create(manifest);
    await Promise.all(sinks.map(({ sink }) => sink.commit(manifest.checkpoint)));
    completed = { id: manifest.checkpoint, completedAtMs: clock.now() };
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
        splits: await Promise.all((schedule?.cursors ?? []).map((cursor) => splitStatus(cursor, dag))),
        nodes: graph.nodes.map((node) => ({ id: node.id, kind: node.kind, ...(dag?.counts.get(node.id) ?? noCounts()) })),
        rejected: rejectedTotal,
        uncommittedRows: pendingRows(),
      };
    },
    async close() {
      await committing.catch(() => undefined);
      for (const { sink } of sinks) await sink.close();
      for (const reader of readers) await reader.close();
    },
  };
}

function elementsOf(batch: Batch): ElementBatch {
  const values: unknown[] = [];
  const timestamps: number[] = [];
  const origins: ElementBatch['origins'][number][] = [];
  for (let i = 0; i < batch.length; i++) {
    if (batch.kinds[i] !== rowKinds.element) continue;
    values.push(batch.values[i]);
    timestamps.push(batch.timestamps[i] as number);
    origins.push(batch.origins[i]);
  }
  return { length: values.length, values, timestamps, origins };
}
