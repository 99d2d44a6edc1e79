/**
 * Operators that go on from state that was made under other options, where the rules allow it: what
 * was forgotten stays forgotten, and the rest is as if the new options had always been there.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type {
  Aggregate,
  Topology,
  WindowDefinition,
  WindowOptions,
} from '../../../topology/index.ts';
import {
  collect,
  count,
  max,
  session,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { DeduplicateNode } from '../../../topology/operators/deduplicate/node.ts';
import { deduplicateFromWhole } from '../../../topology/operators/deduplicate/whole-state.ts';
import type { Driver } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface At {
  readonly at: number;
  readonly n: number;
}

type Aggregates = Record<string, Aggregate<{ readonly data: At }, number>>;

const n = (e: { readonly data: At }): number => e.data.n;

function windows(
  definition: WindowDefinition,
  options: WindowOptions = {},
  aggregates: Aggregates = { total: sum(n) },
): Topology {
  return topology('t', { version: 1, owner: 'a/b' }, (t) => {
    const { out, late } = t
      .source('in', stream('a/b'))
      .eventTime('time', (e) => (e.data as At).at, { outOfOrderness: 0, future: { max: 0 } })
      .map((e) => ({ ...e, data: e.data as At }))
      .keyBy(() => 'k')
      .window('w', definition, { ...options, late: 'side' })
      .aggregate(aggregates);
    out.sinkTo('out', collect());
    late.sinkTo('late', collect());
  });
}

function deduplicated(within: number): Topology {
  return topology('t', { version: 1, owner: 'a/b' }, (t) => {
    const { out, late } = t
      .source('in', stream('a/b'))
      .eventTime('time', (e) => (e.data as At).at, { outOfOrderness: 0, future: { max: 0 } })
      .deduplicate('d', { by: (e) => e.id, within, late: 'side' });
    out.sinkTo('out', collect());
    late.sinkTo('late', collect());
  });
}

/** The same state under another topology. */
async function becomes(driver: Driver, next: Topology): Promise<Driver> {
  const driven = await createDriver(next);
  await driven.restore(driver.snapshot());
  return driven;
}

const push = (driver: Driver, at: number, n = 1, id = 'test'): Promise<void> =>
  driver.push('in', event({ at, n }, { id }));

interface Pane {
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly total?: number;
  readonly pane: { readonly index: number; readonly timing: string };
}
const panes = (driver: Driver): readonly (readonly unknown[])[] =>
  driver.read('out').map(({ value }) => {
    const { windowStart, windowEnd, total, pane } = value as Pane;
    return [windowStart, windowEnd, total, pane.timing];
  });
const lates = (driver: Driver): readonly number[] =>
  driver.read('late').map(({ timestamp }) => timestamp);

