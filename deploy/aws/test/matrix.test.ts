/**
 * Settings that change much, each synthesized and checked whole, within the limits of
 * CloudFormation; and by cfn-lint 1.58, which alone knows the names of IAM actions, where it is
 * installed. `npm run matrix` runs all rows, `npm test` the first.
 *
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as iam from 'aws-cdk-lib/aws-iam';
import { expect, it } from 'vitest';
import { roleOf } from '../src/roles.ts';
import type { Files, Synthesized } from './support.ts';
import { flightsConfig, minimalConfig, minimalStage, synthesize } from './support.ts';

const [resourcesMax, templateMaxBytes] = [500, 1_000_000];
const certificate = 'arn:aws:acm:eu-central-1:123456789012:certificate/a';
const key = `keys: [{name: a, sha256: '${'0'.repeat(64)}', streams: ['*/*']}]\n`;
const streams = (count: number, more: string): string =>
  Array.from({ length: count }, (_, n) => `  - {team: shop, app: app-${n}${more}}\n`).join('');
const manyStreams = (more = ''): string =>
  minimalConfig.replace(/streams:\n(?: {2}- .*\n)+/, `streams:\n${streams(40, more)}`);
const archives = `lake: {archive: [${Array.from({ length: 40 }, (_, n) => `shop/app-${n}`).join(', ')}]}\n`;

interface Row extends Files {
  readonly name: string;
  /** How many Kinesis streams there are, as a sign that the row is what it is called. */
  readonly streamCount: number;
}

const everything = `${minimalStage}account: '123456789012'
edge: {certificate_arn: '${certificate}', client_cidrs: [0.0.0.0/0], api_gateway: true}
lake: {archive: [nyc/weather, nyc/departures]}
observability: {alarm_email: a@shop.example, budget_usd: 100}
flink: {applications: {flights: {jar_s3: 's3://builds-test/flights/1.jar', parallelism: 4}}}
`;
const allRows: readonly Row[] = [
  { name: 'everything on', stage: everything, config: `${flightsConfig}${key}`, streamCount: 4 },
  { name: 'the least', streamCount: 3 },
  {
    name: 'two zones, API from the office',
    stage: `${minimalStage.replace('cluster: {', 'cluster: {api_cidrs: [203.0.113.0/24], namespace: events, ')}network: {zones: 2, nat_gateways: 2, cidr: 10.9.0.0/16}\n`,
    streamCount: 3,
  },
  {
    name: 'on-demand streams with fan-out',
    config: `${manyStreams(', kinesis: {mode: on-demand, retention_h: 168, record_max_kb: 2048}')}kinesis: {fan_out: true}\n`,
    streamCount: 41,
  },
  {
    name: 'Iceberg by Firehose',
    stage: everything,
    config: `${flightsConfig.replace('firehose: {', 'firehose: {format: iceberg, ')}${key}`,
    streamCount: 4,
  },
  {
    name: '40 streams, all archived',
    stage: `${minimalStage}${archives}`,
    config: manyStreams(),
    streamCount: 41,
  },
];
const rows = process.env['MATRIX'] === 'full' ? allRows : allRows.slice(0, 1);

/** Another version knows other resources, and other rules. */
const lintVersion = '1.58.';
const hasLint = String(spawnSync('cfn-lint', ['--version']).stdout).includes(` ${lintVersion}`);
/** Of constructs of CDK: a dependency that is implied, a mapping that is not used, a token. */
const ignored = ['W3005', 'W7001', 'W1030'];

/** What cfn-lint says of the templates. */
function linted({ templates }: Synthesized): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cfn-lint-'));
  try {
    const files = [...templates].map(([part, template]) => {
      const file = join(folder, `${part}.json`);
      writeFileSync(file, JSON.stringify(template.toJSON()));
      return file;
    });
    const args = ['--ignore-checks', ...ignored, '--regions', 'eu-central-1', '--', ...files];
    const { stdout, stderr } = spawnSync('cfn-lint', args, { encoding: 'utf8' });
    return `${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it.each(rows)('$name', async (row) => {
  const made = await synthesize(row);
  expect(made.findings).toEqual([]);
  expect(made.resources('AWS::Kinesis::Stream')).toHaveLength(row.streamCount);
  for (const [part, template] of made.templates) {
    const { Resources } = template.toJSON() as { readonly Resources: object };
    expect(Object.keys(Resources).length, part).toBeLessThanOrEqual(resourcesMax);
    expect(JSON.stringify(template.toJSON()).length, part).toBeLessThan(templateMaxBytes);
  }
  if (hasLint) expect(linted(made)).toBe('');
});

it.skipIf(!hasLint)('cfn-lint finds an IAM action that does not exist', async () => {
  const made = await synthesize({}, ({ lake }) =>
    roleOf(lake, 'Planted', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      rights: [{ sid: 'Misspelt', actions: ['kinesis:PutRecordz'], on: [lake.bucket.bucketArn] }],
    }),
  );
  expect(made.findings).toEqual([]);
  expect(linted(made)).toContain('W3037');
});
