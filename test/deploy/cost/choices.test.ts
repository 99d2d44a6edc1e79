/**
 * What would cost less, and where a choice turns: against bills on both sides of the turn, and
 * against turns that can be computed by hand.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { billOf } from '../../../deploy/cost/bill.ts';
import { changesOf, turnsOf } from '../../../deploy/cost/choices.ts';
import type { Design } from '../../../deploy/cost/design.ts';
import { priceListOf } from '../../../deploy/cost/price-list.ts';
import { costReport } from '../../../deploy/cost/report.ts';
import { design, load, prices } from './support.ts';

const shippedPrices = fileURLToPath(new URL('../../../deploy/cost/prices.yaml', import.meta.url));
const clicks = (settings: string): string => `streams: [{team: shop, app: clicks, ${settings}}]\n`;

describe('changes', () => {
  it('begin with what saves most, and each saves what its bill says', () => {
    const drawn = design(clicks('kinesis: {mode: on-demand}'), {
      edge: 'api-gateway',
      firehoseShare: 1,
    });
    const under = load(4_500, 5_120);
    const changes = changesOf(drawn, under, prices);
    expect(changes.map(({ label }) => label)).toEqual([
      'no API Gateway',
      'kinesis: {mode: provisioned}',
      'aggregate: kpl-gzip',
      'Parquet by Sluice',
      'three small MSK brokers',
    ]);
    const now = billOf(drawn, under, prices).dollars;
    const without = billOf({ ...drawn, edge: 'nlb' }, under, prices).dollars;
    expect(changes[0]?.savesDollars).toBeCloseTo(now - without, 6);
  });

  it('are none that the design has already, but for the cluster that no file names', () => {
    const best = design(clicks('aggregate: kpl-gzip, kinesis: {mode: provisioned}'));
    expect(changesOf(best, load(4_500, 5_120), prices).map(({ choice }) => choice)).toEqual([
      'Kafka cluster',
    ]);
  });

  it('name shards that nothing needs, once', () => {
    const wide = design(clicks('kinesis: {shards: 40}'), { kafka: 'brokers' });
    // 13 of 40 are needed: 1,000 x 10,000 bytes = 9.54 MiB/s / 0.75.
    expect(changesOf(wide, load(1_000, 9_700), prices)).toMatchObject([
      { label: 'aggregate: kpl-gzip' },
      {
        label: 'as many shards as the load needs',
        savesDollars: expect.closeTo(27 * 730 * 0.015, 6) as number,
      },
    ]);
  });
});

describe('a turn', () => {
  const of = (text: string, under = load(100, 1_000)) => {
    const turns = turnsOf(design(clicks(text)), under, prices);
    return (label: string) => turns.find((turn) => turn.label === label);
  };

  it('is where both designs cost the same: for a peak that provisioned shards stand idle for', () => {
    const found = of('', load(100, 1_000, { peakFactor: 40 }))('kinesis: {mode: provisioned}');
    expect(found).toMatchObject({ kind: 'below', unit: 'events/s' });
    const bill = (mode: string, rate: number): number =>
      billOf(
        design(clicks(`kinesis: {mode: ${mode}}`)),
        load(rate, 1_000, { peakFactor: 40 }),
        prices,
      ).dollars;
    const { value = 0 } = found ?? {};
    expect(bill('provisioned', value * 0.9999)).toBeLessThan(bill('on-demand', value * 0.9999));
    expect(bill('provisioned', value * 1.0001)).toBeGreaterThan(bill('on-demand', value * 1.0001));
  });

  it('of claims is a size: what Kafka takes a byte against two requests to S3', () => {
    // Of an event of x GB: Kafka 0.10 + 0.05 + 0.10 x 168 / 730 a GB; a claim 0.000005 + 0.0000004
    // and 0.023 x 192 / 730 a GB.
    const perGb = 0.15 + (0.1 * 168) / 730 - (0.023 * 192) / 730;
    const bytes = (0.0000054 / perGb) * 2 ** 30;
    const found = of('')('claims in S3');
    expect(found).toMatchObject({ kind: 'above', than: 'Kafka', unit: 'bytes' });
    expect(found?.value).toBeCloseTo(bytes, 0);
  });

  it('of Managed Flink is what a KPU takes: at none, or from where nodes cost more than KPUs', () => {
    expect(of('')('Managed Flink')).toMatchObject({
      kind: 'never',
      than: 'sluice enrich on EKS',
    });
    const quick = priceListOf([
      { file: 'prices.yaml', text: readFileSync(shippedPrices, 'utf8') },
      { file: 'own.yaml', text: 'assumptions: {flink_events_per_kpu: {value: 20000}}\n' },
    ]);
    const bill = (engine: Design['engine'], rate: number): number =>
      billOf(design(clicks(''), { engine }), load(rate, 1_000), quick).dollars;
    // Of 20,000/s a KPU with its storage costs 85.30, and saves one of two nodes, 118.55; a second
    // KPU orchestrates. Ten nodes are the first of which half cost less.
    const [node, kpu] = [730 * 0.145 * 1.12, 730 * 0.11 + 50 * 0.1];
    const more = (rate: number, kpus: number, nodes: number, all: number): void =>
      expect(bill('managed-flink', rate) - bill('sluice', rate)).toBeCloseTo(
        kpus * kpu + 730 * 0.11 + 10 * 0.023 + (nodes - all) * node,
        6,
      );
    more(100_000, 5, 5, 10);
    more(30_000, 2, 3, 3);
    const turn = turnsOf(design(clicks('')), load(100, 1_000), quick).find(
      ({ label }) => label === 'Managed Flink',
    );
    expect(turn?.kind).toBe('above');
    const { value = 0 } = turn ?? {};
    expect(bill('managed-flink', value * 0.9999)).toBeGreaterThan(bill('sluice', value * 0.9999));
    expect(bill('managed-flink', value * 1.0001)).toBeLessThan(bill('sluice', value * 1.0001));
  });

  it('of a choice that is one at all loads says so', () => {
    expect(of('')('no API Gateway')).toMatchObject({ kind: 'always' });
    expect(of('')('Parquet by Sluice')).toMatchObject({ kind: 'always' });
    // A record of 100 KiB is written as it is, with or without `kpl`.
    expect(of('', load(100, 102_400))('aggregate: kpl')).toMatchObject({ kind: 'never' });
  });

  it('is looked for at the load that streams share, and where there is none, too', () => {
    expect(of('', load(0, 5_120))('aggregate: kpl-gzip')).toMatchObject({ kind: 'above' });
  });
});

describe('a report', () => {
  it('says what half the compression costs, and only where something is compressed', () => {
    const report = (settings: string, compression: number) =>
      costReport(design(clicks(settings)), load(4_500, 5_120, { compression }), prices, undefined);
    const whole = report('aggregate: kpl-gzip', 2.7);
    expect(whole.halfAsSmall).toEqual({
      compression: 1.35,
      dollars: report('aggregate: kpl-gzip', 1.35).bill.dollars,
    });
    expect(report('aggregate: kpl', 2.7).halfAsSmall).toBeUndefined();
    expect(report('aggregate: kpl-gzip', 1).halfAsSmall).toBeUndefined();
  });

  it('warns of shards that are too few, of no load, and of another region', () => {
    const few = design(clicks('kinesis: {shards: 2}'));
    const warnings = (rate: number, region?: string) =>
      costReport(few, load(rate, 5_120), prices, region).warnings;
    expect(warnings(4_500)).toEqual([
      'shop/clicks is configured with 2 shards, and the load needs 32: writes would be throttled',
    ]);
    expect(warnings(0)).toEqual(['there is no load: this is what stands idle']);
    expect(warnings(10, 'us-east-1')).toEqual([]);
    expect(warnings(10, 'eu-central-1')).toEqual([
      'the prices are those of us-east-1, and the configuration is in eu-central-1',
    ]);
  });
});