describe('a window', () => {
  it('that was removed is not made again when more lateness is allowed, also a restart later', async () => {
    let driver = await createDriver(windows(tumbling(10)));
    await push(driver, 5);
    await push(driver, 15);
    await driver.advanceWatermark(12);
    expect(panes(driver)).toEqual([[0, 10, 1, 'onTime']]);
    for (let restarts = 0; restarts < 2; restarts++) {
      driver = await becomes(driver, windows(tumbling(10), { allowedLateness: 1_000 }));
      await push(driver, 6);
      expect([panes(driver), lates(driver)]).toEqual([[], [6]]);
    }
    // What was open then is allowed the new lateness.
    await driver.advanceWatermark(500);
    await push(driver, 16);
    expect(panes(driver)).toEqual([
      [10, 20, 1, 'onTime'],
      [10, 20, 2, 'late'],
    ]);
  });

  it('is over at once when less lateness is allowed, and fires no second time', async () => {
    let driver = await createDriver(windows(tumbling(10), { allowedLateness: 1_000 }));
    await push(driver, 5);
    await push(driver, 15);
    await driver.advanceWatermark(12);
    expect(panes(driver)).toEqual([[0, 10, 1, 'onTime']]);
    driver = await becomes(driver, windows(tumbling(10)));
    await push(driver, 6);
    await driver.advanceWatermark(30);
    expect([panes(driver), lates(driver)]).toEqual([[[10, 20, 1, 'onTime']], [6]]);
  });

  it('of a sliding element that is over for one of two stays over', async () => {
    let driver = await createDriver(windows(sliding(20, 10)));
    await push(driver, 15);
    await driver.advanceWatermark(19);
    expect(panes(driver)).toEqual([[0, 20, 1, 'onTime']]);
    driver = await becomes(driver, windows(sliding(20, 10), { allowedLateness: 100 }));
    await push(driver, 16);
    expect([panes(driver), lates(driver)]).toEqual([[], []]);
    await driver.advanceWatermark(29);
    expect(panes(driver)).toEqual([[10, 30, 2, 'onTime']]);
  });

  it('fires early by the interval that is now', async () => {
    let driver = await createDriver(windows(tumbling(100)));
    await push(driver, 5);
    await driver.advanceWatermark(12);
    driver = await becomes(driver, windows(tumbling(100), { early: 20 }));
    await driver.advanceWatermark(25);
    expect(panes(driver)).toEqual([[0, 100, 1, 'early']]);
    await push(driver, 26);
    driver = await becomes(driver, windows(tumbling(100), { early: 7 }));
    await driver.advanceWatermark(28);
    expect(panes(driver)).toEqual([[0, 100, 2, 'early']]);
    await push(driver, 29);
    driver = await becomes(driver, windows(tumbling(100)));
    await driver.advanceWatermark(98);
    expect(panes(driver)).toEqual([]);
    await driver.advanceWatermark(99);
    expect(panes(driver)).toEqual([[0, 100, 3, 'onTime']]);
  });

  it('keeps each aggregate under its name, and begins a new one empty', async () => {
    let driver = await createDriver(windows(tumbling(10), {}, { total: sum(n), most: max(n) }));
    await push(driver, 1, 5);
    await push(driver, 2, 7);
    driver = await becomes(
      driver,
      windows(tumbling(10), {}, { most: max(n), seen: count(), total: sum(n) }),
    );
    await push(driver, 3, 1);
    await driver.advanceWatermark(20);
    expect(driver.read('out').map(({ value }) => value)).toMatchObject([
      { total: 13, most: 7, seen: 1 },
    ]);
  });

  it('that is open is as if the new lateness had always been there, whatever the windows', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ at: fc.integer({ min: 0, max: 60 }) }) },
      { weight: 1, arbitrary: fc.record({ watermark: fc.integer({ min: 0, max: 80 }) }) },
    );
    const shapes = fc.constantFrom(tumbling(10), sliding(20, 10), sliding(15, 4));
    const lateness = fc.constantFrom(0, 3, 25);
    await fc.assert(
      fc.asyncProperty(
        shapes,
        lateness,
        lateness,
        fc.array(step),
        fc.array(step),
        async (shape, before, after, first, second) => {
          const [one, always] = [
            windows(shape, { allowedLateness: before }),
            windows(shape, { allowedLateness: after }),
          ];
          let watermark = Number.NEGATIVE_INFINITY;
          const run = async (driver: Driver, steps: typeof first): Promise<void> => {
            for (const each of steps) {
              if ('at' in each) await push(driver, each.at);
              else await driver.advanceWatermark(each.watermark);
            }
          };
          const [changing, constant] = [await createDriver(one), await createDriver(always)];
          await run(changing, first);
          await run(constant, first);
          for (const each of first)
            if ('watermark' in each) watermark = Math.max(watermark, each.watermark);
          panes(constant);
          const changed = await becomes(changing, always);
          for (const driver of [changed, constant]) await run(driver, second);
          // Windows that the old lateness had removed stay as they were; all others are equal.
          const isOpen = ([, end]: readonly unknown[]): boolean =>
            Number(end) - 1 > watermark - before;
          const found = panes(changed);
          expect(found.every(isOpen)).toBe(true);
          expect(found).toEqual(panes(constant).filter(isOpen));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('of a session that was removed is not made again when more lateness is allowed', async () => {
    let driver = await createDriver(windows(session(10)));
    await push(driver, 5);
    await driver.advanceWatermark(20);
    expect(panes(driver)).toEqual([[5, 15, 1, 'onTime']]);
    driver = await becomes(driver, windows(session(10), { allowedLateness: 1_000 }));
    await push(driver, 6);
    expect([panes(driver), lates(driver)]).toEqual([[], [6]]);
    // The old one let go of its end: who comes after it begins a session.
    await push(driver, 12);
    await driver.advanceWatermark(21);
    expect(panes(driver)).toEqual([[12, 22, 1, 'onTime']]);
  });
});

it('a driver refuses what a job would refuse', async () => {
  const driver = await createDriver(windows(tumbling(10)));
  await push(driver, 5);
  const refused = becomes(driver, windows(tumbling(20)));
  await expect(refused).rejects.toMatchObject({
    code: 'restore-refused',
    details: { misfits: [{ node: 'w', option: 'size', was: '10ms', is: '20ms', drop: 'w' }] },
  });
});

describe('deduplicate', () => {
  it('never lets pass what it may have seen when `within` gets longer, also a restart later', async () => {
    let driver = await createDriver(deduplicated(10));
    await push(driver, 5, 1, 'a');
    await push(driver, 18, 1, 'b');
    await driver.advanceWatermark(16);
    expect(driver.read('out')).toHaveLength(2);
    for (let restarts = 0; restarts < 2; restarts++) {
      driver = await becomes(driver, deduplicated(1_000));
      await push(driver, 5, 1, 'a');
      expect([driver.read('out'), lates(driver)]).toEqual([[], [5]]);
    }
    // What it still knows it knows for as long as it would have from the beginning.
    await driver.advanceWatermark(1_000);
    await push(driver, 900, 1, 'b');
    expect(driver.read('out')).toEqual([]);
    await driver.advanceWatermark(1_018);
    await push(driver, 1_019, 1, 'b');
    expect(driver.read('out')).toHaveLength(1);
  });

  it('lets pass again, after the shorter time, when `within` gets shorter', async () => {
    let driver = await createDriver(deduplicated(1_000));
    await push(driver, 5, 1, 'a');
    await driver.advanceWatermark(16);
    driver = await becomes(driver, deduplicated(10));
    driver.read('out');
    await push(driver, 17, 1, 'a');
    await push(driver, 6, 1, 'c');
    expect([driver.read('out').map(({ timestamp }) => timestamp), lates(driver)]).toEqual([
      [17],
      [6],
    ]);
  });

  it('goes on from state of before version 3, which had times to forget', async () => {
    const driver = await createDriver(deduplicated(10));
    const snapshot = JSON.parse(driver.snapshot()) as {
      readonly operators: Record<string, unknown>;
      readonly entries: unknown[];
    };
    const whole = { watermark: 16, expiries: [['sb', 28]] as const };
    const node = deduplicated(10).plan.nodes.find(({ id }) => id === 'd') as DeduplicateNode;
    const { head, entries } = deduplicateFromWhole(whole, node, seededRandom(1));
    snapshot.operators['d'] = head;
    for (const { table, group, key, time } of entries)
      snapshot.entries.push(['d', table, group, Buffer.from(key).toString('latin1'), time, '']);
    expect(snapshot.entries).toHaveLength(1);
    await driver.restore(JSON.stringify(snapshot));
    await push(driver, 19, 1, 'b');
    await push(driver, 19, 1, 'c');
    await push(driver, 6, 1, 'd');
    expect([driver.read('out').map(({ timestamp }) => timestamp), lates(driver)]).toEqual([
      [19],
      [6],
    ]);
  });
});
