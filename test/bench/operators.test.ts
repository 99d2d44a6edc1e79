/**
 * The short form of `npm run bench:operators`: every operator runs and gives as many results as it
 * must; how fast is the long form's to say.
 */
import { expect, it } from 'vitest';
import { root, runScript } from '../repo/support.ts';
import { operators } from './operators-names.ts';

it('npm run bench:operators measures every operator, beside another build', {
  timeout: 300_000,
}, async () => {
  const said = await runScript(
    'bench/operators.js',
    '--rows',
    '12000',
    '--rounds',
    '1',
    '--beside',
    root,
    '--json',
  );
  const line = said.split('\n').find((text) => text.startsWith('[')) ?? '[]';
  const report = JSON.parse(line) as {
    operator: string;
    cpuUs: number;
    besideUs: number;
    speed: number;
    results: number;
  }[];
  expect(report.map(({ operator }) => operator)).toEqual(operators);
  for (const { cpuUs, besideUs, speed } of report) expect(speed).toBeCloseTo(besideUs / cpuUs, 6);
  const results = Object.fromEntries(report.map(({ operator, results }) => [operator, results]));
  // 12 elements of each of 1,000 keys, 10 s apart: they lie in two minutes.
  expect(results).toMatchObject({
    source: 12_000,
    'map and filter': 9_000,
    deduplicate: 12_000,
    'tumbling window': 2_000,
    'sliding window of five': 6_000,
    'session window': 1_000,
    'aggregate of its author': 2_000,
    'interval join': 11_000,
    'process with state and timers': 2_000,
    'look-up in a table': 12_000,
    'split and union': 12_000,
  });
});

it('refuses an operator that is none', async () => {
  expect(await runScript('bench/operators.js', '--only', 'sort')).toMatch(
    /^expected --only of source, [^]*exit 2$/,
  );
});
