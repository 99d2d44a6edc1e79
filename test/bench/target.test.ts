/**
 * The short form of `npm run bench:target`: both engines run a load, and what is said of them is
 * there; how fast they are is the long form's to say.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { javaMissing } from '../servers/jars.ts';
import type { RanThere } from './target-flink.ts';
import type { RanHere } from './target-here.ts';

interface Measure {
  readonly load: string;
  readonly ratio: number;
  readonly here: RanHere;
  readonly there: RanThere;
}

const rows = 200_000;

describe.skipIf(javaMissing() !== undefined)('npm run bench:target', () => {
  it('measures a load here and on Flink', { timeout: 600_000 }, async () => {
    const short = ['--load', 'sums', '--engines', 'graaljs', '--rows', String(rows)];
    const said = await runScript(
      'bench/target.js',
      ...short,
      '--warm-up',
      '1',
      '--seconds',
      '2',
      '--json',
    );
    const line = said.split('\n').find((text) => text.startsWith('[')) ?? '[]';
    const [measure, ...others] = JSON.parse(line) as readonly Measure[];
    expect(others).toEqual([]);
    expect(measure?.load).toBe('sums');
    const { ratio = 0, here, there } = measure ?? {};
    // A window of a minute has six thousand rows of a thousand keys; the last is not over.
    expect(here?.out).toBe(Math.floor(rows / 6_000) * 1_000);
    for (const figure of [ratio, ...Object.values({ ...here, ...there })])
      expect(figure).toBeGreaterThan(0);
    expect(there?.events).toBeLessThan(rows);
  });
});
