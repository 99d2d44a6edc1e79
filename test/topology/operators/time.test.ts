/**
 * What the format of conformance cases cannot say of time: idle inputs of a join, timers that are
 * deleted or register others, the order in which timers fire, and that results are in front of the
 * watermark that caused them.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  Key,
  SluiceEvent,
  StreamDefinition,
  Timer,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  collect,
  count,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { Driver } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Row {
  readonly key: string;
  readonly at: number;
  readonly n?: number;
}

const build = (describeFlow: (t: TopologyBuilder) => void): Topology =>
  topology('time', { version: 1, owner: 'a/b' }, describeFlow);

function rows(t: TopologyBuilder, id: string) {
  return t
    .source(id, stream(`a/${id}`) as StreamDefinition<SluiceEvent<Row>>)
    .eventTime(`${id}-time`, (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });
}

const row = (at: number, key = 'k', n = 1): SluiceEvent<Row> => event({ key, at, n });

/** The same driver, or one that was restored from its snapshot: what follows must not differ. */
async function restored(of: Topology, driver: Driver): Promise<Driver> {
  const snapshot = driver.snapshot();
  driver.close();
  const next = await createDriver(of);
  await next.restore(snapshot);
  return next;
}

describe('an interval join with an idle input', () => {
  const joined = (join: 'inner' | 'left'): Topology =>
    build((t) => {
      const right = rows(t, 'right').keyBy((e) => e.data.key);
      rows(t, 'left')
        .keyBy((e) => e.data.key)
        .intervalJoin(
          'join',
          right,
          { lower: -10, upper: 5, join },
          (l, r: SluiceEvent<Row> | undefined) => [l.data.at, r?.data.at ?? null],
        )
        .out.sinkTo('out', collect());
    });

  it('goes by the watermark of the other one', async () => {
    const driver = await createDriver(joined('inner'));
    await driver.advanceWatermark(100, { source: 'left' });
    expect(driver.signals('out')).toEqual([]);
    await driver.idle({ source: 'right' });
    expect(driver.signals('out')).toEqual([100]);
    await driver.advanceWatermark(200, { source: 'left' });
    expect(driver.signals('out')).toEqual([200]);
  });

  it('pads unmatched rows when the idle input holds nothing back any more', async () => {
    let driver = await createDriver(joined('left'));
    await driver.push('left', row(100));
    await driver.advanceWatermark(105, { source: 'left' });
    expect(driver.read('out')).toEqual([]);
    driver = await restored(joined('left'), driver);
    await driver.idle({ source: 'right' });
    expect(driver.read('out')).toEqual([{ value: [100, null], timestamp: 100 }]);
    expect(driver.signals('out')).toEqual([99]);
  });

  it('is idle with both after the maximum of both, and is active again with an advance only', async () => {
    let driver = await createDriver(joined('inner'));
    await driver.advanceWatermark(100, { source: 'left' });
    await driver.advanceWatermark(50, { source: 'right' });
    await driver.idle({ source: 'left' });
    await driver.idle({ source: 'right' });
    expect(driver.signals('out')).toEqual([50, 100, 'idle']);
    driver = await restored(joined('inner'), driver);
    await driver.active({ source: 'right' });
    expect(driver.signals('out')).toEqual([]);
    await driver.advanceWatermark(100, { source: 'right' });
    expect(driver.signals('out')).toEqual([]);
    await driver.advanceWatermark(101, { source: 'right' });
    expect(driver.signals('out')).toEqual(['active', 101]);
  });
});

