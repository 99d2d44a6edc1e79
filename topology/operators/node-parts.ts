/**
 * What a node is run with: its functions, its counters and what it needs of the world.
 */
import type { PlanShape } from '../nodes/node.ts';
import type { ColdDigests } from '../state/cold-digests.ts';
import type { RecordStore } from '../state/records.ts';
import type { Cause } from './cause.ts';
import type { LookupFunction } from './lookup/bounded-calls.ts';
import type { LookupTargets } from './lookup/lookup-target.ts';
import type { NodeCounts, OperatorHost, Reject } from './operator.ts';
import type { StepRejection } from './stateless.ts';

export type Call = (...args: unknown[]) => unknown;

export type SchemasCheck = (value: unknown) => StepRejection | undefined;

export interface NodeParts {
  readonly plan: PlanShape;
  /** The author's function of a slot. */
  readonly call: (slot: string) => Call;
  /** What a function returns that is fused with the next one: frozen, where that is asked for. */
  readonly returning: (call: Call) => Call;
  readonly counts: NodeCounts;
  readonly reject: Reject;
  /** Told what the operator is at work on. */
  readonly cause: Cause;
  /** How many nodes before it make several elements of one event. */
  readonly level: number;
  /** The same, where an event may come by more than one of its inputs. */
  readonly wayLevel: number | undefined;
  /** Whether event time is only set after it. */
  readonly isBeforeTime: () => boolean;
  readonly host: OperatorHost;
  /** A store of its own for state at rest, which is closed after the node. */
  readonly records: () => RecordStore;
  /** Where digests go beyond what stays in memory; undefined: all of them stay. */
  readonly coldDigests: (() => ColdDigests) | undefined;
  /** What its live objects may take before some of them rest: its part of the job's. */
  readonly liveStateMaxBytes: number;
  /** Rows of its file's table, by their key's encoding. */
  readonly table: () => ReadonlyMap<string, unknown>;
  /** What its connector is asked by. */
  readonly connector: () => LookupFunction;
  readonly targets: LookupTargets;
  /** A check of its schemas, as it is called where somebody watches. */
  readonly watched: (check: SchemasCheck) => SchemasCheck;
}
