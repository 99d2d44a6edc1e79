/**
 * What has to be known of a kind of sink where a job runs: the contract between a sink's module and
 * the list of all of them (sinks.ts), and what a place gives to each.
 */
import type { Clock } from '../schemas/kernel/clock.ts';
import type { PartitionColumn, PartitionOwner } from '../schemas/partition.ts';
import type { BlobStore } from '../schemas/ports/blob-store.ts';
import type { LakeStore } from '../schemas/ports/lake-files.ts';
import type { JsonSchema } from '../schemas/registry.ts';
import type { RunId } from '../schemas/run-id.ts';
import type { Plan, Sink, SinkDefinitionData } from '../topology/index.ts';
import type { GraphDatabase } from './graph/graph-database.ts';
import type { RowOrder } from './row-order.ts';

/** A table whose rows are delivered by somebody who makes files of them later. */
export interface DeliveredTable {
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
  readonly owner: PartitionOwner;
  /** Names the sink in the identities of rows. */
  readonly sink: string;
  /** Of a table by key. */
  readonly order: RowOrder | undefined;
  /**
   * The table's files, for rows that cannot be delivered. Opened, prepared, committed and closed
   * with the sink.
   */
  readonly fallback: Sink;
}

export type TableDelivery = (table: DeliveredTable) => Sink;

/** What a place gives: a laptop, or the services. */
export interface SinkPlace {
  readonly lake: LakeStore;
  /** How long rows may stay open before their file is published. 0: every checkpoint publishes. */
  readonly fileMaxAgeMs: number;
  /** What delivers a table's rows; undefined: they are written to the lake. */
  readonly deliveryOf: (table: string) => TableDelivery | undefined;
  /** Keeps what is staged and not applied. */
  readonly staging: BlobStore;
  /** In `staging`, of one sink alone. */
  readonly stagingFolder: (topology: string, node: string) => string;
  /** For one sink. */
  readonly graph: () => GraphDatabase;
  /** Whether the graph may be away: then a sink opens without it. */
  readonly graphMayBeAway: boolean;
  readonly clock: Clock;
  /** Partitions that a table published early, because more than may be were open. */
  readonly countEarly: (partitions: number) => void;
}

/** A sink of a topology, in one of its runs. */
export interface SinkUse<Definition> {
  readonly definition: Definition;
  readonly topology: string;
  readonly owner: Plan['owner'];
  /** The node's id. */
  readonly node: string;
  readonly run: RunId;
}

type Kinds = SinkDefinitionData['kind'];

export interface SinkBinding<Kind extends Kinds = Kinds> {
  readonly kind: Kind;
  readonly create: (
    use: SinkUse<Extract<SinkDefinitionData, { readonly kind: Kind }>>,
    place: SinkPlace,
  ) => Sink;
  /**
   * Why what is there cannot take the sink's rows, in words; nothing is written. `was`: what the
   * checkpoint says of the sink that wrote to the same place. Absent: it always can.
   */
  readonly misfits?: (
    definition: Extract<SinkDefinitionData, { readonly kind: Kind }>,
    was: Extract<SinkDefinitionData, { readonly kind: Kind }> | undefined,
    place: SinkPlace,
  ) => Promise<readonly string[]>;
}
