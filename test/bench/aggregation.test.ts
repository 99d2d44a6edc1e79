/**
 * `npm run bench:aggregation`: fewer records and fewer bytes, and never more dollars.
 */
import { expect, it } from 'vitest';
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
  expect(Object.keys(report)).toEqual(['flights', 'events of 5 KB']);
  for (const { none, kpl, 'kpl-gzip': gzip } of Object.values(report)) {
    expect(none).toMatchObject({ records: 4_500, units: 4_500 });
    expect(kpl.records).toBeLessThan(none.records / 5);
    expect(kpl.megabytes).toBeCloseTo(none.megabytes, 0);
    expect(gzip.megabytes).toBeLessThan(none.megabytes / 4);
    expect(kpl.dollarsAMonth).toBeLessThan(none.dollarsAMonth);
    expect(gzip.dollarsAMonth).toBeLessThan(kpl.dollarsAMonth);
    expect(gzip.shards).toBeLessThan(none.shards);
  }
});
