/**
 * What is deployed, as data: a stage, and what the configuration of Sluice says for it. The stacks
 * read nothing else.
 *
 * Invariant: only the two files decide. The environment of the command, the time and the account
 * change nothing, so that two people synthesize the same templates.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { problemsOf } from './problems.ts';
import type { PriceList, SluiceConfig, StreamConfig } from './sluice.ts';
import { ledgerStream, loadConfig, loadTopologyFile, priceListOf, SluiceError } from './sluice.ts';
import { loadStage } from './stage-file.ts';
import type { Stage } from './stage-table.ts';
import type { LakeTable } from './tables.ts';
import { tablesOf } from './tables.ts';

export interface Deployment {
  readonly stage: Stage;
  readonly config: SluiceConfig;
  /** Those of the configuration, and the ledger of the ingress. */
  readonly streams: readonly StreamConfig[];
  /** Those of its topologies, and the rejected table. */
  readonly tables: readonly LakeTable[];
  /** Those of `sluice cost`. */
  readonly prices: PriceList;
}

/**
 * What the configuration may refer to and only a deployment knows: any value that the
 * configuration accepts will do.
 */
const knownLater = {
  KAFKA_BROKERS: 'known.after.deployment:9098',
  KAFKA_ROLE_ARN: 'arn:aws:iam::000000000000:role/known-after-deployment',
} as const;

const prices = fileURLToPath(new URL('../../cost/prices.yaml', import.meta.url));

/**
 * Throws `SluiceError` `config-missing`, `config-invalid`, and what a topology that cannot be loaded
 * throws.
 */
export async function loadDeployment(stageFile: string): Promise<Deployment> {
  const stage = loadStage(stageFile);
  const env = { AWS_REGION: stage.region, ...knownLater, ...stage.environment };
  const config = loadConfig(stage.config, env);
  const plans = (await Promise.all(config.topologies.map(loadTopologyFile))).map(
    ({ plan }) => plan,
  );
  const tables = tablesOf(plans, config.streams, config.sinks.firehose.tables);
  const deployment = {
    stage,
    config,
    streams: [...config.streams, ledgerStream],
    tables,
    prices: priceListOf([{ file: prices, text: readFileSync(prices, 'utf8') }]),
  };
  const problems = problemsOf(deployment);
  if (problems.length > 0)
    throw new SluiceError('config-invalid', problems.join('\n'), {
      fix: `fix ${stageFile} or ${stage.config}`,
    });
  return deployment;
}

/** `sluice-prod-streams`: stacks, roles and the cluster are named so. */
export const nameOf = ({ stage }: Deployment, part: string): string =>
  `sluice-${stage.stage}-${part}`;

/** https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html */
const deliveryNameMaxChars = 64;

/** The delivery stream that archives a stream. */
export const archiveOf = (deployment: Deployment, { kinesisStream }: StreamConfig): string =>
  nameOf(deployment, `archive-${kinesisStream}`).slice(0, deliveryNameMaxChars);

export const archivedStreams = ({ streams, stage }: Deployment): readonly StreamConfig[] =>
  streams.filter(({ name }) => stage.lake.archive.includes(name));
