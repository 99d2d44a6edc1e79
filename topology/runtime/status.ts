/**
 * What a running job tells about itself: JSON-safe, for `sluice status` and the example's checks.
 */
import { limits } from '../../schemas/limits.ts';
import type { Route } from '../../schemas/ports/record.ts';
import type { CheckpointHealth } from '../checkpoint/health.ts';
import type { SetAside } from '../checkpoint/isolation.ts';
import type { Losses } from '../checkpoint/losses.ts';
import type { SkipRecord, StatefulNode } from '../checkpoint/manifest.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { AskedTarget } from '../operators/lookup/lookup-target.ts';
import type { NodeCounts } from '../operators/operator.ts';
import { noCounts } from '../operators/operator.ts';
import type { Plan } from '../plan/plan.ts';
import type { StateAtRest } from '../state/records.ts';
import type { EncodedTime, SplitTime, SplitWatermarks } from '../time/watermark.ts';
import { encodeTime, isIdle, maxTime, minTime } from '../time/watermark.ts';
import type { Cursor } from './cursor.ts';
import type { Hearing } from './cursor-heard.ts';
import type { Dag } from './dag.ts';
import type { Lag } from './lags.ts';
import type { LateSink } from './sink-commits.ts';
import type { StateStatus } from './state-tables.ts';

export interface SplitStatus {
  readonly source: string;
  readonly stream: string;
  readonly path: Route;
  readonly split: string;
  readonly position: string | null;
  /** Records that are in the stream and not in the state; null where the stream cannot tell. */
  readonly lag: number | null;
  /** How far the last read was behind the stream's end, ms; null where the stream does not say. */
  readonly behindMs: number | null;
  /**
   * How far the latest event's time is behind processing time, ms; null before the first event, and
   * without an eventTime downstream.
   */
  readonly eventLagMs: number | null;
  /**
   * Epoch ms; the watermark that this split alone would allow, where an eventTime is downstream.
   */
  readonly watermark: number | 'min' | 'max' | null;
  readonly idle: boolean;
  /**
   * Whether it is read to its end. Only a split that is caught up falls idle, and goes on being
   * idle; any other holds the watermark.
   */
  readonly hearing: Hearing;
  /** Epoch ms since when it is not heard: unreadable, or not answered; null while it is. */
  readonly unheardSinceMs: number | null;
  /** What the last read said, while reads fail and are tried again. */
  readonly failure?: string;
  /** What its stream holds back and until when, such as behind a transaction that is open. */
  readonly waitsFor?: string;
}

/** Of all splits, whether they are told one by one or not. */
export interface SplitTotals {
  readonly splits: number;
  /** Of those whose streams can tell; null where none can. */
  readonly lag: number | null;
  /** Of the split that is furthest behind, ms; null where no stream says. */
  readonly behindMs: number | null;
  /** Splits that are not heard: unreadable, or not answered. */
  readonly unheard: number;
  readonly idle: number;
}

export interface NodeStatus extends NodeCounts {
  readonly id: string;
  readonly kind: string;
  /**
   * Of asynchronous look-ups: elements that wait for an answer. They are in `in` and in no other
   * count yet.
   */
  readonly waiting?: number;
  /**
   * What the last try of a look-up said, while it fails and its elements are held; of a sink, what
   * the last commit said, while it is late.
   */
  readonly failure?: string;
  /**
   * Epoch ms: the sink is behind its checkpoints since then; what they name becomes visible later.
   */
  readonly lateSince?: number;
  /**
   * Of asynchronous look-ups: how long calls to their target take, by all look-ups of the same
   * connector.
   */
  readonly asked?: AskedTarget;
  /** Of nodes that wait for event time: why nothing comes out yet. */
  readonly time?: TimeStatus;
  /**
   * Epoch ms: it came to a topology that had run before, or its state was dropped, and began empty.
   */
  readonly since?: number;
  /** Epoch ms, by name: an aggregate or a declared state came to it, and began empty. */
  readonly partsSince?: Readonly<Record<string, number>>;
}

