/**
 * Rows of one key: what an operator does for each must not grow with how many there are. Counted
 * are the calls of the author's function, and the entries that move within the state of windows;
 * what a join's rows cost to find is counted in state/time-structures.test.ts.
 */
import { describe, expect, it } from 'vitest';
import type { SluiceEvent, Stream, StreamDefinition, Topology } from '../../../topology/index.ts';
import { collect, count, session, stream, topology, tumbling } from '../../../topology/index.ts';
import type { Driver } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { movedByAsync } from '../state/counted.ts';

const rows = 10_000;
const step = 10;

const orders: Readonly<Record<string, (n: number) => number>> = {
  'in order': (n) => n * step,
  'in reverse': (n) => (rows - n) * step,
  'in any order': (n) => ((n * 7_919) % rows) * step,
};

function of(build: (open: (name: string) => Stream<number>) => void): Topology {
  return topology('many', { version: 1, owner: 'a/b' }, (t) =>
    build((name) =>
      t
        .source(name, stream(`a/${name}`) as StreamDefinition<SluiceEvent<number>>)
        .eventTime(`${name}-time`, (e) => e.data, {
          outOfOrderness: 0,
          idleAfter: 0,
          future: { max: 0 },
        })
        .map((e) => e.data),
    ),
  );
}

async function pushAll(driver: Driver, source: string, times: readonly number[]): Promise<void> {
  for (let from = 0; from < times.length; from += 1_000)
    await driver.push(
      source,
      times.slice(from, from + 1_000).map((at) => event(at)),
    );
}

const times = (at: (n: number) => number): readonly number[] =>
  Array.from({ length: rows }, (_, n) => at(n));

/** Time moves on in a hundred steps, and ends. */
async function letTimePass(driver: Driver): Promise<void> {
  for (let n = 1; n <= 100; n++) await driver.advanceWatermark((n * rows * step) / 100);
  await driver.advanceWatermark('max');
}

describe('many rows of one key', () => {
  it.each(Object.entries(orders))('are joined one by one: %s', async (_, at) => {
    let asked = 0;
    const joined = of((open) => {
      const [left, right] = [open('left').keyBy(() => 'k'), open('right').keyBy(() => 'k')];
      left
        .intervalJoin('join', right, { lower: 0, upper: 5, join: 'left' }, (l, r) => {
          asked++;
          return [l, r ?? null];
        })
        .out.sinkTo('out', collect());
    });
    const driver = await createDriver(joined);
    await pushAll(driver, 'left', times(at));
    // Every second one has its match, 5 ms later.
    await pushAll(
      driver,
      'right',
      times(at)
        .filter((time) => (time / step) % 2 === 0)
        .map((time) => time + 5),
    );
    await letTimePass(driver);
    expect(driver.read('out')).toHaveLength(rows);
    expect(asked).toBe(rows);
  });

  it.each([
    ['session', session(5)],
    ['tumbling', tumbling(step)],
  ] as const)('are in as many windows: %s', async (_, shape) => {
    const counted = of((open) => {
      open('in')
        .keyBy(() => 'k')
        .window('window', shape)
        .aggregate({ n: count() })
        .out.sinkTo('out', collect());
    });
    for (const at of Object.values(orders)) {
      const driver = await createDriver(counted);
      const moved = await movedByAsync(async () => {
        await pushAll(driver, 'in', times(at));
        await letTimePass(driver);
      });
      expect(driver.read('out')).toHaveLength(rows);
      expect(moved).toBeLessThan(2 * rows * 600);
    }
  });

  it('of one time are joined with what matches only', async () => {
    let asked = 0;
    const joined = of((open) => {
      const [left, right] = [open('left').keyBy(() => 'k'), open('right').keyBy(() => 'k')];
      left
        .intervalJoin('join', right, { lower: 1, upper: 5 }, (l, r) => {
          asked++;
          return [l, r];
        })
        .out.sinkTo('out', collect());
    });
    const driver = await createDriver(joined);
    await pushAll(
      driver,
      'left',
      times(() => 100),
    );
    await pushAll(
      driver,
      'right',
      times((n) => (n === 0 ? 101 : 100)),
    );
    await letTimePass(driver);
    expect(asked).toBe(rows);
  });
});
