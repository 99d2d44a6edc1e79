/**
 * A value that is not JSON ended a topology at its next checkpoint, and again after each restart.
 * Wherever a user function can bring one in, the element that it came of is rejected once, with the
 * operator and the place of the value; the others go on, and a snapshot holds.
 */
import { describe, expect, it } from 'vitest';
import type { SluiceEvent, StreamDefinition, TopologyBuilder } from '../../../topology/index.ts';
import {
  aggregator,
  asyncLookup,
  collect,
  count,
  list,
  sliding,
  stream,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';

const circular: Record<string, unknown> = {};
circular['self'] = circular;

const bad: Readonly<Record<string, unknown>> = {
  bigint: { deep: [1n] },
  circular,
  date: { at: new Date(0) },
  map: { all: new Map([[1, 2]]) },
  undefined: { a: 1, b: undefined },
  nan: { n: Number.NaN },
  hole: { list: new Array(2) },
  function: { f: () => 1 },
};

type Kind = { readonly kind: string; readonly at: number };
type Events = SluiceEvent<Kind>;
const kinds = Object.keys(bad);
const hourMs = 3_600_000;

const made = (e: Events): unknown => ({ id: e.data.kind, made: bad[e.data.kind] ?? 'good' });
const source = (t: TopologyBuilder) =>
  t
    .source('in', stream('a/b') as StreamDefinition<Events>)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } });

const keyed = (t: TopologyBuilder) => source(t).keyBy(() => 'k');

const flows: Readonly<Record<string, (t: TopologyBuilder) => void>> = {
  map: (t) => source(t).map(made).sinkTo('out', collect()),
  'flatMap, of which the other results go on': (t) =>
    source(t)
      .flatMap((e) => [made(e), ...(bad[e.data.kind] === undefined ? [] : [{ id: 'beside' }])])
      .filter((x) => (x as { readonly id: string }).id !== 'beside')
      .sinkTo('out', collect()),
  'a look-up': (t) =>
    source(t)
      .lookup(
        'look',
        asyncLookup((key) => Promise.resolve(bad[String(key)] ?? 'good')),
        { by: (e) => e.data.kind },
        (e, found) => ({ id: e.data.kind, found }),
      )
      .sinkTo('out', collect()),
  'an interval join': (t) => {
    const all = keyed(t);
    const right = t
      .source('right', stream('a/c') as StreamDefinition<Events>)
      .eventTime('right-time', (e) => e.data.at, {
        outOfOrderness: 0,
        idleAfter: 0,
        future: { max: 0 },
      })
      .keyBy(() => 'k');
    all
      .intervalJoin('join', right, { lower: '-1h', upper: '1h', join: 'left' }, made)
      .out.sinkTo('out', collect());
  },
  'what process returns': (t) =>
    keyed(t)
      .process('process', { state: {}, onElement: (e) => [made(e)] })
      .sinkTo('out', collect()),
  'a value in state': (t) =>
    keyed(t)
      .process('process', {
        state: { one: value<unknown>(), all: list<unknown>() },
        onElement: (e, { state }) => {
          state.all.add(made(e));
          state.one.set(made(e));
          return state.all.get().map(() => 'kept');
        },
      })
      .sinkTo('out', collect()),
  'an accumulator': (t) =>
    keyed(t)
      .window('window', tumbling('1h'))
      .aggregate({
        last: aggregator({
          create: (): unknown => null,
          add: (_, e: Events) => made(e),
          merge: (a) => a,
          result: () => 1,
        }),
        n: count(),
      })
      .out.sinkTo('out', collect()),
  'an accumulator that is changed in place': (t) =>
    keyed(t)
      .window('window', sliding('2h', '1h'))
      .aggregate({
        n: count(),
        all: aggregator({
          create: () => ({ all: [] as unknown[] }),
          add: (into, e: Events) => {
            into.all.push(bad[e.data.kind] ?? 'good');
            return into;
          },
          merge: (a) => a,
          result: ({ all }) => all.length,
        }),
      })
      .out.sinkTo('out', collect()),
};

