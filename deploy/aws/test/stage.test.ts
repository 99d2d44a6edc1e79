/**
 * `stage.yaml`: what is wrong with it is said with file, line and what was expected; and nothing but
 * the two files decides what is deployed.
 */
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Deployment } from '../src/deployment.ts';
import { loadDeployment } from '../src/load-deployment.ts';
import { secretVariablesIn } from '../src/secret-variables.ts';
import { loadStage, parseStage } from '../src/stage-file.ts';
import type { Files } from './support.ts';
import { minimalConfig, minimalStage, withFiles } from './support.ts';

const refused = (text: string): string => {
  try {
    parseStage(text, 'stage.yaml');
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return 'accepted';
};

describe('a stage', () => {
  it('has a default for everything but its name and region', () => {
    const stage = parseStage(minimalStage, '/x/stage.yaml');
    expect(stage).toMatchObject({
      stage: 'test',
      region: 'eu-central-1',
      config: '/x/sluice.yaml',
      network: { cidr: '10.0.0.0/16', zones: 3, natGateways: 1 },
    });
  });

  it.each([
    ['region: eu-central-1\n', 'stage.yaml:1:1: stage: is missing; expected 1 to 16 of a-z 0-9 -'],
    [minimalStage.replace('admin_role_arn', 'admin'), 'cluster.admin: unknown key; expected'],
    ['stage: Prod\nregion: eu-central-1\n', "stage.yaml:1:8: stage: invalid value 'Prod'"],
    [`${minimalStage}accounts: '1'\n`, "accounts: unknown key; expected 'account' (did you mean"],
    [`${minimalStage}account: 123456789012\n`, 'account: invalid value 123456789012; expected 12'],
    [`${minimalStage}network: {zones: 4}\n`, 'stage.yaml:4:18: network.zones: invalid value 4;'],
    ['stage: [\n', 'stage.yaml:2:1: '],
  ])('%j is refused with its line and what was expected', (text, message) => {
    expect(refused(text)).toContain(message);
  });

  it('that cannot be read is named', () => {
    expect(() => loadStage('nowhere.yaml')).toThrow('the stage nowhere.yaml cannot be read');
  });
});

const deploymentOf = (files: Files): Promise<Deployment> => withFiles(files, loadDeployment);

it('a deployment needs no secrets, which only pods know', async () => {
  const config = `${minimalConfig}
ingress: {address_secret: '\${ADDRESS_SECRET}'}
neo4j: {url: 'neo4j+s://graph.example', user: '\${BOTH}', password: '\${NEO4J_PASSWORD}\${BOTH}'}
lookups: {prices: {url: 'https://prices.example/{key}', headers: {authorization: 'Bearer \${TOKEN}'}}}
`;
  const stage = `${minimalStage}environment: {BOTH: neo4j}\n`;
  await withFiles({ config, stage }, async (stageFile) => {
    await loadDeployment(stageFile);
    const secrets = secretVariablesIn(join(dirname(stageFile), 'sluice.yaml'));
    expect([...secrets].toSorted()).toEqual(['ADDRESS_SECRET', 'NEO4J_PASSWORD', 'TOKEN']);
  });
  await expect(deploymentOf({ config })).rejects.toThrow(
    'neo4j.user: the environment variable BOTH is not set',
  );
});

describe('a deployment', () => {
  it('has the streams of the configuration, and the ledger', async () => {
    const { streams } = await deploymentOf({});
    expect(streams.map(({ name }) => name)).toEqual([
      'shop/clicks',
      'shop/orders',
      'sluice/ledger',
    ]);
  });

  it('takes variables from the stage, not from the environment of the command', async () => {
    const config = minimalConfig.replace('events-test', "'${HOME}'");
    await expect(deploymentOf({ config })).rejects.toThrow(
      's3.bucket: the environment variable HOME is not set',
    );
    const stage = `${minimalStage}environment: {HOME: events-of-stage}\n`;
    const { config: read } = await deploymentOf({ stage, config });
    expect(read.s3.bucket).toBe('events-of-stage');
  });

  it('accepts what only a deployment knows', async () => {
    const { config } = await deploymentOf({});
    expect(config.kafka).toMatchObject({ region: 'eu-central-1', brokers: [expect.anything()] });
  });

  it.each<readonly [stage: string, config: string, message: RegExp]>([
    ['', minimalConfig.replace(/s3:.*/, ''), /sluice\.yaml: s3\.bucket: is missing; expected the/],
    [
      'lake: {archive: [shop/clickz]}\n',
      minimalConfig,
      /^lake\.archive: there is no stream 'shop\/clickz'; expected one of shop\/clicks, shop\/orders$/,
    ],
    [
      '',
      minimalConfig.replace(/role_arn: \S+ /, '').replace('msk_iam', 'none'),
      /kafka\.auth: is 'none'; expected msk_iam\n.*kafka\.role_arn: is missing; expected \$\{KAFKA_ROLE_ARN\}/,
    ],
    [
      "edge: {certificate_arn: 'arn:aws:acm:eu-central-1:123456789012:certificate/a'}\n",
      minimalConfig,
      /^edge\.client_cidrs: is missing; expected who may send/,
    ],
    [
      'lake: {archive: [shop/orders]}\n',
      minimalConfig.replace('orders}', `orders, kinesis_stream: ${'o'.repeat(45)}}`),
      /^lake\.archive: the delivery stream of shop\/orders would be called 'sluice-test-archive-o+'; expected at most 64/,
    ],
    [
      'lake: {claims_days: 7}\n',
      minimalConfig.replace('orders}', 'orders, kafka: {retention_h: 168}}'),
      /^lake\.claims_days: shop\/orders keeps records 7 days; expected more than that$/,
    ],
    [
      'lake: {claims_days: 3}\n',
      minimalConfig.replace('orders}', 'orders, kinesis: {retention_h: 72}}'),
      /^lake\.claims_days: shop\/orders keeps records 3 days; expected more than that$/,
    ],
    [
      '',
      `${minimalConfig}firehose: {tables: {clicks: hose}}\n`,
      /firehose\.tables\.clicks: no topology writes it; expected one of rejected$/,
    ],
  ])('%j with %j is refused: %s', async (stage, config, message) => {
    await expect(deploymentOf({ stage: `${minimalStage}${stage}`, config })).rejects.toThrow(
      message,
    );
  });
});
