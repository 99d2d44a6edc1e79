/**
 * `npm run bench:aggregation`: fewer records and fewer bytes, and never more dollars. What `sluice
 * cost` assumes of compression is what is measured here on events that are not alike.
 */
import { expect, it } from 'vitest';
import { readPrices } from '../../deploy/cli/commands/cost/cost.ts';
import { runScript } from '../repo/support.ts';

interface Totals {
  readonly records: number;
  readonly megabytes: number;
  readonly units: number;
  readonly shards: number;
  readonly dollarsAMonth: number;
}

it('npm run bench:aggregation says what shared records save', { timeout: 120_000 }, async () => {
  const said = await runScript('bench/aggregation.js', '--json');
  expect(said).toMatch(/exit 0$/);
  const report = JSON.parse(said.split('\n')[0] ?? '') as Record<
    string,
    Record<'none' | 'kpl' | 'kpl-gzip', Totals>
  >;
  const unlike = 'events of 5 KB that are not alike';
  expect(Object.keys(report)).toEqual(['flights', 'events of 5 KB', unlike]);
  for (const [name, { none, kpl, 'kpl-gzip': gzip }] of Object.entries(report)) {
    expect(none).toMatchObject({ records: 4_500, units: 4_500 });
    expect(kpl.records).toBeLessThan(none.records / 5);
    expect(kpl.megabytes).toBeCloseTo(none.megabytes, 0);
    expect(gzip.megabytes).toBeLessThan(none.megabytes / (name === unlike ? 2 : 4));
    expect(kpl.dollarsAMonth).toBeLessThan(none.dollarsAMonth);
    expect(gzip.dollarsAMonth).toBeLessThan(kpl.dollarsAMonth);
    expect(gzip.shards).toBeLessThan(none.shards);
  }
  const { none, 'kpl-gzip': gzip } = report[unlike] as NonNullable<(typeof report)[string]>;
  const { compression, envelope_bytes: envelope } = readPrices(undefined).assumed;
  const measured = none.megabytes / gzip.megabytes;
  expect([compression <= measured, compression > measured - 0.25]).toEqual([true, true]);
  // 5,088 bytes of data, as the report says of them. What is assumed is a little more than what
  // these events have: they have no attributes of their own.
  const around = (none.megabytes * 1e6) / 4_500 - 5_088;
  expect([envelope >= around, envelope < around + 50]).toEqual([true, true]);
});
