/**
 * A topology whose keyed nodes run in threads of their own: what it gives is what it gives in one,
 * and a thread that does not return, fails or ends is no more than a function that does.
 */
import { expect, it } from 'vitest';
import { events, play } from './played-topology.ts';

const inBoth = 2;
const sum = (events * (events - 1)) / 2;

const windows = (add: string): string => `timed
    .keyBy((e) => String((e.data as { n: number }).n % 7))
    .window('all', tumbling('1h'))
    .aggregate({
      n: aggregator({ create: () => 0, add: (n, e) => { ${add} }, merge: (a, b) => a + b, result: (n) => n }),
    })
    .out.map(({ key, n }) => ({ key, n }))
    .keyBy(({ n }) => n % 2)
    .process('kept', { state: {}, onElement: (row) => [row] })
    .sinkTo('rows', table('counted', row));`;
const adding = 'return n + (e.data as { n: number }).n;';

it('keyed nodes in two threads give the rows and rejections that they give in one', {
  timeout: 90_000,
}, async () => {
  const add = `if ((e.data as { n: number }).n % 100 === 7) throw new Error('seven'); ${adding}`;
  const one = await play(windows(add), 5_000);
  const two = await play(windows(add), 5_000, inBoth);
  expect(two.rows).toEqual(one.rows);
  expect(two.rows).toHaveLength(7);
  expect(two.rows.reduce((all, [, n]) => all + Number(n), 0)).toBe(sum - 7 - 107 - 207);
  expect(two.rejected).toEqual(one.rejected);
  expect(two.rejected.map(([id, operator, code]) => [id, operator, code])).toEqual([
    ['e107', 'all', 'function-threw'],
    ['e207', 'all', 'function-threw'],
    ['e7', 'all', 'function-threw'],
  ]);
  expect(two.told).not.toContain('ended');
  expect(two.status.job?.parallelism).toBe(inBoth);
  expect(two.status.job?.nodes.find(({ id }) => id === 'all')).toMatchObject({
    in: events,
    passed: events - 3,
    rejected: 3,
    emitted: 7,
  });
});

it('a function of theirs that never returns for one event costs that event', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected, told } = await play(
    windows(`while ((e.data as { n: number }).n === 137); ${adding}`),
    1_000,
    inBoth,
  );
  expect(rows.reduce((all, [, n]) => all + Number(n), 0)).toBe(sum - 137);
  expect(rejected).toMatchObject([
    ['e137', 'all', 'function-stuck', expect.stringContaining('"n":137')],
  ]);
  expect(told).toContain("'all': its n:add did not return from one call within 1 s");
});

it('an event for which one of them ends without a word is set aside', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected, told } = await play(
    windows(
      `if ((e.data as { n: number }).n === 50) (globalThis as unknown as { process: { exit(code: number): never } }).process.exit(3); ${adding}`,
    ),
    5_000,
    inBoth,
  );
  expect(rows.reduce((all, [, n]) => all + Number(n), 0)).toBe(sum - 50);
  expect(rejected).toMatchObject([
    ['e50', 'in', 'operator-failed', expect.stringContaining('"n":50')],
  ]);
  expect(told).toContain('a thread of its keyed nodes ended without an error (exit code 3)');
});