export interface TimeStatus {
  /** Epoch ms. */
  readonly watermark: EncodedTime;
  /** Windows, elements or keys in state. */
  readonly open: number;
  /**
   * The watermark that is needed for the next result or removal, epoch ms; null when nothing waits.
   */
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
  /**
   * Over how many workers the keys of keyed nodes are divided; 1: over none, also while an element
   * is suspected that an operator failed on.
   */
  readonly parallelism: number;
  readonly checkpoint: { readonly id: number; readonly completedAtMs: number } | null;
  /**
   * What its state takes; null before it is there. `folder`: where it rests on disk; null: nowhere.
   */
  readonly state: (StateStatus & StateAtRest & { readonly folder: string | null }) | null;
  /** How its checkpoints fare in this run. */
  readonly checkpoints: CheckpointHealth;
  /** At most `statusSplitsMax`, those first that are not heard. */
  readonly splits: readonly SplitStatus[];
  readonly totals: SplitTotals;
  /**
   * Ids of the nodes that take no more, so that nothing is read: look-ups and sinks that are full,
   * sinks that have been writing for long.
   */
  readonly pausedBy: readonly string[];
  readonly nodes: readonly NodeStatus[];
  readonly rejected: number;
  /**
   * What operators failed on for no reason of their own, and calls that did not return: the last
   * ones, oldest first.
   */
  readonly setAside: readonly SetAside[];
  /** Rows that sinks took and no completed checkpoint made visible yet. */
  readonly uncommittedRows: number;
  /** Whether it was drained: it has given out everything and takes no more. */
  readonly drained: boolean;
  /** What was skipped by command, the last ones. */
  readonly skipped: readonly SkipRecord[];
  /** Records that its streams had and that were gone before they were read. */
  readonly losses: Losses;
  /** What is to be known of how it resumed from its last checkpoint. */
  readonly notes: readonly string[];
}

/** What is known of a node beside itself. */
export interface NodeFacts {
  readonly dag: Dag | undefined;
  readonly holders: readonly Holder[];
  readonly plan: Plan;
  readonly stateful: readonly StatefulNode[];
  /** Of a sink that is late. */
  readonly late: LateSink | undefined;
}

/** What takes no more for now: look-ups, sinks, and a checkpoint that is to come first. */
export function fullNodes(
  dag: Dag,
  sinks: { readonly full: readonly string[] } | undefined,
  tables: { readonly isFull: boolean } | undefined,
): readonly string[] {
  const stages = dag.stages.filter(({ operator }) => operator.isFull === true);
  return [
    ...stages.flatMap(({ nodes }) => nodes[0]?.id ?? []),
    ...(sinks?.full ?? []),
    ...(tables?.isFull === true ? ['the next checkpoint'] : []),
  ];
}

/** What a node has done and, where it waits for time, what it waits for. */
export function nodeStatus(
  node: PlanNode,
  { dag, holders, plan, stateful, late }: NodeFacts,
): NodeStatus {
  const operator = dag?.stages.find(({ nodes }) => nodes[0] === node)?.operator;
  const { progress, backlog, asked } = operator ?? {};
  const failure = operator?.failure ?? late?.failure?.slice(0, limits.statusTextMaxChars);
  const { since, parts } = stateful.find(({ id }) => id === node.id) ?? {};
  const counts = {
    id: node.id,
    kind: node.kind,
    ...(dag?.counts.get(node.id) ?? noCounts()),
    ...(backlog === undefined ? {} : { waiting: backlog }),
    ...(asked === undefined ? {} : { asked }),
    ...(failure === undefined ? {} : { failure }),
    ...(late === undefined ? {} : { lateSince: late.sinceMs }),
    ...(since === undefined ? {} : { since }),
    ...(parts === undefined ? {} : { partsSince: parts }),
  };
  if (dag === undefined || progress === undefined) return counts;
  const { watermark, open, next } = progress;
  const heldBy = open === 0 ? null : slowest(node, holders, plan);
  return {
    ...counts,
    time: {
      watermark: encodeTime(watermark),
      open,
      next: next === undefined ? null : encodeTime(next),
      heldBy,
    },
  };
}

/** What holds each event time where it is: looked for once, as many nodes may wait for it. */
export function holdersOf(dag: Dag): readonly Holder[] {
  return dag.stages.flatMap(({ nodes, operator }): readonly Holder[] => {
    const [at] = nodes;
    const { watermarks } = operator;
    if (watermarks === undefined || at?.kind !== 'eventTime') return [];
    const { outOfOrdernessMs } = at;
    const of = { eventTime: at.id, outOfOrdernessMs, latest: null };
    if (watermarks.unheard !== undefined)
      return [{ watermark: minTime, heldBy: { ...of, split: watermarks.unheard, unheard: true } }];
    let found: Holder = { watermark: maxTime, heldBy: { ...of, split: null, unheard: false } };
    for (const [split, time] of watermarks.splits) {
      if (isIdle(time)) continue;
      const watermark = watermarks.splitWatermark(time);
      if (watermark >= found.watermark && found.heldBy.split !== null) continue;
      const latest = time.maxTimestamp === minTime ? null : time.maxTimestamp;
      found = { watermark, heldBy: { ...of, split, latest, unheard: false } };
    }
    return [found];
  });
}

