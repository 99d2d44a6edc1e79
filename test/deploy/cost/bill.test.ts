/**
 * Four loads against calculations by hand. Each expected sum is written out in its numbers: prices
 * and quotas as AWS has them, 730 hours or 2,628,000 seconds a month, GB as 2^30 bytes. Nothing of
 * it is computed by the code under test.
 */
import { describe, expect, it } from 'vitest';
import { billOf, servicesOf } from '../../../deploy/cost/bill.ts';
import type { Design, Load } from '../../../deploy/cost/design.ts';
import { originDesign } from '../../../deploy/cost/design.ts';
import { design, load, prices } from './support.ts';

const clicks = (settings: string): string => `streams: [{team: shop, app: clicks, ${settings}}]\n`;
const production = clicks(
  'aggregate: kpl-gzip, kinesis: {mode: provisioned}, kafka: {partitions: 6}',
);

/** Dollars by service, and the shards of shop/clicks. */
function told(of: Design, under: Load): Readonly<Record<string, number>> {
  const bill = billOf(of, under, prices);
  return {
    shards: bill.shards.find(({ stream }) => stream === 'shop/clicks')?.needed ?? 0,
    ...Object.fromEntries(servicesOf(bill).map(({ service, dollars }) => [service, dollars])),
  };
}

/** What stands whatever the load is. */
const idle = {
  // One cluster, three c7g.xlarge, and 12 % of those.
  EKS: 730 * 0.1 + 3 * 730 * 0.145 * 1.12,
  // One gateway, and 100 GB.
  'NAT gateway': 730 * 0.045 + 100 * 0.045,
  // 20 alarms, one dashboard.
  CloudWatch: 20 * 0.1 + 3,
};
/** MSK Serverless with six partitions and the one of the ledger. */
const msk = 730 * 0.75 + 7 * 730 * 0.0015;
const gb = 2 ** 30;

function expectDollars(
  found: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number>>,
): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [service, dollars] of Object.entries(expected))
    expect([service, found[service]?.toFixed(2)]).toEqual([service, dollars.toFixed(2)]);
}

