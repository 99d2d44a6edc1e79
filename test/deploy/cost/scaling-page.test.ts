/**
 * The figures of docs/operating/scaling.md are those of `sluice cost` and of the benchmarks: who
 * measures again has to look at the page again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kinesisCost } from '../../../deploy/cost/kinesis-cost.ts';
import { root } from '../../repo/files.ts';
import { design, load, prices } from './support.ts';

const page = readFileSync(join(root, 'docs/operating/scaling.md'), 'utf8');
const measured = readFileSync(join(root, 'test/bench/README.md'), 'utf8');

it.each(['none', 'kpl-gzip'])(
  'shards of `aggregate: %s` are as `sluice cost` counts them',
  (aggregate) => {
    const of = `streams: [{team: shop, app: clicks, kinesis: {mode: provisioned}, aggregate: ${aggregate}}]\n`;
    const { shards } = kinesisCost(design(of), load(4_500, 5_120), prices);
    const { needed = 0, arithmetic = '' } =
      shards.find(({ stream }) => stream === 'shop/clicks') ?? {};
    const mebi = Number(/ ([\d.]+) MiB\/s/.exec(arithmetic)?.[1]).toFixed(1);
    expect(page).toContain(`| \`aggregate: ${aggregate}\` | ${mebi} | ${needed} |`);
  },
);

it.each([
  ['5 KB, 4,500/s, one event a request', 63.8, 'CPU is 63.8 us per event there'],
  ['5 KB, as many as go', 28.3, '| Sluice | 35,978 | 28.3 us |'],
  ['200 bytes, as many as go', 21.1, '48,319/s and 21.1 us an event'],
])('an event of the ingress costs what was measured: %s', (events, us, where) => {
  expect(measured).toContain(where);
  const cpu = Math.round(us);
  const [, most = ''] =
    new RegExp(`^\\| ${events} \\| ${cpu} us \\| ([\\d,]+)/s \\|$`, 'm').exec(page) ?? [];
  const most70 = (0.7 * 1e6) / cpu;
  expect(Math.abs(Number(most.replace(',', '')) / most70 - 1), most).toBeLessThan(0.02);
});

it.each([
  [
    '| memory at most, with the restore | 1,541 MiB | 896 MiB | 3,870 MiB | 1,412 MiB |',
    ['1.5 GiB', '0.9 GiB', '3.8 GiB', '1.4 GiB'],
  ],
  ['| restored in | 9.1 s | 5.2 s | 40.8 s | 25.6 s |', ['9 s', '5 s', '41 s', '26 s']],
  ['| the topology, to Parquet | 73,370 (16.7 us CPU an event', ['73,000 (17 us each)']],
])('large state and a topology take what was measured: %s', (line, figures) => {
  expect(measured).toContain(line);
  for (const figure of figures) expect(page).toContain(figure);
});
