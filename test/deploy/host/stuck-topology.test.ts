/**
 * A topology in its thread with a function that does not return, or that ends the thread: the
 * element that did it is found, everything else is in the tables once.
 */
import { expect, it } from 'vitest';
import { events, play } from './played-topology.ts';

it('a function that never returns for one event costs that event', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected, told, status } = await play(`timed
    .map((e) => {
      const { n } = e.data as { n: number };
      if (n === 137) for (;;);
      return { key: 'k', n };
    })
    .sinkTo('rows', table('counted', row));`);
  expect(rows).toEqual([['k', (events * (events - 1)) / 2 - 137, events - 1]]);
  expect(rejected).toMatchObject([
    ['e137', 'time/map', 'function-stuck', expect.stringContaining('"n":137')],
  ]);
  expect(status.job?.setAside).toMatchObject([
    { operator: 'time/map', message: expect.stringContaining('twice') as string },
  ]);
  expect(told).toContain("'time/map': its function did not return from one call within 1 s");
  expect(told).toContain("'time/map' (function) did not return from one call, twice");
});

it('a look-up that loops after an await costs its element, and the others have their answers', {
  timeout: 120_000,
}, async () => {
  const { rows, rejected, told } = await play(
    `timed
    .lookup(
      'asked',
      asyncLookup(async (n: number) => {
        await Promise.resolve();
        if (n === 137) for (;;) await Promise.resolve();
        return n;
      }),
      { by: (e) => (e.data as { n: number }).n, capacity: 20 },
      (_, n) => ({ key: 'k', n: n ?? -1 }),
    )
    .sinkTo('rows', table('counted', row));`,
    500,
  );
  expect(rows).toEqual([['k', (events * (events - 1)) / 2 - 137, events - 1]]);
  expect(rejected).toMatchObject([
    ['e137', 'asked', 'function-stuck', expect.stringContaining('"n":137')],
  ]);
  expect(told).toContain("'asked': its call blocked the thread for 3 s after it had returned");
});

it('a regular expression that takes for ever is a function that does not return, also in a window', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected } = await play(`timed
    .keyBy((e) => String((e.data as { n: number }).n % 2))
    .window('all', tumbling('1h'))
    .aggregate({
      n: aggregator({
        create: () => 0,
        add: (n, e) => (/^(a+)+$/.test((e.data as { text: string }).text) ? n + 1 : n),
        merge: (a, b) => a + b,
        result: (n) => n,
      }),
    })
    .out.map(({ key, n }) => ({ key, n }))
    .sinkTo('rows', table('counted', row));`);
  expect(rows).toEqual([
    ['0', events / 2, 1],
    ['1', events / 2 - 1, 1],
  ]);
  expect(rejected).toMatchObject([
    ['e137', 'all', 'function-stuck', expect.stringContaining('"n":137')],
  ]);
});

it('a look-up whose function does not even give a promise costs what waits for it', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected } = await play(`timed
    .lookup('find', asyncLookup((n: number) => {
      while (n === 137);
      return Promise.resolve(n);
    }), { by: (e) => (e.data as { n: number }).n }, (_, n) => ({ key: 'k', n: n ?? 0 }))
    .sinkTo('rows', table('counted', row));`);
  expect(rows).toEqual([['k', (events * (events - 1)) / 2 - 137, events - 1]]);
  expect(rejected).toMatchObject([
    ['e137', 'find', 'function-stuck', expect.stringContaining('"n":137')],
  ]);
});

it('a result of one pane that never returns costs that pane', { timeout: 90_000 }, async () => {
  const { rows, rejected } = await play(`timed
    .keyBy((e) => String((e.data as { n: number }).n % 3))
    .window('all', tumbling('1h'))
    .aggregate({
      n: aggregator({
        create: () => ({ n: 0, odd: 0 }),
        add: (all, e) => ({ n: all.n + 1, odd: all.odd + ((e.data as { n: number }).n === 137 ? 1 : 0) }),
        merge: (a, b) => ({ n: a.n + b.n, odd: a.odd + b.odd }),
        result: ({ n, odd }) => {
          while (odd > 0);
          return n;
        },
      }),
    })
    .out.map(({ key, n }) => ({ key, n }))
    .sinkTo('rows', table('counted', row));`);
  expect(rows).toEqual([
    ['0', events / 3, 1],
    ['1', events / 3, 1],
  ]);
  expect(rejected).toMatchObject([
    [expect.any(String), 'all', 'function-stuck', expect.stringContaining('"key":"2"')],
  ]);
});

it('an event for which the thread ends without a word is set aside', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected, told } = await play(`timed
    .map((e) => {
      const { n } = e.data as { n: number };
      if (n === 50) (globalThis as unknown as { process: { exit(code: number): never } }).process.exit(3);
      return { key: 'k', n };
    })
    .sinkTo('rows', table('counted', row));`);
  expect(rows).toEqual([['k', (events * (events - 1)) / 2 - 50, events - 1]]);
  expect(rejected).toMatchObject([
    ['e50', 'in', 'operator-failed', expect.stringContaining('"n":50')],
  ]);
  expect(told).toContain('it is set aside in the rejected table');
});

it('a turn that is slow because each of its calls takes long is left alone', {
  timeout: 90_000,
}, async () => {
  const { rows, rejected, status } = await play(
    `timed
    .map((e) => {
      const until = performance.now() + 10;
      while (performance.now() < until);
      return { key: 'k', n: (e.data as { n: number }).n };
    })
    .sinkTo('rows', table('counted', row));`,
    1_000,
  );
  expect(rows).toEqual([['k', (events * (events - 1)) / 2, events]]);
  expect(rejected).toEqual([]);
  expect(status.job?.setAside).toEqual([]);
});
