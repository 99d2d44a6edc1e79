/**
 * What is deployed, as data: a stage, and what the configuration of Sluice says for it; and how its
 * parts are called. The stacks read nothing else. Pure.
 */
import type { PriceList, SluiceConfig, StreamConfig } from './sluice.ts';
import type { FlinkApplication, Stage } from './stage-table.ts';
import type { LakeTable } from './tables.ts';

export interface Deployment {
  readonly stage: Stage;
  readonly config: SluiceConfig;
  /** Those of the configuration, and the ledger of the ingress. */
  readonly streams: readonly StreamConfig[];
  /** Those of its topologies, and the rejected table. */
  readonly tables: readonly LakeTable[];
  /** The names of its topologies. */
  readonly topologies: readonly string[];
  /** Those of `sluice cost`. */
  readonly prices: PriceList;
}

/** `sluice-prod-streams`: stacks, roles and the cluster are named so. */
export const nameOf = ({ stage }: Deployment, part: string): string =>
  `sluice-${stage.stage}-${part}`;

/** The delivery stream that archives a stream. */
export const archiveOf = (deployment: Deployment, { kinesisStream }: StreamConfig): string =>
  nameOf(deployment, `archive-${kinesisStream}`);

/** What a topology is called at Managed Flink. */
export const applicationOf = (deployment: Deployment, topology: string): string =>
  nameOf(deployment, topology);

/** By the name of a topology. */
export const flinkOf = ({ stage }: Deployment): readonly (readonly [string, FlinkApplication])[] =>
  Object.entries(stage.flink.applications);

export const hasFlink = (deployment: Deployment): boolean => flinkOf(deployment).length > 0;

export const archivedStreams = ({ streams, stage }: Deployment): readonly StreamConfig[] =>
  streams.filter(({ name }) => stage.lake.archive.includes(name));