describe('a bill', () => {
  it('of the production example: 4,500/s of 5 KB, compressed 2.7 times', () => {
    // 4,500 x (5,120 + 300) / 2.7 = 9,033,333 bytes/s = 8.61 MiB/s; / 0.75 = 11.49: 12 shards, and
    // one of the ledger. Two pods write 200 records/s each, of 22,583 bytes: one PUT unit each.
    const month = 4_500 * 2_628_000;
    const dataGb = (month * 5_120) / gb;
    const wireGb = (9_033_333.333 * 2_628_000) / gb;
    const expected = {
      shards: 12,
      Kinesis: 13 * 730 * 0.015 + ((400 * 2_628_000) / 1e6) * 0.014,
      'Kafka (MSK Serverless)': msk,
      // 100 partitions of tables, a file every five minutes; 30 days of a quarter of the bytes.
      S3: ((100 * 12 * 730) / 1e3) * 0.005 + ((dataGb / 4) * 720 * 0.023) / 730,
      'Load balancer (NLB)': 730 * 0.0225 + dataGb * 0.006,
      // Eight endpoints in three zones; in and out of Kinesis.
      'VPC endpoints': 8 * 3 * 730 * 0.01 + 2 * wireGb * 0.01,
      ...idle,
    };
    const found = told(design(production), load(4_500, 5_120));
    expectDollars(found, expected);
    const { shards: _, ...services } = expected;
    const sum = Object.values(services).reduce((total, dollars) => total + dollars, 0);
    expect(Math.round(sum)).toBe(2_480);
    expect(billOf(design(production), load(4_500, 5_120), prices).dollars).toBeCloseTo(sum, 2);
  });

  it('of the same as it was first drawn: API Gateway, on-demand, Firehose row by row, Flink', () => {
    const month = 4_500 * 2_628_000;
    const dataGb = (month * 5_120) / gb;
    // A row of 5,325 bytes is billed as two steps of 5 KB.
    const firehoseGb = (month * 10_240) / gb;
    const rowGb = (month * 5_325) / gb;
    // A record of 5,420 bytes is billed as 6 KB.
    const kinesisGb = (month * 6_144) / gb;
    const expected = {
      // 4,500 x 5,420 = 23.26 MiB/s; / 0.75 = 31.02.
      shards: 32,
      'API Gateway': 300 * 1 + (month / 1e6 - 300) * 0.9,
      // The ledger's stream keeps its shard.
      Kinesis: 730 * 0.04 + kinesisGb * (0.08 + 0.04) + 730 * 0.015,
      'Kafka (MSK Serverless)': msk,
      Firehose:
        firehoseGb * (0.029 + 0.018) +
        (rowGb / 4) * 0.02 +
        ((100 * 12 * 730) / 1e3) * 0.005 +
        730 * 0.07,
      S3: ((dataGb / 4) * 720 * 0.023) / 730,
      // 4 KPU for 4,500/s and one that orchestrates; 50 GB each of the four, and 10 GB of snapshots.
      'Managed Flink': 5 * 730 * 0.11 + 4 * 50 * 0.1 + 10 * 0.023,
      'Load balancer (NLB)': 730 * 0.0225 + dataGb * 0.006,
      'VPC endpoints': 10 * 3 * 730 * 0.01 + ((2 * month * 5_420) / gb + rowGb) * 0.01,
      ...idle,
    };
    const drawn = originDesign(design(production));
    expectDollars(told(drawn, load(4_500, 5_120)), expected);
    const { dollars } = billOf(drawn, load(4_500, 5_120), prices);
    expect(Math.abs(dollars - 28_700) / 28_700).toBeLessThan(0.01);
  });

  it('of two topologies on Managed Flink: an application each, and nodes for the ingress alone', () => {
    const text = `${clicks('')}topologies: [a.ts, b.ts]\n`;
    const under = load(40_000, 1_000, { peakFactor: 2 });
    const found = told(design(text, { engine: 'managed-flink' }), under);
    // 80,000/s at the peak: / 1,125 = 71.1 KPU for each of the two, and one each that orchestrates.
    expect(found['Managed Flink']).toBeCloseTo(
      (144 + 2) * 730 * 0.11 + 144 * 50 * 0.1 + 2 * 10 * 0.023,
      6,
    );
    // 80,000 / 10,000 are eight nodes; where topologies run elsewhere a node takes twice as many.
    expect(found['EKS']).toBeCloseTo(730 * 0.1 + 4 * 730 * 0.145 * 1.12, 6);
    const own = told(design(text), under);
    expect(own['EKS']).toBeCloseTo(730 * 0.1 + 8 * 730 * 0.145 * 1.12, 6);
    expect(own).not.toHaveProperty('Managed Flink');
    const { lines } = billOf(design(text, { engine: 'managed-flink' }), under, prices);
    const flink = lines.filter(({ service }) => service === 'Managed Flink');
    expect(flink.map(({ what }) => what)).toEqual([
      '144 KPU',
      '2 KPU that orchestrate',
      'running storage',
      'snapshots',
    ]);
  });

  it('of little: 50/s of 800 bytes, one to a record', () => {
    // 50 x 1,100 bytes are 0.05 MiB/s: the one shard that a stream has.
    const month = 50 * 2_628_000;
    const dataGb = (month * 800) / gb;
    expectDollars(told(design(clicks('kafka: {partitions: 6}')), load(50, 800)), {
      shards: 1,
      Kinesis: 2 * 730 * 0.015 + (month / 1e6) * 0.014,
      'Kafka (MSK Serverless)': msk,
      S3: ((100 * 12 * 730) / 1e3) * 0.005 + ((dataGb / 4) * 720 * 0.023) / 730,
      'Load balancer (NLB)': 730 * 0.0225 + dataGb * 0.006,
      'VPC endpoints': 8 * 3 * 730 * 0.01 + ((2 * month * 1_100) / gb) * 0.01,
      ...idle,
    });
  });

  it('of a peak, large events, three topologies with fan-out, a week kept, and Firehose', () => {
    const text = `${clicks('kinesis: {retention_h: 168}, kafka: {partitions: 6, retention_h: 48}')}
topologies: [a.ts, b.ts, c.ts]
kinesis: {fan_out: true}
firehose: {tables: {orders: orders-dev}}
`;
    const [small, large] = [8_000, 8];
    const month = small * 2_628_000;
    const largeMonth = large * 2_628_000;
    const smallGb = (month * 1_000) / gb;
    const largeGb = (largeMonth * 512_000) / gb;
    const wireGb = (month * 1_300) / gb;
    const events = month + largeMonth;
    // Rows of 1,715.4897 bytes and 205 of their own: 596 of them are within 1,000 KB, which is billed
    // as 201 steps of 5 KB at most.
    const rowBytes = ((smallGb + largeGb) * gb) / events + 205;
    const perRecord = Math.floor(1_024_000 / rowBytes);
    const step = Math.ceil((perRecord * rowBytes) / 5_120) * 5_120;
    const firehoseGb = ((events / perRecord) * step) / gb;
    const rowGb = (events * rowBytes) / gb;
    const found = told(
      design(text),
      load(small, 1_000, {
        peakFactor: 3,
        large: { eventsPerSecond: large, eventBytes: 512_000 },
      }),
    );
    expectDollars(found, {
      // 8,000 x 1,300 = 9.92 MiB/s; x 3 / 0.75 = 39.67. Records are fewer: 8 x 3 / 0.75 = 32.
      shards: 40,
      Kinesis:
        41 * 730 * 0.015 +
        (month / 1e6) * 0.014 +
        // Only the stream that keeps a week pays for it, the ledger's does not.
        40 * 730 * 0.02 +
        3 * 41 * 730 * 0.015 +
        3 * wireGb * 0.013,
      'Kafka (MSK Serverless)': msk + largeGb * (0.1 + 3 * 0.05) + (largeGb * 48 * 0.1) / 730,
      Firehose:
        firehoseGb * (0.029 + 0.018) +
        (rowGb / 4) * 0.02 +
        ((100 * 12 * 730) / 1e3) * 0.005 +
        730 * 0.07,
      S3: (((smallGb + largeGb) / 4) * 720 * 0.023) / 730,
      'Load balancer (NLB)': 730 * 0.0225 + (smallGb + largeGb) * 0.006,
      'VPC endpoints': 10 * 3 * 730 * 0.01 + (4 * wireGb + rowGb) * 0.01,
      ...idle,
    });
  });

  it('of rows by Firehose to Iceberg: by the byte, with nothing rounded up', () => {
    const text = `${clicks('kafka: {retention_h: 168}')}firehose: {format: iceberg, tables: {orders: orders-dev}}\n`;
    const found = told(design(text), load(100, 1_000));
    const rowGb = (100 * 2_628_000 * (1_000 + 205)) / gb;
    expect(found['Firehose']).toBeCloseTo(rowGb * 0.075, 6);
    expect(found['VPC endpoints']).toBeGreaterThan(10 * 3 * 730 * 0.01 + rowGb * 0.01);
  });

  it('of much: nodes, brokers and requests are as many as it needs', () => {
    const under = load(30_000, 8_192, {
      peakFactor: 2,
      large: { eventsPerSecond: 10, eventBytes: 1_048_576 },
      eventsPerRequest: 200,
    });
    const of = design(clicks('kafka: {retention_h: 168}'), {
      kafka: 'brokers',
      edge: 'api-gateway',
    });
    const found = told(of, under);
    // 234.4 + 10 MiB/s, x 2 / 50 = 9.8: ten nodes; by events seven would do.
    expect(found['EKS']).toBeCloseTo(730 * 0.1 + 10 * 730 * 0.145 * 1.12, 6);
    // 10 MiB/s of large events, 2 for three brokers: five times three. Each keeps 168 hours of it.
    const kept = (10 * 3_600 * 168) / 1_024;
    expect(found['Kafka (MSK brokers)']).toBeCloseTo(15 * 730 * 0.0456 + 3 * kept * 0.1, 6);
    // 200 events of 8,538.7 bytes on average are four times 512 KB.
    const millions = (((30_010 * 2_628_000) / 200) * 4) / 1e6;
    expect(found['API Gateway']).toBeCloseTo(300 + (millions - 300) * 0.9, 6);
  });

  it('of a large route: on three brokers, on a cluster of its own, or as claims', () => {
    // One event of 1 MiB a second: 2,566.41 GB a month; a week of it is kept.
    const under = load(0, 1_000, { large: { eventsPerSecond: 1, eventBytes: 1_048_576 } });
    const largeGb = 2_628_000 / 1_024;
    const text = clicks('kafka: {partitions: 6, retention_h: 168}');
    const brokers = told(design(text, { kafka: 'brokers' }), under);
    const disks = (largeGb * 168 * 3) / 730;
    expect(brokers['Kafka (MSK brokers)']).toBeCloseTo(3 * 730 * 0.0456 + disks * 0.1, 6);
    expect(Object.keys(told(design(text, { kafka: 'own' }), under)).join()).not.toContain('Kafka');
    const claims = told({ ...design(text), large: 'claims' }, under);
    expect(claims['Kafka (MSK Serverless)']).toBeCloseTo(msk, 6);
    const table = (((largeGb / 4) * 720) / 730) * 0.023 + ((100 * 12 * 730) / 1e3) * 0.005;
    const kept = ((largeGb * 8 * 24) / 730) * 0.023;
    expect(claims['S3']).toBeCloseTo(table + kept + 2_628 * 0.005 + 2_628 * 0.0004, 6);
  });

  it('of files that are published at each checkpoint has as many of them as there are', () => {
    const often = design(`${clicks('')}enrich: {parquet_file_age_ms: 0, checkpoint_ms: 60000}\n`);
    const { lines } = billOf(often, load(10, 1_000), prices);
    expect(lines.find(({ what }) => what === 'Parquet')?.dollars).toBeCloseTo(
      ((100 * 60 * 730) / 1e3) * 0.005,
      6,
    );
  });

  it('has more shards than configured where the load needs them, and not fewer', () => {
    const of = (shards: number): number =>
      billOf(design(clicks(`kinesis: {shards: ${shards}}`)), load(1_000, 724), prices).lines.find(
        ({ what }) => what === 'shards',
      )?.dollars ?? 0;
    // 1,000 x 1,024 bytes are 0.98 MiB/s and 1,000 records/s; / 0.75: 2 shards.
    expect([of(1), of(2), of(5)].map((dollars) => Math.round(dollars / (730 * 0.015)))).toEqual([
      3, 3, 6,
    ]);
  });
});
