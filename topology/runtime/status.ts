/**
 * What a running job tells about itself: JSON-safe, for `sluice status` and the example's checks.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Path } from '../../schemas/ports/record.ts';
import type { CheckpointHealth } from '../checkpoint/health.ts';
import type { StatefulNode } from '../checkpoint/manifest.ts';
import type { Graph, GraphNode } from '../graph/graph.ts';
import { EventTimeOperator } from '../operators/event-time.ts';
import type { NodeCounts } from '../operators/operator.ts';
import { noCounts } from '../operators/operator.ts';
import type { EncodedTime } from '../time/watermark.ts';
import { encodeTime, isIdle, maxTime, minTime } from '../time/watermark.ts';
import type { Dag } from './dag.ts';
import type { Cursor, Hearing } from './source.ts';

export interface SplitStatus {
  readonly source: string;
  readonly stream: string;
  readonly path: Path;
  readonly split: string;
  readonly position: string | null;
  /** Records that are in the stream and not in the state; null where the stream cannot tell. */
  readonly lag: number | null;
  /** How far the last read was behind the stream's end, ms; null where the stream does not say. */
  readonly behindMs: number | null;
  /** How far the latest event's time is behind processing time, ms; null before the first event, and without an eventTime downstream. */
  readonly eventLagMs: number | null;
  /** Epoch ms; the watermark that this split alone would allow, where an eventTime is downstream. */
  readonly watermark: number | 'min' | 'max' | null;
  readonly idle: boolean;
  /** Whether it is read to its end. Only a split that is caught up falls idle, and goes on being idle; any other holds the watermark. */
  readonly hearing: Hearing;
  /** What the last read said, while reads fail and are tried again. */
  readonly failure?: string;
}

export interface NodeStatus extends NodeCounts {
  readonly id: string;
  readonly kind: string;
  /** Of asynchronous look-ups: elements that wait for an answer. They are in `in` and in no other count yet. */
  readonly waiting?: number;
  /** What the last try of a look-up said, while it fails and its elements are held. */
  readonly failure?: string;
  /** Of nodes that wait for event time: why nothing comes out yet. */
  readonly time?: TimeStatus;
  /** Epoch ms: it came to a topology that had run before, or its state was dropped, and began empty. */
  readonly since?: number;
  /** Epoch ms, by name: an aggregate or a declared state came to it, and began empty. */
  readonly partsSince?: Readonly<Record<string, number>>;
}

export interface TimeStatus {
  /** Epoch ms. */
  readonly watermark: EncodedTime;
  /** Windows, elements or keys in state. */
  readonly open: number;
  /** The watermark that is needed for the next result or removal, epoch ms; null when nothing waits. */
  readonly next: EncodedTime | null;
  /** Which split upstream holds the watermark where it is. */
  readonly heldBy: HeldBy | null;
}

export interface HeldBy {
  readonly eventTime: string;
  /** `source path split`; null when every split is idle, so that none moves it on. */
  readonly split: string | null;
  /** Its latest event, epoch ms; null when it had none yet. */
  readonly latest: number | null;
  readonly outOfOrdernessMs: number;
  /** Whether it was idle, and holds time because nobody could see lately that it still is. */
  readonly unheard: boolean;
}

export interface JobStatus {
  readonly name: string;
  readonly version: number;
  readonly attempt: number;
  readonly turns: number;
  readonly checkpoint: { readonly id: number; readonly completedAtMs: number } | null;
  /** How its checkpoints fare in this run. */
  readonly checkpoints: CheckpointHealth;
  readonly splits: readonly SplitStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly rejected: number;
  /** Rows that sinks took and no completed checkpoint made visible yet. */
  readonly uncommittedRows: number;
  /** Whether it was drained: it has given out everything and takes no more. */
  readonly drained: boolean;
  /** What is to be known of how it went on from its last checkpoint. */
  readonly notes: readonly string[];
}

