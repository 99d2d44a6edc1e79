/**
 * The values of the chart from the outputs of the stacks: every output that is read is one of a
 * template.
 */
import { beforeAll, expect, it } from 'vitest';
import type { Outputs } from '../src/helm-values.ts';
import { helmValues } from '../src/helm-values.ts';
import { parseStage } from '../src/stage-file.ts';
import { flightsConfig, minimalStage, synthesize } from './support.ts';

const outside = `${minimalStage}environment: {S3_BUCKET: flights-test, NEO4J_PASSWORD: hunter2}\nedge: {certificate_arn: 'arn:aws:acm:eu-central-1:123456789012:certificate/a', client_cidrs: [0.0.0.0/0], api_gateway: true}\n`;
const key = `keys: [{name: a, sha256: '${'0'.repeat(64)}', streams: ['*/*']}]\n`;

/** As `cdk deploy --outputs-file` writes them. */
async function outputsOf(stage: string): Promise<Outputs> {
  const { templates } = await synthesize({ stage, config: `${flightsConfig}${key}` });
  return Object.fromEntries(
    [...templates].map(([part, template]) => {
      const { Outputs: own = {} } = template.toJSON() as {
        readonly Outputs?: Readonly<Record<string, unknown>>;
      };
      const names = Object.keys(own).map((name) => [name, `arn:${name}`]);
      return [`sluice-test-${part}`, Object.fromEntries(names) as Record<string, string>];
    }),
  );
}

const secrets = new Set(['NEO4J_PASSWORD']);

let outputs: Outputs;
beforeAll(async () => {
  // It has both target groups.
  outputs = await outputsOf(outside);
});

it.each([
  ['inside the VPC', minimalStage, ['    inside: arn:InsideTargetsArn']],
  [
    'on the internet, with API Gateway',
    outside,
    ['    tls: arn:TlsTargetsArn', '    inside: arn:InsideTargetsArn'],
  ],
])('are those of the roles and target groups: %s', (_, stage, groups) => {
  expect(helmValues(outputs, parseStage(stage, 'stage.yaml'), secrets)).toBe(
    [
      '# environment.KAFKA_BROKERS is missing here: it is what this prints.',
      '# aws kafka get-bootstrap-brokers --region eu-central-1 --cluster-arn arn:KafkaArn --query BootstrapBrokerStringSaslIam --output text',
      '# NEO4J_PASSWORD is a secret: name its Secret in extraEnv.',
      ...(stage === outside ? ['environment:', '  S3_BUCKET: "flights-test"'] : []),
      'aws:',
      '  region: eu-central-1',
      '  podIdentity: true',
      '  kafkaRoleArns:',
      '    ingest: arn:KafkaRoleingest',
      '    enrich: arn:KafkaRoleenrich',
      '    topics: arn:KafkaRoletopics',
      '  targetGroups:',
      ...groups,
      '# DNS of Auto Mode is on the nodes: any private address.',
      'networkPolicy:',
      '  dnsTo:',
      '    - ipBlock: {cidr: 10.0.0.0/8}',
      '    - ipBlock: {cidr: 172.16.0.0/12}',
      '    - ipBlock: {cidr: 192.168.0.0/16}',
      '    - ipBlock: {cidr: 169.254.0.0/16}',
      '# The stack `streams` makes those of Kinesis.',
      'topics: {only: kafka}',
      '',
    ].join('\n'),
  );
});

it('say which topologies pods must not run, too', () => {
  const moved = `${minimalStage}flink: {applications: {flights: {jar_s3: 's3://builds-test/1.jar'}}}\n`;
  expect(helmValues(outputs, parseStage(moved, 'stage.yaml'), secrets)).toContain(
    '\n# flights runs on Managed Flink: leave it out of topologies.\naws:\n',
  );
});

it('say which output is missing', () => {
  expect(() => helmValues({}, parseStage(minimalStage, 'stage.yaml'), secrets)).toThrow(
    "no output 'InsideTargetsArn' of the stack sluice-test-cluster found",
  );
});