describe('timers', () => {
  type Command = 'event' | 'deleteEvent' | 'processing' | 'deleteProcessing';
  interface Order {
    readonly key: string;
    readonly command: Command;
    readonly timer: number;
  }

  /** Each element carries an order to the timers of its key. */
  const obeying = build((t) => {
    t.source('in', stream('a/in') as StreamDefinition<SluiceEvent<Order>>)
      .eventTime('time', () => 0, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
      .keyBy((e) => e.data.key)
      .process('timers', {
        state: {},
        onElement: (e, ctx): readonly (readonly [Key, Timer['domain'], number])[] => {
          ctx.timers[e.data.command](e.data.timer);
          return [];
        },
        onTimer: ({ at, domain }, ctx) => [[ctx.key, domain, at] as const],
      })
      .sinkTo('out', collect());
  });
  const order = (command: Command, timer: number, key = 'k'): SluiceEvent<Order> =>
    event({ key, command, timer });
  const fired = (driver: Driver): readonly unknown[] => driver.read('out').map((one) => one.value);

  it('that are deleted do not fire, and only those', async () => {
    let driver = await createDriver(obeying);
    await driver.push('in', [
      order('event', 10),
      order('event', 20),
      order('event', 10, 'j'),
      order('processing', 10),
    ]);
    await driver.push('in', [order('deleteEvent', 10), order('deleteEvent', 999)]);
    driver = await restored(obeying, driver);
    await driver.advanceWatermark(100);
    expect(fired(driver)).toEqual([
      ['j', 'event', 10],
      ['k', 'event', 20],
    ]);
    await driver.setClock(10);
    expect(fired(driver)).toEqual([['k', 'processing', 10]]);
  });

  it('of processing time are deleted alike, and not by the other domain', async () => {
    const driver = await createDriver(obeying);
    await driver.push('in', [
      order('processing', 10),
      order('processing', 20),
      order('deleteProcessing', 10),
      order('deleteEvent', 20),
    ]);
    await driver.setClock(50);
    expect(fired(driver)).toEqual([['k', 'processing', 20]]);
  });

  it('that are deleted and registered again fire once', async () => {
    let driver = await createDriver(obeying);
    await driver.push('in', [
      order('event', 10),
      order('deleteEvent', 10),
      order('event', 10),
      order('event', 10),
    ]);
    driver = await restored(obeying, driver);
    await driver.advanceWatermark(10);
    expect(fired(driver)).toEqual([['k', 'event', 10]]);
    await driver.advanceWatermark(20);
    expect(fired(driver)).toEqual([]);
  });

  it('of many keys fire in the order of their times, restored or not', async () => {
    const orders = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        timer: fc.integer({ min: -50, max: 50 }),
      }),
      {
        size: 'max',
        maxLength: 40,
      },
    );
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(
        orders,
        fc.integer({ min: -50, max: 50 }),
        fc.boolean(),
        async (all, watermark, restore) => {
          let driver = await createDriver(obeying);
          for (const { key, timer } of all) await driver.push('in', order('event', timer, key));
          if (restore) driver = await restored(obeying, driver);
          const distinct = [
            ...new Set(all.map(({ key, timer }) => JSON.stringify([key, 'event', timer]))),
          ];
          const due = distinct
            .map((text) => JSON.parse(text) as [string, string, number])
            .sort((a, b) => a[2] - b[2]);
          await driver.advanceWatermark(watermark);
          const first = fired(driver) as [string, string, number][];
          await driver.advanceWatermark('max');
          const all2 = [...first, ...(fired(driver) as [string, string, number][])];
          seen += all2.length;
          expect(first.every(([, , at]) => at <= watermark)).toBe(true);
          expect(all2.map(([, , at]) => at)).toEqual(due.map(([, , at]) => at));
          expect(all2.map((one) => JSON.stringify(one)).sort()).toEqual([...distinct].sort());
          driver.close();
        },
      ),
    );
    expect(seen).toBeGreaterThan(500);
  });

  it('that a timer registers fire in the same advance when they are due', async () => {
    const chained = build((t) => {
      rows(t, 'in')
        .keyBy((e) => e.data.key)
        .process('chain', {
          state: { left: value<number>() },
          onElement: (e, ctx): readonly number[] => {
            ctx.state.left.set(e.data.n ?? 0);
            ctx.timers.event(e.data.at);
            return [];
          },
          onTimer: ({ at }, ctx) => {
            const left = ctx.state.left.get() ?? 0;
            if (left > 0) ctx.timers.event(at + 10);
            ctx.state.left.set(left - 1);
            return [left];
          },
        })
        .sinkTo('out', collect());
    });
    const driver = await createDriver(chained);
    await driver.push('in', row(10, 'k', 3));
    await driver.advanceWatermark(35);
    expect(driver.read('out')).toEqual([
      { value: 3, timestamp: 10 },
      { value: 2, timestamp: 20 },
      { value: 1, timestamp: 30 },
    ]);
    await driver.advanceWatermark(40);
    expect(driver.read('out')).toEqual([{ value: 0, timestamp: 40 }]);
  });
});

describe('windows that fire at one time', () => {
  it('fire in the order of their starts, restored or not', async () => {
    const dense = build((t) => {
      rows(t, 'in')
        .keyBy((e) => e.data.key)
        .window('window', sliding(12, 1), { early: 6 })
        .aggregate({ n: count() })
        .out.sinkTo('out', collect());
    });
    for (const restore of [false, true]) {
      let driver = await createDriver(dense);
      await driver.push('in', row(5));
      if (restore) driver = await restored(dense, driver);
      // The one that begins at -6 fires at 5; all others at 6, that at -5 on time and the rest
      // early.
      await driver.advanceWatermark(6);
      const starts = driver
        .read('out')
        .map((one) => (one.value as { windowStart: number }).windowStart);
      expect(starts).toEqual([-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5]);
    }
  });
});

describe('time that a driver gives by hand to a whole source', () => {
  const both = build((t) => {
    rows(t, 'a').union('union', rows(t, 'b')).sinkTo('out', collect());
    rows(t, 'c').sinkTo('alone', collect());
  });

  it('never goes back, and says idle once', async () => {
    const driver = await createDriver(both);
    await driver.advanceWatermark(100, { source: 'c' });
    await driver.advanceWatermark(50, { source: 'c' });
    await driver.advanceWatermark(100, { source: 'c' });
    await driver.idle({ source: 'c' });
    await driver.idle({ source: 'c' });
    expect(driver.signals('alone')).toEqual([100, 'idle']);
  });

  it('agrees with the watermarks that the source makes itself', async () => {
    const driver = await createDriver(both);
    await driver.idle({ source: 'a' });
    await driver.advanceWatermark(10, { source: 'b' });
    await driver.push('a', row(100));
    await driver.tick();
    await driver.advanceWatermark(500, { source: 'b' });
    // The event makes `a` active again: its 99 holds the 500 back.
    expect(driver.signals('out')).toEqual([10, 99]);
  });
});

