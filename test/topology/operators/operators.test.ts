/**
 * The operators through the driver: what each gives, in small.
 */
import { expect, it } from 'vitest';
import {
  collect,
  count,
  session,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Sale {
  readonly shop: string;
  readonly price: number;
  readonly at: number;
}

const sale = (shop: string, price: number, at: number): unknown => event<Sale>({ shop, price, at });

it('a tumbling window gives one result a key, with its place in time, and late ones to the side', async () => {
  const driver = await createDriver(
    topology('sales', { version: 1, owner: 'a/b' }, (t) => {
      const hourly = t
        .source('in', stream('a/b'))
        .map((e) => e.data as Sale)
        .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
        .keyBy((s) => s.shop)
        .window('hourly', tumbling('1h'), { late: 'side' })
        .aggregate({ sales: count(), revenue: sum((s) => s.price) });
      hourly.out.sinkTo('out', collect());
      hourly.late.sinkTo('late', collect());
    }),
  );
  await driver.push('in', [sale('x', 0.1, 10), sale('x', 0.2, 3_599_999), sale('y', 5, 20)]);
  await driver.advanceWatermark(3_599_998);
  expect(driver.read('out')).toEqual([]);
  await driver.advanceWatermark(3_599_999);
  const pane = { index: 0, timing: 'onTime', last: true };
  expect(driver.read('out')).toEqual([
    {
      value: {
        key: 'x',
        windowStart: 0,
        windowEnd: 3_600_000,
        pane,
        sales: 2,
        revenue: 0.30000000000000004,
      },
      timestamp: 3_599_999,
    },
    {
      value: { key: 'y', windowStart: 0, windowEnd: 3_600_000, pane, sales: 1, revenue: 5 },
      timestamp: 3_599_999,
    },
  ]);
  await driver.push('in', [sale('x', 7, 30)]);
  expect(driver.read('late')).toEqual([{ value: { shop: 'x', price: 7, at: 30 }, timestamp: 30 }]);
  expect(driver.counts('hourly')).toMatchObject({ in: 4, passed: 3, late: 1, emitted: 2 });
  expect(driver.signals('out')).toEqual([3_599_998, 3_599_999]);
});

it('an element between sliding windows is in none of them, and is not late', async () => {
  const driver = await createDriver(
    topology('gaps', { version: 1, owner: 'a/b' }, (t) => {
      const windows = t
        .source('in', stream('a/b'))
        .map((e) => e.data as Sale)
        .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
        .keyBy((s) => s.shop)
        .window('gaps', sliding(100, 1_000), { late: 'side' })
        .aggregate({ sales: count() });
      windows.out.sinkTo('out', collect());
      windows.late.sinkTo('late', collect());
    }),
  );
  await driver.push('in', [sale('x', 1, 50), sale('x', 1, 500)]);
  expect(driver.counts('gaps')).toMatchObject({ in: 2, passed: 1, filtered: 1, late: 0 });
  await driver.advanceWatermark(600);
  await driver.push('in', [sale('x', 1, 500)]);
  expect(driver.read('late')).toHaveLength(1);
  expect(driver.read('out')).toMatchObject([{ value: { windowStart: 0, sales: 1 } }]);
});

it('sessions merge and survive a restore', async () => {
  const made = topology('sessions', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .map((e) => e.data as Sale)
      .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
      .keyBy((s) => s.shop)
      .window('visits', session(100))
      .aggregate({ sales: count(), revenue: sum((s) => s.price) })
      .out.sinkTo('out', collect());
  });
  const driver = await createDriver(made);
  await driver.push('in', [sale('x', 1, 0), sale('x', 2, 250)]);
  await driver.restore(driver.snapshot());
  await driver.push('in', [sale('x', 4, 100), sale('x', 8, 170)]);
  await driver.advanceWatermark('max');
  expect(driver.read('out')).toMatchObject([
    { value: { key: 'x', windowStart: 0, windowEnd: 350, sales: 4, revenue: 15 }, timestamp: 349 },
  ]);
});

