/**
 * What is deployed, as data: a stage, and what the configuration of Sluice says for it. The stacks
 * read nothing else.
 *
 * Invariant: only the two files decide. The environment of the command, the time and the account
 * change nothing, so that two people synthesize the same templates.
 */
import type { SluiceConfig, StreamConfig } from './sluice.ts';
import { ledgerStream, loadConfig } from './sluice.ts';
import { loadStage } from './stage-file.ts';
import type { Stage } from './stage-table.ts';

export interface Deployment {
  readonly stage: Stage;
  readonly config: SluiceConfig;
  /** Those of the configuration, and the ledger of the ingress. */
  readonly streams: readonly StreamConfig[];
}

/**
 * What the configuration may refer to and only a deployment knows: any value that the
 * configuration accepts will do.
 */
const knownLater = {
  KAFKA_BROKERS: 'known.after.deployment:9098',
  KAFKA_ROLE_ARN: 'arn:aws:iam::000000000000:role/known-after-deployment',
} as const;

/** Throws `SluiceError` `config-missing`, `config-invalid`. */
export function loadDeployment(stageFile: string): Deployment {
  const stage = loadStage(stageFile);
  const env = { AWS_REGION: stage.region, ...knownLater, ...stage.environment };
  const config = loadConfig(stage.config, env);
  return { stage, config, streams: [...config.streams, ledgerStream] };
}

/** `sluice-prod-streams`: stacks, roles and the cluster are named so. */
export const nameOf = ({ stage }: Deployment, part: string): string =>
  `sluice-${stage.stage}-${part}`;
