/**
 * Reads what is deployed: the stage, the configuration that it names, the topologies of that, and the
 * prices of `sluice cost`.
 *
 * Invariant: only these files decide. The environment of the command, the time and the account
 * change nothing, so that two people synthesize the same templates.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Deployment } from './deployment.ts';
import { problemsOf } from './problems.ts';
import { secretVariablesIn } from './secret-variables.ts';
import { ledgerStream, loadConfig, loadTopologyFile, priceListOf, SluiceError } from './sluice.ts';
import { loadStage } from './stage-file.ts';
import { tablesOf } from './tables.ts';

/**
 * What the configuration may refer to and only a deployment knows: any value that the
 * configuration accepts will do.
 */
const knownLater = {
  KAFKA_BROKERS: 'known.after.deployment:9098',
  KAFKA_ROLE_ARN: 'arn:aws:iam::000000000000:role/known-after-deployment',
} as const;

/** In place of each secret, which only pods know: as long as the configuration wants one. */
const secretOfPods = 'known to the pods alone'.padEnd(64, '.');

const prices = fileURLToPath(new URL('../../cost/prices.yaml', import.meta.url));

/**
 * Throws `SluiceError` `config-missing`, `config-invalid`, and what a topology that cannot be loaded
 * throws.
 */
export async function loadDeployment(stageFile: string): Promise<Deployment> {
  const stage = loadStage(stageFile);
  const secrets = [...secretVariablesIn(stage.config)].map((name) => [name, secretOfPods] as const);
  const env = {
    ...Object.fromEntries(secrets),
    AWS_REGION: stage.region,
    ...knownLater,
    ...stage.environment,
  };
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
    topologies: plans.map(({ name }) => name),
    prices: priceListOf([{ file: prices, text: readFileSync(prices, 'utf8') }]),
  };
  const problems = problemsOf(deployment);
  if (problems.length > 0)
    throw new SluiceError('config-invalid', problems.join('\n'), {
      fix: `fix ${stageFile} or ${stage.config}`,
    });
  return deployment;
}
