/**
 * The short form of `npm run bench:threads`: the keyed nodes are on the threads that it says, and
 * give as many rows; how fast is the long form's to say.
 */
import { expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';

interface Measure {
  readonly load: string;
  readonly parallelism: number;
  readonly eventsPerSecond: number;
  readonly threads: readonly number[];
  readonly out: readonly number[];
}

it('measures each load at each parallelism, with equal rows', { timeout: 120_000 }, async () => {
  const said = await runScript('bench/threads.js', '--rows', '12000', '--rounds', '1', '--json');
  const line = said.split('\n').find((text) => text.startsWith('[')) ?? '[]';
  const measures = JSON.parse(line) as readonly Measure[];
  expect(measures.map(({ load, parallelism }) => [load, parallelism])).toEqual([
    ['light', 1],
    ['light', 2],
    ['heavy', 1],
    ['heavy', 2],
  ]);
  for (const { parallelism, threads, eventsPerSecond } of measures) {
    expect(threads).toEqual([parallelism]);
    expect(eventsPerSecond).toBeGreaterThan(0);
  }
  // Of two minutes the first is over; a row of a key in ten.
  expect(measures.map(({ out }) => out)).toEqual([[1_000], [1_000], [1_200], [1_200]]);
});