it('a left row that does not stay is in state from its own time on until time goes on, also after a restore', async () => {
  const driver = await createDriver(
    topology('behind', { version: 1, owner: 'a/b' }, (t) => {
      const side = (id: string) =>
        t
          .source(id, stream(`a/${id}`))
          .map((e) => e.data as Sale)
          .eventTime(`${id}-time`, (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
          .keyBy((s) => s.shop);
      side('one')
        .intervalJoin(
          'pairs',
          side('two'),
          { lower: -500, upper: -1, join: 'left' },
          (left, right) => [left.at, right?.at ?? null],
        )
        .out.sinkTo('out', collect());
    }),
  );
  const restored = async (): Promise<void> => driver.restore(driver.snapshot());
  const values = (): readonly unknown[] => driver.read('out').map((row) => row.value);
  await driver.advanceWatermark(1_000);
  // Not late: others of its time have left, and it has not.
  await driver.push('one', [sale('x', 1, 1_000)]);
  await restored();
  expect(values()).toEqual([]);
  await driver.advanceWatermark(1_001);
  expect(values()).toEqual([[1_000, null]]);
  await driver.push('one', [sale('x', 1, 2_000)]);
  await restored();
  await driver.advanceWatermark(2_000);
  expect(values()).toEqual([[2_000, null]]);
  // One that left at its own time does not come back.
  await restored();
  await driver.advanceWatermark(3_000);
  expect(values()).toEqual([]);
});

it('state that expired is let go of as the clock moves on, also of keys that get no more elements', async () => {
  const driver = await createDriver(
    topology('expiring', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .map((e) => e.data as Sale)
        .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
        .keyBy((s) => s.shop)
        .process('keep', {
          state: { seen: value<number>({ ttl: '1m' }), first: value<number>() },
          onElement: (s, { state }) => {
            state.seen.set(s.at);
            if (s.price > 1) state.first.set(s.at);
            return [];
          },
        })
        .sinkTo('out', collect());
    }),
  );
  const kept = (): Readonly<Record<string, unknown>> =>
    Object.fromEntries(
      (JSON.parse(driver.snapshot()) as { entries: string[][] }).entries.map(
        ([, , , key = '', , text = '']) => [key, (JSON.parse(text) as unknown[])[1]],
      ),
    );
  await driver.push('in', [sale('x', 1, 5), sale('y', 2, 6)]);
  await driver.setClock(59_999);
  expect(kept()).toEqual({
    sx: { seen: [[5, 0]] },
    sy: { first: [[6, 0]], seen: [[6, 0]] },
  });
  await driver.setClock(60_000);
  expect(kept()).toEqual({ sy: { first: [[6, 0]] } });
});

it('a process function keeps state, and what it did is undone when it throws', async () => {
  const driver = await createDriver(
    topology('counter', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .map((e) => e.data as Sale)
        .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
        .keyBy((s) => s.shop)
        .process('count', {
          state: { seen: value<number>() },
          onElement: (s, context) => {
            const seen = (context.state.seen.get() ?? 0) + 1;
            context.state.seen.set(seen);
            if (s.price < 0) throw new Error('negative');
            context.timers.event(s.at + 10);
            return [{ shop: context.key, seen }];
          },
          onTimer: (timer, context) => [{ shop: context.key, seen: -timer.at }],
        })
        .sinkTo('out', collect());
    }),
  );
  await driver.push('in', [sale('x', 1, 0), sale('x', -1, 1), sale('x', 1, 2)]);
  expect(driver.read('out').map((row) => row.value)).toEqual([
    { shop: 'x', seen: 1 },
    { shop: 'x', seen: 2 },
  ]);
  expect(driver.rejected()).toMatchObject([
    { operator: 'count', code: 'function-threw', message: 'negative' },
  ]);
  await driver.advanceWatermark(11);
  expect(driver.read('out')).toEqual([{ value: { shop: 'x', seen: -10 }, timestamp: 10 }]);
});