/** What a node has done and, where it waits for time, what it waits for. */
export function nodeStatus(node: GraphNode, dag: Dag | undefined, graph: Graph, stateful: readonly StatefulNode[]): NodeStatus {
  const operator = dag?.stages.find(({ nodes }) => nodes[0] === node)?.operator;
  const { progress, backlog, failure } = operator ?? {};
  const { since, parts } = stateful.find(({ id }) => id === node.id) ?? {};
  const counts = {
    id: node.id,
    kind: node.kind,
    ...(dag?.counts.get(node.id) ?? noCounts()),
    ...(backlog === undefined ? {} : { waiting: backlog }),
    ...(failure === undefined ? {} : { failure }),
    ...(since === undefined ? {} : { since }),
    ...(parts === undefined ? {} : { partsSince: parts }),
  };
  if (dag === undefined || progress === undefined) return counts;
  const { watermark, open, next } = progress;
  const heldBy = open === 0 ? null : slowest(node, dag, graph);
  return { ...counts, time: { watermark: encodeTime(watermark), open, next: next === undefined ? null : encodeTime(next), heldBy } };
}

/** The split with the lowest watermark among all eventTime nodes upstream. */
function slowest(node: GraphNode, dag: Dag, graph: Graph): HeldBy | null {
  const upstream = new Set([node.id]);
  // Inputs name earlier nodes, so that one way back finds all.
  for (const from of [...graph.nodes].reverse()) if (upstream.has(from.id)) for (const input of from.inputs) upstream.add(input.node);
  let found: HeldBy | null = null;
  let lowest = maxTime;
  for (const { nodes, operator } of dag.stages) {
    const [at] = nodes;
    if (!(operator instanceof EventTimeOperator) || at?.kind !== 'eventTime' || !upstream.has(at.id)) continue;
    const { outOfOrdernessMs } = at;
    const { unheard } = operator.watermarks;
    if (unheard !== undefined) return { eventTime: at.id, split: unheard, latest: null, outOfOrdernessMs, unheard: true };
    const active = [...operator.watermarks.splits].filter(([, time]) => !isIdle(time));
    if (active.length === 0) found ??= { eventTime: at.id, split: null, latest: null, outOfOrdernessMs, unheard: false };
    for (const [split, time] of active) {
      const watermark = operator.watermarks.splitWatermark(time);
      if (watermark >= lowest) continue;
      lowest = watermark;
      const latest = time.maxTimestamp === minTime ? null : time.maxTimestamp;
      found = { eventTime: at.id, split, latest, outOfOrdernessMs, unheard: false };
    }
  }
  return found;
}

/** How far a split is, and what its watermark would be on its own. */
export async function splitStatus(cursor: Cursor, dag: Dag, nowMs: number, hearing: Hearing): Promise<SplitStatus> {
  const { lag, failure } = await lagOf(cursor);
  let watermark: SplitStatus['watermark'] = null;
  let eventLagMs: number | null = null;
  let idle = false;
  for (const { operator } of dag.stages) {
    if (!(operator instanceof EventTimeOperator)) continue;
    const time = operator.watermarks.splits.get(cursor.key);
    if (time === undefined) continue;
    watermark = encodeTime(operator.watermarks.splitWatermark(time));
    if (time.maxTimestamp !== minTime) eventLagMs = nowMs - time.maxTimestamp;
    idle = isIdle(time);
  }
  const { id, stream } = cursor.source;
  return {
    source: id,
    stream,
    path: cursor.path,
    split: cursor.split,
    position: cursor.position ?? null,
    lag: lag ?? null,
    behindMs: cursor.behindMs ?? null,
    eventLagMs,
    watermark,
    idle,
    hearing,
    ...(failure === undefined ? {} : { failure }),
  };
}

/** A stream that cannot be asked now is no reason for a status to fail. */
async function lagOf({
  reader,
  split,
  position,
  failure,
}: Cursor): Promise<{ readonly lag?: number | undefined; readonly failure: string | undefined }> {
  try {
    return { lag: await reader.lag(split, position), failure };
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.retryable) return { failure: failure ?? thrown.message };
    throw thrown;
  }
}