describe.each(Object.entries(flows))('%s that gives what is not JSON', (_, flow) => {
  it('rejects that element alone, and says where', async () => {
    const of = topology('not-json', { version: 1, owner: 'a/b' }, flow);
    let driver = await createDriver(of);
    const again = async (): Promise<void> => {
      const snapshot = driver.snapshot();
      driver = await createDriver(of);
      await driver.restore(snapshot);
    };
    const rejected: [string, string][] = [];
    for (const [n, kind] of [...kinds, 'good'].entries()) {
      const at = n * 10 * hourMs;
      await driver.push('in', event({ kind, at }));
      // A left element without a match comes out when none can come any more.
      if (of.plan.nodes.some(({ id }) => id === 'join'))
        await driver.advanceWatermark(at + 5 * hourMs);
      rejected.push(
        ...driver.rejected().map(({ code, message }): [string, string] => [code, message]),
      );
      await again();
    }
    expect(rejected).toHaveLength(kinds.length);
    for (const [code, message] of rejected) {
      expect(code).toBe('function-result');
      expect(message).toMatch(/must be JSON-safe, but has .+ at '.*'$/);
    }
  });
});

describe('an accumulator that is too large to be looked at with each element', () => {
  it('loses what is not JSON at a checkpoint, and its pane is rejected without one', async () => {
    const of = topology('not-json', { version: 1, owner: 'a/b' }, (t) =>
      keyed(t)
        .window('window', tumbling('1h'))
        .aggregate({
          many: aggregator({
            create: (): Record<string, unknown> =>
              Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`k${n}`, n])),
            add: (all, e: Events) => Object.assign(all, { last: bad[e.data.kind] ?? e.data.kind }),
            merge: (a) => a,
            result: (all) => Object.keys(all).length,
          }),
        })
        .out.map((w) => w.many)
        .sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    await driver.push('in', event({ kind: 'date', at: 1 }));
    const snapshot = driver.snapshot();
    await driver.advanceWatermark('max');
    expect(driver.rejected().map(({ operator, pointer }) => [operator, pointer])).toEqual([
      ['window', '/last/at'],
    ]);
    const again = await createDriver(of);
    await again.restore(snapshot);
    await again.advanceWatermark('max');
    expect(again.read('out').map((row) => row.value)).toEqual([3_001]);
  });
});

describe("a window's result that is not JSON", () => {
  it('is rejected with the window, and the next windows go on', async () => {
    const of = topology('not-json', { version: 1, owner: 'a/b' }, (t) =>
      keyed(t)
        .window('window', tumbling(10))
        .aggregate({
          kinds: aggregator({
            create: () => '',
            add: (_, e: Events) => e.data.kind,
            merge: (a) => a,
            result: (kind) => bad[kind] ?? kind,
          }),
        })
        .out.map((w) => w.kinds)
        .sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    await driver.push('in', [event({ kind: 'bigint', at: 1 }), event({ kind: 'good', at: 11 })]);
    await driver.advanceWatermark('max');
    expect(driver.read('out').map((row) => row.value)).toEqual(['good']);
    expect(driver.rejected().map(({ operator, message }) => [operator, message])).toEqual([
      ['window', "the result of 'kinds' must be JSON-safe, but has a bigint at '/deep/0'"],
    ]);
  });
});

describe('what a function throws', () => {
  it.each([
    ['an object without a prototype', Object.create(null)],
    [
      'something that throws when it is asked for its text',
      {
        toString: () => {
          throw new Error('again');
        },
      },
    ],
    ['undefined', undefined],
  ])('may be anything: %s', async (_, thrown) => {
    const of = topology('throws', { version: 1, owner: 'a/b' }, (t) =>
      source(t)
        .map((e) => {
          if (e.data.kind === 'good') return e.data.kind;
          throw thrown;
        })
        .sinkTo('out', collect()),
    );
    const driver = await createDriver(of);
    await driver.push('in', [event({ kind: 'bad', at: 1 }), event({ kind: 'good', at: 1 })]);
    expect(driver.read('out').map((row) => row.value)).toEqual(['good']);
    expect(driver.rejected().map(({ code }) => code)).toEqual(['function-threw']);
  });
});
