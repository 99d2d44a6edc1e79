/**
 * What the nodes of a topology are run with: their functions, their counters and what they need of
 * the world.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import { downstreamOf, upstreamOf } from '../nodes/ways.ts';
import { Cause } from '../operators/cause.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';
import type { LookupFunction } from '../operators/lookup/bounded-calls.ts';
import { lookupTargets } from '../operators/lookup/lookup-target.ts';
import type { Call, NodeParts, SchemasCheck } from '../operators/node-parts.ts';
import type { NodeCounts, OperatorHost, Reject } from '../operators/operator.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { ColdDigests } from '../state/cold-digests.ts';
import { memoryRecords } from '../state/memory-records.ts';
import type { RestingPlace, StateRoom } from '../state/records.ts';
import { liveStateDefaultMaxBytes } from '../state/records.ts';
import { elementLevels } from './element-levels.ts';
import type { Freezes } from './frozen-values.ts';
import { returningFrozen } from './frozen-values.ts';
import type { WorkerCalls } from './parallel/worker-calls.ts';

/** What nodes need of the world beside their functions. */
export interface DagConnections {
  /** By node id: rows of a file's table by their key's encoding. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  /** By node id. */
  readonly lookups: ReadonlyMap<string, LookupFunction>;
  readonly host: OperatorHost;
  readonly freezes: Freezes;
  readonly room?: StateRoom;
  /** Those that run the keyed nodes, with operators of their own. */
  readonly workers?: WorkerCalls | undefined;
  /** Told the number of a stage before it runs. */
  readonly begins?: ((stage: number) => void) | undefined;
  /** What a node's check of schemas is called by, where somebody watches. */
  readonly schemas?: (node: string, check: SchemasCheck) => SchemasCheck;
}

export type PartsOf = (node: PlanNode) => NodeParts;

/** What each node is run with; what it has of `records` is added there. */
export function partsFor(
  topology: Topology,
  {
    counts,
    records,
  }: { readonly counts: ReadonlyMap<string, NodeCounts>; readonly records: RestingPlace[] },
  reject: Reject,
  { tables, lookups, host, freezes, room = {}, schemas }: DagConnections,
): PartsOf {
  const { plan } = topology;
  const { recordStore = memoryRecords, liveStateMaxBytes = liveStateDefaultMaxBytes } = room;
  const { digestSegments } = room;
  const kept = <T extends RestingPlace>(place: T): T => {
    records.push(place);
    return place;
  };
  const resting = plan.nodes.filter((node) => kindOf(node).rests === true).length;
  const levels = elementLevels(plan);
  const targets = lookupTargets(host.clock);
  return (node) => {
    const { id } = node;
    const level = levels.levelOf(node);
    return {
      plan: plan,
      call: (slot) => resolved(topology, id, slot),
      returning: (call) => returningFrozen(call, freezes),
      counts: present(counts.get(id), `the counts of ${id}`),
      reject,
      cause: new Cause(),
      level,
      wayLevel: levels.hasWays(node) ? level : undefined,
      isBeforeTime: () => isBeforeTime(node, plan),
      host,
      records: () => kept(recordStore()),
      coldDigests: digestSegments && (() => kept(new ColdDigests(digestSegments()))),
      liveStateMaxBytes: liveStateMaxBytes / Math.max(1, resting),
      table: () => present(tables.get(id), `the table of ${id}`),
      connector: () => present(lookups.get(id), `the connector of ${id}`),
      targets,
      watched: (check) => schemas?.(id, check) ?? check,
    };
  };
}

/**
 * Whether event time is only set behind this node. Either all inputs of a union have it, or none.
 */
function isBeforeTime(node: PlanNode, plan: Plan): boolean {
  const upstream = upstreamOf(plan, node);
  const downstream = downstreamOf(plan, node);
  const timed = plan.nodes.filter((each) => kindOf(each).setsTime === true).map(({ id }) => id);
  return timed.some((id) => downstream.has(id)) && !timed.some((id) => upstream.has(id));
}

export function resolved(topology: Topology, node: string, slot: string): Call {
  const found = topology.resolve(node, slot);
  assert(found !== undefined, `${node} has no function ${slot}`);
  return found as Call;
}