describe('results are in front of the watermark that caused them', () => {
  it('windows over windows of the same size lose nothing', async () => {
    const stacked = build((t) => {
      const first = rows(t, 'in')
        .keyBy((e) => e.data.key)
        .window('first', tumbling(1_000))
        .aggregate({ total: sum((e) => e.data.n ?? 0) });
      first.out
        .keyBy(() => 'all')
        .window('second', tumbling(1_000))
        .aggregate({ total: sum((r) => r.total) })
        .out.sinkTo('out', collect());
    });
    const driver = await createDriver(stacked);
    await driver.push('in', [row(1, 'a', 1), row(2, 'b', 2), row(999, 'a', 4), row(1_000, 'a', 8)]);
    await driver.advanceWatermark(999);
    expect(driver.read('out').map((one) => (one.value as { total: number }).total)).toEqual([7]);
    expect(driver.counts('second').late).toBe(0);
    expect(driver.signals('out')).toEqual([999]);
  });

  it('rows that a left join pads are not late in a window after it', async () => {
    const padded = build((t) => {
      const right = rows(t, 'right').keyBy((e) => e.data.key);
      rows(t, 'left')
        .keyBy((e) => e.data.key)
        .intervalJoin('join', right, { lower: 0, upper: '1h', join: 'left' }, (l, r) => ({
          at: l.data.at,
          found: r !== undefined,
        }))
        .out.keyBy(() => 'all')
        .window('window', tumbling(10))
        .aggregate({ n: count() })
        .out.sinkTo('out', collect());
    });
    const driver = await createDriver(padded);
    const times = Array.from({ length: 200 }, (_, index) => index * 7);
    await driver.push(
      'left',
      times.map((at) => row(at)),
    );
    await driver.push('right', row(700));
    for (let at = 0; at < 1_500; at += 3) await driver.advanceWatermark(3_600_000 + at);
    expect(driver.counts('join').late).toBe(0);
    expect(driver.counts('window')).toMatchObject({ in: times.length, late: 0, emitted: 70 });
    expect(driver.signals('out').at(-1)).toBe(1_496);
  });
});

describe('counts of a window', () => {
  it('tell late elements from those that only some of their windows took', async () => {
    const slid = build((t) => {
      const windowed = rows(t, 'in')
        .keyBy((e) => e.data.key)
        .window('window', sliding(3_000, 1_000), { late: 'side' })
        .aggregate({ n: count() });
      windowed.out.sinkTo('out', collect());
      windowed.late.sinkTo('late', collect());
    });
    let driver = await createDriver(slid);
    await driver.advanceWatermark(1_999);
    await driver.push('in', [row(-1_001), row(500), row(1_999), row(2_000)]);
    driver = await restored(slid, driver);
    expect(driver.counts('window')).toMatchObject({
      in: 4,
      passed: 3,
      late: 1,
      partiallyLate: 2,
      emitted: 0,
    });
    await driver.advanceWatermark('max');
    expect(driver.counts('window')).toMatchObject({
      in: 4,
      passed: 3,
      late: 1,
      partiallyLate: 2,
      emitted: 3,
    });
  });
});

describe('panes', () => {
  it('say whether they are early, on time or late, and which is the last', async () => {
    const windowed = (allowedLateness: number): Topology =>
      build((t) => {
        rows(t, 'in')
          .keyBy((e) => e.data.key)
          .window('window', tumbling(1_000), { allowedLateness, early: 400 })
          .aggregate({ n: count() })
          .out.sinkTo('out', collect());
      });
    const panesOf = async (allowedLateness: number): Promise<readonly unknown[]> => {
      const of = windowed(allowedLateness);
      let driver = await createDriver(of);
      await driver.push('in', row(0));
      await driver.advanceWatermark(400);
      const before = driver.read('out');
      driver = await restored(of, driver);
      await driver.push('in', row(500));
      await driver.advanceWatermark(800);
      await driver.advanceWatermark(999);
      await driver.push('in', row(600));
      return [...before, ...driver.read('out')].map((one) => {
        const { pane, n } = one.value as { pane: unknown; n: number };
        return [n, pane];
      });
    };
    const early = [
      [1, { index: 0, timing: 'early', last: false }],
      [2, { index: 1, timing: 'early', last: false }],
    ];
    expect(await panesOf(0)).toEqual([...early, [2, { index: 2, timing: 'onTime', last: true }]]);
    expect(await panesOf(500)).toEqual([
      ...early,
      [2, { index: 2, timing: 'onTime', last: false }],
      [3, { index: 3, timing: 'late', last: false }],
    ]);
  });
});
