/**
 * What authors' functions may do to state: change in place what they are given, give what is no
 * JSON, throw half-way. None of it may leave a trace that a restored operator would not have.
 */
import { describe, expect, it } from 'vitest';
import type {
  Aggregate,
  Key,
  SluiceEvent,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  aggregator,
  collect,
  count,
  list,
  session,
  sliding,
  stream,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { saying } from '../../said.ts';

interface Row {
  readonly at: number;
  readonly n: number;
  readonly key: Key;
}

const row = (at: number, n: number, key: Key = 'k'): SluiceEvent<Row> => event({ at, n, key });
const build = (flow: (t: TopologyBuilder) => void): Topology =>
  topology('author', { version: 1, owner: 'a/b' }, flow);

function rows(t: TopologyBuilder) {
  return t
    .source('in', stream('a/b') as StreamDefinition<SluiceEvent<Row>>)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
    .keyBy((e) => e.data.key);
}

/** Changes its accumulator in place, as the contract allows, and refuses 13 before that. */
const numbers = (most = 100): Aggregate<SluiceEvent<Row>, string> =>
  aggregator({
    create: () => [] as number[],
    add: (all, { data: { n } }: SluiceEvent<Row>) => {
      if (n === 13 || all.length >= most) throw new Error('refused');
      all.push(n);
      return all;
    },
    merge: (a, b) => {
      b.push(...a);
      return b;
    },
    result: (all) => all.join(' '),
  });

/** Takes everything. */
const everything = aggregator({
  create: () => [] as number[],
  add: (all, { data: { n } }: SluiceEvent<Row>) => {
    all.push(n);
    return all;
  },
  merge: (a, b) => [...a, ...b],
  result: (all) => all.join(' '),
});

async function results(
  of: Topology,
  pushed: readonly SluiceEvent<Row>[],
): Promise<readonly unknown[]> {
  const driver = await createDriver(of);
  await driver.push('in', pushed);
  await driver.restore(driver.snapshot());
  await driver.advanceWatermark('max');
  return driver.read('out').map((one) => one.value);
}

describe('an element that an aggregate refuses', () => {
  it('leaves no trace in another aggregate that had added it already', async () => {
    const both = build((t) =>
      rows(t)
        .window('window', tumbling(100))
        .aggregate({ all: everything, some: numbers() })
        .out.sinkTo('out', collect()),
    );
    expect(await results(both, [row(1, 1), row(2, 13), row(3, 2)])).toMatchObject([
      { all: '1 2', some: '1 2' },
    ]);
  });

  it('leaves no trace in a window that had added it when the next one was asked', async () => {
    const two = build((t) =>
      rows(t)
        .window('window', sliding(100, 50))
        .aggregate({ some: numbers(2), n: count() })
        .out.sinkTo('out', collect()),
    );
    expect(await results(two, [row(60, 1), row(120, 2), row(60, 3), row(120, 4)])).toMatchObject([
      { windowStart: 0, some: '1', n: 1 },
      { windowStart: 50, some: '1 2', n: 2 },
      { windowStart: 100, some: '2', n: 1 },
    ]);
  });

  it('leaves no trace in sessions that it would have merged', async () => {
    const sessions = build((t) =>
      rows(t)
        .window('window', session(100))
        .aggregate({ some: numbers() })
        .out.sinkTo('out', collect()),
    );
    expect(await results(sessions, [row(0, 1), row(150, 2), row(75, 13)])).toMatchObject([
      { some: '1' },
      { some: '2' },
    ]);
  });
});

describe('an accumulator', () => {
  it('is of one window alone, also when create gives the same object again', async () => {
    const shared: number[] = [];
    const sharing = aggregator({
      create: () => shared,
      add: (all, { data: { n } }: SluiceEvent<Row>) => {
        all.push(n);
        return all;
      },
      merge: (a, b) => [...a, ...b],
      result: (all) => all.join(' '),
    });
    const of = build((t) =>
      rows(t)
        .window('window', tumbling(10))
        .aggregate({ all: sharing })
        .out.sinkTo('out', collect()),
    );
    expect(await results(of, [row(1, 1), row(11, 2)])).toMatchObject([{ all: '1' }, { all: '2' }]);
  });

  it.each([
    ['has a Set', { create: () => new Set<number>(), add: (all: Set<number>) => all }],
    ['not undefined', { create: () => [], add: () => undefined }],
  ])('that no checkpoint could keep is refused with the reason: it %s', async (reason, parts) => {
    const wrong = aggregator({ ...parts, merge: (a: unknown) => a, result: String } as never);
    const of = build((t) =>
      rows(t)
        .window('window', tumbling(10))
        .aggregate({ wrong, n: count() })
        .out.sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    await driver.push('in', row(1, 1));
    expect(driver.rejected()).toMatchObject([
      { code: 'function-result', message: expect.stringContaining(reason) as string },
    ]);
    expect(driver.counts('window')).toMatchObject({ in: 1, passed: 0, rejected: 1 });
  });
});

describe("a process function's state", () => {
  it('is undone when the function throws, also what it changed in place', async () => {
    const of = build((t) =>
      rows(t)
        .process('process', {
          state: { seen: value<{ n: number }>(), all: list<{ n: number }>() },
          onElement: (e, { state }) => {
            const seen = state.seen.get() ?? { n: 0 };
            seen.n += e.data.n;
            state.seen.set(seen);
            for (const one of state.all.get()) one.n++;
            state.all.add(seen);
            if (e.data.n === 13) throw new Error('refused');
            seen.n = -1;
            return [{ seen: state.seen.get(), all: state.all.get() }];
          },
        })
        .sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    await driver.push('in', [row(1, 1), row(2, 13), row(3, 2)]);
    expect(driver.read('out').map((one) => one.value)).toEqual([
      { seen: { n: 1 }, all: [{ n: 1 }] },
      { seen: { n: 3 }, all: [{ n: 1 }, { n: 3 }] },
    ]);
  });

  it('takes nothing that a checkpoint would not give back, and undefined as none', async () => {
    const of = build((t) =>
      rows(t)
        .process('process', {
          state: { any: value<unknown>() },
          onElement: (e, { state }) => {
            const before = state.any.get();
            state.any.set([undefined, 7, new Date(0), { a: Number.NaN }][e.data.n]);
            return [[typeof before]];
          },
        })
        .sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    for (const n of [1, 0, 1, 2, 3, 1]) {
      await driver.push('in', row(1, n));
      await driver.restore(driver.snapshot());
    }
    expect(driver.read('out').map((one) => one.value)).toEqual([
      ['undefined'],
      ['number'],
      ['undefined'],
      ['number'],
    ]);
    expect(driver.rejected().map((one) => one.message)).toEqual([
      saying({ names: ['any', ''] }),
      saying({ names: ['any', '/a'] }),
    ]);
  });
});

describe('a key', () => {
  it('is shown the same whichever of equal ones came first, and whatever happens to the array that gave it', async () => {
    const of = build((t) =>
      rows(t)
        .window('window', tumbling(10))
        .aggregate({ n: count() })
        .out.map((one) => ({ key: one.key, n: one.n }))
        .sinkTo('out', collect()),
    );
    const tuple = ['a', -0];
    const driver = await createDriver(of);
    await driver.push('in', [
      row(1, 1, -0),
      row(2, 1, 0),
      row(3, 1, tuple),
      row(4, 1, ['a', 0]),
      row(5, 1, '__proto__'),
      row(6, 1, '0'),
    ]);
    tuple[0] = 'changed';
    await driver.advanceWatermark('max');
    expect(driver.read('out').map((one) => one.value)).toEqual([
      { key: 0, n: 2 },
      { key: '0', n: 1 },
      { key: '__proto__', n: 1 },
      { key: ['a', 0], n: 2 },
    ]);
  });
});
