/**
 * A left join lost its left row when the function threw for the only partner that it had: the row
 * counted as matched. And an `add` that changed its accumulator before it threw left half a change
 * in state. Wherever an author's function throws while several rows are at stake, one row or pair
 * is rejected, every other comes out, and state is as if the refused one had not been.
 */
import { describe, expect, it } from 'vitest';
import type {
  SluiceEvent,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  aggregator,
  asyncLookup,
  collect,
  count,
  session,
  sliding,
  stream,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Row {
  readonly at: number;
  readonly n: number;
}

const row = (id: string, at: number, n = 1): SluiceEvent<Row> => event({ at, n }, { id });
const build = (flow: (t: TopologyBuilder) => void): Topology =>
  topology('thrown', { version: 1, owner: 'a/b' }, flow);
const timed = (t: TopologyBuilder, id: string) =>
  t
    .source(id, stream('a/b') as StreamDefinition<SluiceEvent<Row>>)
    .eventTime(`${id}-time`, (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });

type Pushes = readonly (readonly [source: string, ...rows: readonly SluiceEvent<Row>[]])[];

/** Everything, then the end of time; a restored operator must have seen the same. */
async function play(
  of: Topology,
  pushes: Pushes,
): Promise<{ rows: readonly unknown[]; rejected: readonly (readonly string[])[] }> {
  const driver = await createDriver(of);
  const rows: unknown[] = [];
  const rejected: (readonly string[])[] = [];
  const collectAll = (): void => {
    rows.push(...driver.read('out').map(({ value }) => value));
    for (const { operator, message, value } of driver.rejected())
      rejected.push([operator, message, (value as { id?: string }).id ?? '']);
  };
  for (const [source, ...values] of pushes) {
    await driver.push(source, values);
    collectAll();
    await driver.restore(driver.snapshot());
  }
  await driver.advanceWatermark('max');
  collectAll();
  return { rows, rejected };
}

const joined = (join: 'inner' | 'left'): Topology =>
  build((t) => {
    timed(t, 'left')
      .keyBy(() => 'k')
      .intervalJoin(
        'pairs',
        timed(t, 'right').keyBy(() => 'k'),
        { lower: -100, upper: 100, join },
        (l, r) => {
          if (r?.data.n === 0) throw new Error('zero');
          if (r === undefined && l.data.n === 13) throw new Error('alone');
          return `${l.id} ${r?.id ?? '-'}`;
        },
      )
      .out.sinkTo('out', collect());
  });

describe('a pair of a left join whose function throws', () => {
  it('leaves the left row alone, whichever came first', async () => {
    const right = { rows: ['l -'], rejected: [['pairs', 'zero', 'r']] };
    expect(
      await play(joined('left'), [
        ['left', row('l', 10)],
        ['right', row('r', 20, 0)],
      ]),
    ).toEqual(right);
    expect(
      await play(joined('left'), [
        ['right', row('r', 20, 0)],
        ['left', row('l', 10)],
      ]),
    ).toEqual(right);
  });

  it('takes nothing from the other pairs of both', async () => {
    const pushes: Pushes = [
      ['right', row('bad', 20, 0), row('good', 30)],
      ['left', row('l1', 10), row('l2', 15)],
      ['right', row('bad-too', 25, 0)],
    ];
    const { rows, rejected } = await play(joined('left'), pushes);
    expect(rows).toEqual(['l1 good', 'l2 good']);
    expect(rejected.map(([, , id]) => id)).toEqual(['bad', 'bad', 'bad-too', 'bad-too']);
  });

  it('rejects the left row only where it throws for it alone, and the others leave', async () => {
    const { rows, rejected } = await play(joined('left'), [
      ['left', row('l1', 10), row('l2', 10, 13), row('l3', 10)],
    ]);
    expect(rows).toEqual(['l1 -', 'l3 -']);
    expect(rejected).toEqual([['pairs', 'alone', 'l2']]);
  });
});

it('a pair of an inner join whose function throws names the row that came second', async () => {
  const first = await play(joined('inner'), [
    ['left', row('l', 10)],
    ['right', row('r', 20, 0), row('s', 20)],
  ]);
  expect(first).toEqual({ rows: ['l s'], rejected: [['pairs', 'zero', 'r']] });
  const second = await play(joined('inner'), [
    ['right', row('r', 20, 0), row('s', 20)],
    ['left', row('l', 10)],
  ]);
  expect(second).toEqual({ rows: ['l s'], rejected: [['pairs', 'zero', 'l']] });
});

/** Changes its accumulator before it looks at the element. */
const hasty = aggregator({
  create: () => ({ ids: [] as string[], sum: 0 }),
  add: (all, e: SluiceEvent<Row>) => {
    all.ids.push(e.id);
    all.sum += e.data.n;
    if (e.data.n === 13) throw new Error('thirteen');
    return all;
  },
  merge: (a, b) => {
    if (a.ids.includes('never') || b.ids.includes('never')) {
      a.sum = -1;
      throw new Error('cannot be merged');
    }
    return { ids: [...a.ids, ...b.ids].sort(), sum: a.sum + b.sum };
  },
  result: (all) => {
    if (all.sum === 99) throw new Error('ninety-nine');
    return `${all.ids.join(' ')}: ${all.sum}`;
  },
});

describe('an aggregate that throws', () => {
  it('when it has changed its accumulator already leaves it as it was, in this turn and the next', async () => {
    const windows = build((t) =>
      timed(t, 'in')
        .keyBy(() => 'k')
        .window('w', tumbling(1_000))
        .aggregate({ first: hasty, n: count(), second: hasty })
        .out.sinkTo('out', collect()),
    );
    const many = Array.from({ length: 40 }, (_, i) => row(`e${i}`, i, i % 7 === 3 ? 13 : 1));
    const { rows, rejected } = await play(windows, [
      ['in', ...many],
      ['in', row('x', 50, 13), row('y', 51)],
      ['in', row('z', 52, 13)],
    ]);
    const ids = [...many.filter(({ data }) => data.n !== 13).map(({ id }) => id), 'y'];
    const expected = `${ids.join(' ')}: ${ids.length}`;
    expect(rows).toMatchObject([{ first: expected, second: expected, n: ids.length }]);
    expect(rejected).toHaveLength(8);
  });

  it('for one of the windows of an element leaves none of them changed', async () => {
    const upTo = aggregator({
      create: () => [] as string[],
      add: (ids, e: SluiceEvent<Row>) => {
        ids.push(e.id);
        if (ids.length > 2) throw new Error('full');
        return ids;
      },
      merge: (a, b) => [...a, ...b],
      result: (ids) => ids.join(' '),
    });
    const windows = build((t) =>
      timed(t, 'in')
        .keyBy(() => 'k')
        .window('w', sliding(100, 50))
        .aggregate({ ids: upTo, n: count() })
        .out.sinkTo('out', collect()),
    );
    const { rows, rejected } = await play(windows, [
      ['in', row('a', 60), row('b', 60), row('c', 110), row('d', 160)],
    ]);
    // c would be the third in [50, 150), and the first in [100, 200).
    expect(rejected).toEqual([['w', 'full', 'c']]);
    expect(rows).toMatchObject([
      { windowStart: 0, ids: 'a b', n: 2 },
      { windowStart: 50, ids: 'a b', n: 2 },
      { windowStart: 100, ids: 'd', n: 1 },
      { windowStart: 150, ids: 'd', n: 1 },
    ]);
  });

  it('while two sessions are merged leaves both, and rejects the element between them', async () => {
    const sessions = build((t) =>
      timed(t, 'in')
        .keyBy(() => 'k')
        .window('w', session(100))
        .aggregate({ all: hasty })
        .out.sinkTo('out', collect()),
    );
    const { rows, rejected } = await play(sessions, [
      ['in', row('never', 0), row('late', 150), row('between', 80)],
    ]);
    expect(rejected).toEqual([['w', 'cannot be merged', 'between']]);
    expect(rows).toMatchObject([{ all: 'never: 1' }, { all: 'late: 1' }]);
  });

  it('between a session whose results were discarded and another leaves that other as it was', async () => {
    const sessions = build((t) =>
      timed(t, 'in')
        .keyBy(() => 'k')
        .window('w', session(100), { mode: 'discarding', early: 10 })
        .aggregate({ all: hasty })
        .out.sinkTo('out', collect()),
    );
    const driver = await createDriver(sessions);
    await driver.push('in', row('first', 0));
    await driver.advanceWatermark(20);
    await driver.push('in', [row('second', 180), row('between', 90, 13)]);
    await driver.advanceWatermark('max');
    expect(driver.rejected()).toMatchObject([{ message: 'thirteen' }]);
    const rows = driver.read('out').map(({ value }) => (value as { all: string }).all);
    expect(rows).toEqual(['first: 1', 'second: 1']);
  });

  it('for the result of one pane loses no other', async () => {
    const windows = build((t) =>
      timed(t, 'in')
        .keyBy((e) => e.id)
        .window('w', tumbling(100))
        .aggregate({ all: hasty })
        .out.sinkTo('out', collect()),
    );
    const { rows, rejected } = await play(windows, [
      ['in', row('a', 1), row('b', 2, 99), row('c', 3), row('b', 101)],
    ]);
    expect(rows).toMatchObject([
      { all: 'a: 1' },
      { all: 'c: 1' },
      { all: 'b: 1', windowStart: 100 },
    ]);
    expect(rejected).toEqual([['w', 'ninety-nine', '']]);
  });
});

it('a timer whose function throws is rejected with its key, and the other timers fire', async () => {
  const timers = build((t) =>
    timed(t, 'in')
      .keyBy((e) => e.id)
      .process('p', {
        state: {},
        onElement: (e, { timers: { event: at } }) => {
          at(e.data.at + 10);
          return [];
        },
        onTimer: (_, { key }) => {
          if (key === 'b') throw new Error('not b');
          return [key];
        },
      })
      .sinkTo('out', collect()),
  );
  const { rows, rejected } = await play(timers, [['in', row('a', 1), row('b', 1), row('c', 1)]]);
  expect(rows).toEqual(['a', 'c']);
  expect(rejected).toEqual([['p', 'not b', '']]);
});

it('an answer that is shared is combined for each element on its own', async () => {
  const looked = build((t) =>
    timed(t, 'in')
      .lookup(
        'find',
        asyncLookup(() => Promise.resolve(1)),
        { by: () => 'k', cache: { maxEntries: 10, ttl: '1m' } },
        (e, found) => {
          if (e.id === 'b') throw new Error('not b');
          return `${e.id} ${found}`;
        },
      )
      .sinkTo('out', collect()),
  );
  expect(await play(looked, [['in', row('a', 1), row('b', 1), row('c', 1)]])).toEqual({
    rows: ['a 1', 'c 1'],
    rejected: [['find', 'not b', 'b']],
  });
});

it('what is thrown may be anything', async () => {
  const thrown: readonly unknown[] = [
    'text',
    undefined,
    Object.create(null),
    Symbol('s'),
    Object.assign(new Error(), { message: 5 }),
    new Proxy(new Error(), {
      get: () => {
        throw new Error('looked at');
      },
    }),
  ];
  const flow = build((t) =>
    timed(t, 'in')
      .map((e) => {
        if (e.data.n >= 0) throw thrown[e.data.n];
        return e.id;
      })
      .sinkTo('out', collect()),
  );
  const { rows, rejected } = await play(flow, [
    ['in', ...thrown.map((_, n) => row(`e${n}`, 1, n)), row('good', 1, -1)],
  ]);
  expect(rows).toEqual(['good']);
  expect(rejected.map(([, message]) => message)).toEqual([
    'text',
    'undefined',
    'what was thrown cannot be read as text',
    'Symbol(s)',
    '5',
    'what was thrown cannot be read as text',
  ]);
});
