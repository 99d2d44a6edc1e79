/**
 * What is watched: an alarm for each way in which data stops, dollars an hour as they are computed
 * by hand, and a budget.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { Match } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, it } from 'vitest';
import type { HourCost } from '../src/hourly-cost.ts';
import { hourCosts } from '../src/hourly-cost.ts';
import { loadDeployment } from '../src/load-deployment.ts';
import type { Synthesized } from './support.ts';
import {
  flightsConfig,
  minimalConfig,
  minimalStage,
  root,
  synthesize,
  withFiles,
} from './support.ts';

const config = minimalConfig
  .replace('app: clicks,', 'app: clicks, kinesis: {shards: 12}, kafka: {partitions: 6},')
  .replace('app: orders', 'app: orders, kinesis: {mode: on-demand}');
const watched =
  "observability: {alarm_email: 'data@shop.example', budget_usd: 2500, reader_lag_s: 120}\n";

let made: Synthesized;
beforeAll(async () => {
  made = await synthesize({
    stage: `${minimalStage}lake: {archive: [nyc/weather]}\n${watched}`,
    config: flightsConfig,
  });
});

it('passes the checks', () => {
  expect(made.findings).toEqual([]);
});

it('tells one topic of all alarms, and the topic the address of the stage', () => {
  const alarms = made.resources('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);
  const names = alarms.map(({ AlarmName }) => String(AlarmName).replace('sluice-test-', ''));
  expect(names).toEqual([
    ...['nyc-departures', 'nyc-weather', 'nyc-schedules', 'sluice-ledger'].flatMap((stream) =>
      ['ShardsBusy', 'WritesThrottled', 'ReadersBehind'].map((alarm) => `${alarm}-${stream}`),
    ),
    ...['DeliveryLate', 'RowsNotConverted', 'FoldersTooMany'].map((name) => `${name}-nyc-weather`),
    'DeliveryLate-sluice-test-archive-nyc-weather',
    'NoPods-InsideTargets',
  ]);
  for (const { AlarmActions, AlarmDescription } of alarms) {
    expect(AlarmActions).toHaveLength(1);
    expect(String(AlarmDescription).split('. ').length).toBeGreaterThanOrEqual(3);
    const [, page = 'none'] = /Runbook: (\S+)$/.exec(String(AlarmDescription)) ?? [];
    expect(existsSync(join(root, page)), page).toBe(true);
  }
  const lag = alarms.find(({ AlarmName }) => String(AlarmName).includes('ReadersBehind'));
  expect(lag).toMatchObject({ Threshold: 120_000 });
  made.template('observability').hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'data@shop.example',
  });
});

it('tells two weeks before the certificate of the load balancer ends', async () => {
  const certificate = 'arn:aws:acm:eu-central-1:123456789012:certificate/ID';
  const withTls = await synthesize({
    stage: `${minimalStage}edge: {certificate_arn: '${certificate}', client_cidrs: [0.0.0.0/0]}\n`,
    config: minimalConfig,
  });
  withTls.template('observability').hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmName: 'sluice-test-CertificateEnds-edge',
    MetricName: 'DaysToExpiry',
    Dimensions: [{ Name: 'CertificateArn', Value: certificate }],
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 14,
  });
});

it('lets CloudWatch publish, although the topic is encrypted and has a policy of its own', () => {
  const allowed = { Effect: 'Allow', Principal: { Service: 'cloudwatch.amazonaws.com' } };
  made.template('observability').hasResourceProperties('AWS::SNS::TopicPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([Match.objectLike({ ...allowed, Action: 'sns:Publish' })]),
    },
  });
  made.template('streams').hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({ ...allowed, Action: ['kms:Decrypt', 'kms:GenerateDataKey*'] }),
      ]),
    },
  });
});

it('warns of the budget of the stage', () => {
  made.template('observability').hasResourceProperties('AWS::Budgets::Budget', {
    Budget: { BudgetLimit: { Amount: 2_500, Unit: 'USD' } },
  });
});

/** The expression, with values of its metrics, as CloudWatch computes it. */
function valueOf({ expression }: HourCost, metrics: Readonly<Record<string, number>>): number {
  const known = { MAX: (all: number[]) => Math.max(...all), FILL: (value: number) => value };
  return Number(runInNewContext(expression, { ...metrics, ...known }));
}

it('counts dollars an hour as they are by hand, from the prices of `sluice cost`', async () => {
  const deployment = await withFiles({ config }, loadDeployment);
  const costs = new Map(hourCosts(deployment, 'kafka').map((cost) => [cost.label, cost]));
  const cost = (label: string): HourCost => costs.get(label) as HourCost;
  const gib = 2 ** 30;

  // 12 shards; 9 million records of 2 KiB are 9 million PUT units, of 50 KiB 18 million.
  const clicks = cost('Kinesis shop-clicks-test');
  const records = 9_000_000;
  expect(valueOf(clicks, { r: records, i: records * 2_048 })).toBeCloseTo(12 * 0.015 + 9 * 0.014);
  expect(valueOf(clicks, { r: records, i: records * 51_200 })).toBeCloseTo(12 * 0.015 + 18 * 0.014);
  const orders = cost('Kinesis shop-orders');
  expect(valueOf(orders, { i: 10 * gib, o: 20 * gib })).toBeCloseTo(0.04 + 10 * 0.08 + 20 * 0.04);
  const kafka = cost('Kafka shop-clicks');
  const gibAnHour = gib / 3_600;
  expect(valueOf(kafka, { i: gibAnHour, o: 2 * gibAnHour })).toBeCloseTo(
    6 * 0.0015 + 0.1 + 2 * 0.05,
  );
  const fixed = cost('Kafka, EKS, load balancer, endpoints and NAT, without nodes');
  expect(valueOf(fixed, { r: 1 })).toBeCloseTo(0.75 + 0.1 + 0.0225 + 8 * 3 * 0.01 + 0.045);
});
