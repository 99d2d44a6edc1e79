/**
 * Topologies on Managed Flink: an application each with a role that has what the job calls, what the
 * service needs in its name, and no more; and faults that are planted there are refused. The rule of
 * cdk-nag for checkpoints (KDA3) looks at an older class alone: here they are looked at.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stacks } from '../src/app.ts';
import type { HourCost } from '../src/hourly-cost.ts';
import { hourCosts } from '../src/hourly-cost.ts';
import { loadDeployment } from '../src/load-deployment.ts';
import { roleOf } from '../src/roles.ts';
import type { FlinkStack } from '../src/stacks/flink.ts';
import { parseStage } from '../src/stage-file.ts';
import type { Resource, Synthesized } from './support.ts';
import {
  flightsConfig,
  minimalConfig,
  minimalStage,
  root,
  synthesize,
  withFiles,
} from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-aws-flink-'));
const jar = join(folder, 'flights.jar');
const stageOf = (application: string): string =>
  `${minimalStage}flink: {applications: {flights: {${application}}}}\n`;
const stage = stageOf(
  `jar: '${jar}', parallelism: 6, parallelism_per_kpu: 2, autoscaling: true, checkpoint_s: 10`,
);
const name = 'sluice-test-flights';

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

let made: Synthesized;
beforeAll(async () => {
  writeFileSync(jar, 'as a jar');
  made = await synthesize({ stage, config: flightsConfig });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const statementsOf = (): readonly Statement[] => {
  const role = made
    .resources('AWS::IAM::Role')
    .find(({ Properties }) => Properties['RoleName'] === `${name}-flink`);
  const policies = role?.Properties['Policies'] as {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  }[];
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
};

it('is off unless the stage names a topology', () => {
  expect(parseStage(minimalStage, 'stage.yaml').flink.applications).toEqual({});
});

it('passes the checks, with one application of the runtime that the job is compiled for', () => {
  expect(made.findings).toEqual([]);
  const flink = made.template('flink');
  flink.resourceCountIs('AWS::KinesisAnalyticsV2::Application', 1);
  flink.hasResourceProperties('AWS::KinesisAnalyticsV2::Application', {
    ApplicationName: name,
    RuntimeEnvironment: 'FLINK-1_20',
    ApplicationMode: 'STREAMING',
    ApplicationConfiguration: {
      ApplicationCodeConfiguration: {
        CodeContentType: 'ZIPFILE',
        CodeContent: {
          S3ContentLocation: { FileKey: Match.stringLikeRegexp('^[0-9a-f]{64}\\.jar$') },
        },
      },
      ApplicationSnapshotConfiguration: { SnapshotsEnabled: true },
      ApplicationSystemRollbackConfiguration: { RollbackEnabled: true },
      FlinkApplicationConfiguration: {
        CheckpointConfiguration: {
          ConfigurationType: 'CUSTOM',
          CheckpointingEnabled: true,
          CheckpointInterval: 10_000,
        },
        ParallelismConfiguration: {
          ConfigurationType: 'CUSTOM',
          Parallelism: 6,
          ParallelismPerKPU: 2,
          AutoScalingEnabled: true,
        },
      },
      VpcConfigurations: [
        {
          SubnetIds: Array.from({ length: 3 }, () => Match.anyValue()),
          SecurityGroupIds: [Match.anyValue()],
        },
      ],
    },
    RunConfiguration: {
      ApplicationRestoreConfiguration: {
        ApplicationRestoreType: 'RESTORE_FROM_LATEST_SNAPSHOT',
      },
      FlinkRunConfiguration: { AllowNonRestoredState: false },
    },
  });
  flink.hasResourceProperties('AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption', {
    ApplicationName: Match.anyValue(),
    CloudWatchLoggingOption: { LogStreamARN: Match.anyValue() },
  });
  flink.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  flink.hasResourceProperties('AWS::EC2::SecurityGroupIngress', { FromPort: 9_098 });
});

it('gives the job what its policy says, on what this deployment has', () => {
  const file = new URL('../../../docs/operating/policies/flink.json', import.meta.url);
  const { Statement } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly Statement: readonly Statement[];
  };
  const actionsOf = (all: readonly Statement[]): Readonly<Record<string, readonly string[]>> =>
    Object.fromEntries(all.map(({ Sid, Action }) => [Sid, [Action].flat()]));
  expect(actionsOf(statementsOf())).toEqual({
    ...actionsOf(Statement),
    Jar: ['s3:GetObject', 's3:GetObjectVersion'],
    LogGroups: ['logs:DescribeLogGroups'],
    LogStreams: ['logs:DescribeLogStreams'],
    Log: ['logs:PutLogEvents'],
  });
  const on = (sid: string): string =>
    JSON.stringify(statementsOf().find(({ Sid }) => Sid === sid)?.Resource);
  expect(on('Objects')).toContain(':s3:::flights-test/lake/*');
  expect(on('Claims')).toContain(':s3:::flights-test/claims/*');
  expect(on('Jar')).toMatch(/cdk-hnb659fds-assets-.*\/[0-9a-f]{64}\.jar/);
  expect(on('Streams').match(/:stream\/(?:nyc|sluice)-\w+"/g)).toHaveLength(4);
  expect(on('Topics').match(/\/(?:nyc|sluice)-\w+"/g)).toHaveLength(4);
  expect(on('Groups')).toMatch(/:group\/.*\/sluice-flights"/);
  expect(on('Log')).toContain(`:log-group:/aws/kinesis-analytics/${name}:log-stream:job`);
  expect(JSON.stringify(statementsOf())).not.toContain('"Resource":"*"');
});

it('is assumed by the service for this application alone, and may look at a VPC, not change it', () => {
  const flink = made.template('flink');
  flink.hasResourceProperties('AWS::IAM::Role', {
    RoleName: `${name}-flink`,
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Principal: { Service: 'kinesisanalytics.amazonaws.com' },
          Condition: {
            StringEquals: { 'aws:SourceAccount': Match.anyValue() },
            ArnEquals: { 'aws:SourceArn': Match.anyValue() },
          },
        },
      ],
    },
  });
  const [policy] = made.resources('AWS::IAM::ManagedPolicy');
  const { Statement } = (policy as Resource).Properties['PolicyDocument'] as {
    readonly Statement: readonly Statement[];
  };
  const onAll = Statement.filter(({ Resource }) => Resource === '*');
  expect(onAll.flatMap(({ Action }) => Action)).toEqual(
    ['DhcpOptions', 'NetworkInterfaces', 'SecurityGroups', 'Subnets', 'Vpcs'].map(
      (what) => `ec2:Describe${what}`,
    ),
  );
  const make = JSON.stringify(Statement.find(({ Sid }) => Sid === 'Make')?.Resource);
  for (const resource of ['network-interface/*', 'security-group/', 'subnet/'])
    expect(make).toContain(resource);
});

it('is watched by alarms, and counted in dollars an hour', async () => {
  const alarms = made.resources('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);
  const alarm = (id: string) =>
    alarms.find(({ AlarmName }) => AlarmName === `sluice-test-${id}-${name}`);
  expect(alarm('FlinkDown')).toMatchObject({ TreatMissingData: 'breaching', Threshold: 0 });
  expect(alarm('FlinkRestarts')).toMatchObject({
    TreatMissingData: 'notBreaching',
    Metrics: expect.arrayContaining([
      expect.objectContaining({ Expression: 'most - least' }),
    ]) as unknown,
  });
  expect(alarm('FlinkCheckpointFailing')).toBeDefined();
  expect(alarm('FlinkCheckpointSlow')).toMatchObject({ Threshold: 10_000 });
  // Half of the 50 GB that each of 6 / 2 KPU has.
  expect(alarm('FlinkStateLarge')).toMatchObject({ Threshold: 75 * 2 ** 30 });
  const deployment = await withFiles({ stage, config: flightsConfig }, loadDeployment);
  const cost = hourCosts(deployment, 'kafka').find(
    ({ label }) => label === `Managed Flink ${name}`,
  ) as HourCost;
  // Three KPU and one that orchestrates, and 150 GB a month.
  const [dollars] = cost.expression.split(' ');
  expect(Number(dollars)).toBeCloseTo(4 * 0.11 + (150 * 0.1) / 730, 9);
});

it('of a jar in a bucket reads that; planted faults fail the synthesis, each by its rule', async () => {
  const application = ({ flink }: Stacks) => (flink as FlinkStack).applications.get('flights');
  const faults: readonly (readonly [what: string, plant: (stacks: Stacks) => unknown, string])[] = [
    [
      'a job that may do everything',
      ({ flink }) =>
        roleOf(flink as FlinkStack, 'Planted', {
          assumedBy: new iam.ServicePrincipal('kinesisanalytics.amazonaws.com'),
          rights: [{ sid: 'All', actions: ['kinesis:*'], on: ['*'] }],
        }),
      'AwsSolutions-IAM5[Resource::*]',
    ],
    [
      'a runtime that does not exist',
      (stacks) => application(stacks)?.addPropertyOverride('RuntimeEnvironment', 'FLINK-9_9'),
      'W3030',
    ],
    [
      'a property that does not exist',
      (stacks) => application(stacks)?.addPropertyOverride('ApplicationConfiguration.Jar', 'x'),
      'F3002',
    ],
  ];
  let bucket: unknown;
  const { findings } = await synthesize(
    { stage: stageOf("jar_s3: 's3://builds-test/flights/1.jar'"), config: flightsConfig },
    (stacks) => {
      bucket = application(stacks)?.applicationConfiguration;
      for (const [, plant] of faults) plant(stacks);
    },
  );
  const code = (bucket as { applicationCodeConfiguration?: unknown }).applicationCodeConfiguration;
  expect(JSON.stringify(code)).toMatch(/:s3:::builds-test".*"flights\/1\.jar"/);
  const text = findings.join('\n');
  expect(faults.filter(([, , rule]) => !text.includes(rule)).map(([what]) => what)).toEqual([]);
});

it.each([
  ["jar_s3: 's3://builds-test/a.jar'", minimalConfig, /flights: the configuration has no such top/],
  ['parallelism: 2', flightsConfig, /flights: has neither jar nor jar_s3; expected one of them/],
  [
    "jar: 'a.jar', jar_s3: 's3://builds-test/a.jar'",
    flightsConfig,
    /has both jar and jar_s3; expected one[^]*flights\.jar: there is no file .*a\.jar; expected/,
  ],
])('an application of %j is refused', async (application, config, message) => {
  await expect(withFiles({ stage: stageOf(application), config }, loadDeployment)).rejects.toThrow(
    message,
  );
});

it('the page shows a stage that is accepted, and commands for an application that it makes', () => {
  const page = readFileSync(join(root, 'docs/operating/flink-aws.md'), 'utf8');
  const [, shown = ''] = /^```yaml\n(# stage\.yaml\n.*?)^```$/ms.exec(page) ?? [];
  const { flink } = parseStage(`${minimalStage}${shown}`, '/x/stage.yaml');
  expect(flink.applications).toEqual({
    clicks: {
      jar: '/x/clicks.jar',
      jarS3: undefined,
      ...{ parallelism: 4, parallelismPerKpu: 1, autoscaling: false, checkpointIntervalMs: 60_000 },
    },
  });
  const commands = [...page.matchAll(/^aws kinesisanalyticsv2 (\S+) --application-name (\S+)$/gm)];
  expect(commands.map(([, verb, application]) => [verb, application])).toEqual(
    ['start', 'describe', 'stop'].map((verb) => [`${verb}-application`, 'sluice-prod-clicks']),
  );
  // Two KPU of storage and compute, as the page says them.
  expect([730 * 0.11 * 2 + 50 * 0.1, 730 * 0.11].map((dollars) => dollars.toFixed(2))).toEqual([
    '165.60',
    '80.30',
  ]);
  expect(page).toContain(
    'One KPU costs $85.30 a month with its storage, and the one that orchestrates $80.30.',
  );
});