interface Holder {
  readonly watermark: number;
  readonly heldBy: HeldBy;
}

/** The split with the lowest watermark among all eventTime nodes upstream. */
function slowest(node: PlanNode, holders: readonly Holder[], plan: Plan): HeldBy | null {
  const upstream = new Set([node.id]);
  // Inputs name earlier nodes, so that one way back finds all.
  for (const from of [...plan.nodes].reverse())
    if (upstream.has(from.id)) for (const input of from.inputs) upstream.add(input.node);
  let found: Holder | undefined;
  for (const holder of holders) {
    if (
      upstream.has(holder.heldBy.eventTime) &&
      (found === undefined || holder.watermark < found.watermark)
    )
      found = holder;
  }
  return found?.heldBy ?? null;
}

/** The splits that are not done, as they are told. */
export function splitsStatus(
  cursors: readonly Cursor[],
  facts: SplitFacts,
): Pick<JobStatus, 'splits' | 'totals'> {
  const begun = cursors
    .filter(({ phase }) => phase !== 'done')
    .map((cursor) => ({ cursor, hearing: facts.hearingOf(cursor) }));
  const unheard = begun.filter(({ hearing }) => hearing === 'unreadable' || hearing === 'slow');
  const lags = begun.flatMap(({ cursor }) => facts.lagOf(cursor).records ?? []);
  const behind = begun.flatMap(({ cursor }) => cursor.behindMs ?? []);
  const told =
    begun.length <= limits.statusSplitsMax
      ? begun
      : [...new Set([...unheard, ...begun])].slice(0, limits.statusSplitsMax);
  return {
    splits: told.map(({ cursor, hearing }) => splitStatus(cursor, hearing, facts)),
    totals: {
      splits: begun.length,
      lag: lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0),
      behindMs: behind.length === 0 ? null : behind.reduce((most, ms) => Math.max(most, ms), 0),
      unheard: unheard.length,
      idle: begun.reduce(
        (count, { cursor }) =>
          count + (timesOf(cursor, facts.dag).some(({ time }) => isIdle(time)) ? 1 : 0),
        0,
      ),
    },
  };
}

/** What is known beside the cursors. */
export interface SplitFacts {
  readonly dag: Dag | undefined;
  readonly nowMs: number;
  readonly hearingOf: (cursor: Cursor) => Hearing;
  readonly lagOf: (cursor: Cursor) => Lag;
  /** Epoch ms. */
  readonly unheardSince: (cursor: Cursor) => number | null;
}

function timesOf(
  cursor: Cursor,
  dag: Dag | undefined,
): readonly { readonly watermarks: SplitWatermarks; readonly time: Readonly<SplitTime> }[] {
  return (dag?.stages ?? []).flatMap(({ operator: { watermarks } }) => {
    const time = watermarks?.splits.get(cursor.key);
    return watermarks === undefined || time === undefined ? [] : [{ watermarks, time }];
  });
}

/** How far a split is, and what its watermark would be on its own. */
function splitStatus(
  cursor: Cursor,
  hearing: Hearing,
  { dag, nowMs, lagOf, unheardSince }: SplitFacts,
): SplitStatus {
  const lag = lagOf(cursor);
  const failure = cursor.failure ?? lag.failure;
  const [last] = timesOf(cursor, dag).slice(-1);
  const latest =
    last === undefined || last.time.maxTimestamp === minTime ? undefined : last.time.maxTimestamp;
  const { id, stream } = cursor.source;
  return {
    source: id,
    stream,
    path: cursor.route,
    split: cursor.split,
    position: cursor.position ?? null,
    lag: lag.records,
    behindMs: cursor.behindMs ?? null,
    eventLagMs: latest === undefined ? null : nowMs - latest,
    watermark: last === undefined ? null : encodeTime(last.watermarks.splitWatermark(last.time)),
    idle: last !== undefined && isIdle(last.time),
    hearing,
    unheardSinceMs: unheardSince(cursor),
    ...(failure === undefined ? {} : { failure: failure.slice(0, limits.statusTextMaxChars) }),
    ...(cursor.waitsFor === undefined
      ? {}
      : { waitsFor: cursor.waitsFor.slice(0, limits.statusTextMaxChars) }),
  };
}
