/**
 * Functions that change what they are given or have returned. Another branch, state, tables and
 * results that are out stay as they were: in the test driver every change is rejected, by the
 * operator and the property; in a job where somebody else could see it.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import type {
  SinkDefinition,
  SluiceEvent,
  Stream,
  StreamDefinition,
  Topology,
} from '../../../topology/index.ts';
import {
  aggregator,
  asyncLookup,
  collect,
  connector,
  count,
  createJob,
  fileTable,
  graph,
  graphModel,
  list,
  max,
  schemaOf,
  session,
  sliding,
  stream,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { Driver, DriverOptions } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { namesIn } from '../../said.ts';
import { memoryBlobs, memoryStream, put, event as recorded, world } from '../support.ts';

interface Order {
  at: number;
  who: string;
  lines: { item: string; price: number }[];
  seen?: number;
}

type Orders = Stream<SluiceEvent<Order>>;

const order = (id: string, at: number, extra: Partial<Order> = {}): SluiceEvent<Order> =>
  event(
    {
      at,
      who: 'ann',
      lines: [
        { item: 'cup', price: 3 },
        { item: 'pot', price: 9 },
      ],
      ...extra,
    },
    { id },
  );

/** The dearest first: in place. */
const sorted = (e: SluiceEvent<Order>): Order['lines'] =>
  e.data.lines.sort((a, b) => b.price - a.price);
const firstOf = (e: SluiceEvent<Order>): string | undefined => e.data.lines[0]?.item;

/** One branch that does something to orders, and one that looks at them after it. */
function beside(flow: (orders: Orders) => void): Topology {
  return topology('orders', { version: 1, owner: 'a/b' }, (t) => {
    const orders = t
      .source('in', stream('a/b') as StreamDefinition<SluiceEvent<Order>>)
      .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } });
    flow(orders);
    orders
      .map((e) => ({
        first: firstOf(e) ?? null,
        seen: e.data.seen ?? null,
        keys: Object.keys(e).length,
      }))
      .sinkTo('after', collect());
  });
}

const untouched = { first: 'cup', seen: null, keys: 10 };

async function run(
  of: Topology,
  pushed: readonly unknown[],
  options: DriverOptions = {},
): Promise<Driver> {
  const driver = await createDriver(of, options);
  await driver.push('in', pushed);
  return driver;
}

const places = graphModel({
  nodes: { Item: { key: 'name', props: { name: 'string' } } },
  edges: {},
});

const keyed = (orders: Orders) => orders.keyBy((e) => e.data.who);
const cases: readonly (readonly [
  name: string,
  operator: string,
  flow: (orders: Orders) => void,
])[] = [
  ['map', 'time/map', (s) => s.map((e) => sorted(e)[0]).sinkTo('out', collect())],
  ['filter', 'time/filter', (s) => s.filter((e) => sorted(e).length > 0).sinkTo('out', collect())],
  ['flatMap', 'time/flatMap', (s) => s.flatMap((e) => sorted(e)).sinkTo('out', collect())],
  [
    'branch',
    'time/branch',
    (s) => s.branch({ some: (e) => sorted(e).length > 0 }).some.sinkTo('out', collect()),
  ],
  [
    'deduplicate',
    'once',
    (s) =>
      s
        .deduplicate('once', { by: (e) => sorted(e)[0]?.item ?? '', within: '1h' })
        .sinkTo('out', collect()),
  ],
  [
    'a key',
    'w',
    (s) =>
      s
        .keyBy((e) => sorted(e)[0]?.item ?? '')
        .window('w', tumbling(10))
        .aggregate({ n: count() })
        .out.sinkTo('out', collect()),
  ],
  [
    'an aggregate',
    'w',
    (s) =>
      keyed(s)
        .window('w', tumbling(10))
        .aggregate({ n: max((e) => sorted(e)[0]?.price ?? 0) })
        .out.sinkTo('out', collect()),
  ],
  [
    "an aggregate of the author's own",
    'w',
    (s) =>
      keyed(s)
        .window('w', sliding(10, 5))
        .aggregate({
          all: aggregator({
            create: () => [] as unknown[],
            add: (all, e: SluiceEvent<Order>) => [...all, sorted(e)],
            merge: (a) => a,
            result: (all) => all.length,
          }),
        })
        .out.sinkTo('out', collect()),
  ],
  [
    'a process',
    'p',
    (s) =>
      keyed(s)
        .process('p', { state: {}, onElement: (e) => sorted(e) })
        .sinkTo('out', collect()),
  ],
  [
    'a join',
    'j',
    (s) =>
      keyed(s)
        .intervalJoin('j', keyed(s), { lower: 0, upper: 0 }, (l) => sorted(l))
        .out.sinkTo('out', collect()),
  ],
  [
    'what a look-up asks by',
    'l',
    (s) =>
      s
        .lookup('l', connector('shop'), { by: (e) => sorted(e)[0]?.item ?? '' }, (e) => e)
        .sinkTo('out', collect()),
  ],
  [
    'what a look-up combines',
    'l',
    (s) =>
      s
        .lookup('l', connector('shop'), { by: (e) => e.id }, (e) => sorted(e))
        .sinkTo('out', collect()),
  ],
  [
    'a graph',
    'out',
    (s) =>
      s.sinkTo(
        'out',
        graph(places, (e) => sorted(e).map(({ item }) => places.Item({ name: item }))),
      ),
  ],
];

describe('a function that changes its element in the test driver', () => {
  it.each(cases)(
    'is rejected, and another branch sees the element as it was: %s',
    async (name, operator, flow) => {
      const driver = await run(beside(flow), [order('o1', 1)], {
        lookups: { shop: () => Promise.resolve(null) },
      });
      expect(driver.read('after').map((row) => row.value)).toEqual([untouched]);
      const all = driver.rejected();
      expect(all).not.toEqual([]);
      for (const refused of all) {
        expect(refused).toMatchObject({
          operator,
          code: 'function-threw',
          pointer: '/data/lines/0',
        });
        expect(namesIn(refused.message)).toEqual(['0', '/data/lines/0']);
      }
      await driver.advanceWatermark('max');
      expect(driver.counts(operator)).toMatchObject({ in: name === 'a join' ? 2 : 1 });
      expect(driver.read('out')).toEqual([]);
    },
  );

  it('is rejected where it adds or deletes, in the event itself, and in an event time', async () => {
    const of = topology('orders', { version: 1, owner: 'a/b' }, (t) => {
      const orders = t.source('in', stream('a/b') as StreamDefinition<SluiceEvent<Order>>);
      orders.map((e) => Object.assign(e, { extra: 1 })).sinkTo('adds', collect());
      orders.map((e) => delete (e.data as Partial<Order>).who).sinkTo('deletes', collect());
      orders.map((e) => e.data.lines.push({ item: 'lid', price: 1 })).sinkTo('pushes', collect());
      orders
        .eventTime('time', (e) => e.data.at++, { outOfOrderness: 0, future: { max: 0 } })
        .sinkTo('times', collect());
      orders
        .map((e) => [e.data.who, e.data.at, e.data.lines.length, Object.keys(e).length])
        .sinkTo('after', collect());
    });
    const driver = await run(of, [order('o1', 1)]);
    expect(
      driver
        .rejected()
        .map(({ operator, message, pointer }) => [
          operator,
          /changes '(.*?)'/.exec(message)?.[1],
          pointer,
        ]),
    ).toEqual([
      ['in/map', 'extra', null],
      ['in/map~2', 'who', '/data/who'],
      ['in/map~3', '2', null],
      ['time', 'at', '/data/at'],
    ]);
    expect(driver.read('after').map((row) => row.value)).toEqual([['ann', 1, 2, 10]]);
  });

  it('is rejected also between functions that are run in one go, and for what was frozen on the outside only', async () => {
    const shared = Object.freeze({ inside: { n: 0 } });
    const of = topology('orders', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .map(() => shared)
        .map((each) => ++each.inside.n)
        .sinkTo('out', collect());
    });
    const driver = await run(of, [order('o1', 1), order('o2', 2)]);
    expect(driver.rejected().map(({ operator, pointer }) => [operator, pointer])).toEqual([
      ['in/map/map', '/inside/n'],
      ['in/map/map', '/inside/n'],
    ]);
    expect(shared.inside.n).toBe(0);
  });

  it('leaves what the test holds alone: it may change it, and push it again', async () => {
    const answer = { prices: [1] };
    const rows = [{ id: 'ann', tags: ['new'] }];
    const customer = schemaOf<{ id: string; tags: string[] }>({
      $id: 'customer',
      type: 'object',
      properties: { id: { type: 'string' } },
    });
    const of = beside((s) => {
      s.lookup('l', connector<{ prices: number[] }>('shop'), { by: (e) => e.id }, (e, found) => [
        e.data.at,
        found?.prices.length ?? 0,
      ]).sinkTo('out', collect());
      s.lookup(
        'f',
        fileTable('customers.json', customer, { key: 'id' }),
        { by: (e) => e.data.who },
        (_, row) => row?.tags.length,
      ).sinkTo('tags', collect());
    });
    const driver = await createDriver(of, {
      lookups: { shop: () => Promise.resolve(answer) },
      tables: { 'customers.json': rows },
    });
    const mine = order('o1', 1);
    await driver.push('in', mine);
    mine.data.at = 2;
    mine.data.lines.length = 0;
    answer.prices.push(2);
    rows[0]?.tags.push('old');
    await driver.push('in', mine);
    expect(driver.read('out').map((row) => row.value)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(driver.read('tags').map((row) => row.value)).toEqual([1, 1]);
    expect(driver.read('after').map((row) => row.value)).toEqual([
      untouched,
      { ...untouched, first: null },
    ]);
  });
});

describe('what was looked up', () => {
  const customer = schemaOf<{ id: string; address: { city: string } }>({
    $id: 'customer',
    type: 'object',
    properties: { id: { type: 'string' } },
  });
  type Found = { address: { city: string } } | null | undefined;
  const moving = (_: SluiceEvent<Order>, found: Found) => {
    const before = found?.address.city;
    if (found) found.address.city = 'Utrecht';
    return before;
  };
  const message =
    "the function changes 'city' at '/address/city' of a value that other functions share; copy it first, as in { ...value } or [...list]";

  it.each([
    [
      'a row of a table',
      (s: Orders) =>
        s.lookup(
          'l',
          fileTable('customers.json', customer, { key: 'id' }),
          { by: (e) => e.data.who },
          moving,
        ),
    ],
    [
      'an answer',
      (s: Orders) =>
        s.lookup('l', connector<NonNullable<Found>>('shop'), { by: (e) => e.data.who }, moving),
    ],
    [
      'an answer that is cached',
      (s: Orders) =>
        s.lookup(
          'l',
          connector<NonNullable<Found>>('shop'),
          { by: (e) => e.data.who, cache: { maxEntries: 9, ttl: '1h' } },
          moving,
        ),
    ],
    [
      "an answer that the author's function keeps",
      (s: Orders) => {
        const kept = { address: { city: 'Delft' } };
        return s.lookup(
          'l',
          asyncLookup((key: string) => Promise.resolve(key === '' ? undefined : kept)),
          { by: (e) => e.data.who },
          moving,
        );
      },
    ],
  ])('is found by the next element as it was: %s', async (_, flow) => {
    const options: DriverOptions = {
      tables: { 'customers.json': [{ id: 'ann', address: { city: 'Delft' } }] },
      lookups: { shop: () => Promise.resolve({ address: { city: 'Delft' } }) },
    };
    const driver = await run(
      beside((s) => {
        flow(s).sinkTo('out', collect());
      }),
      [order('o1', 1), order('o2', 2)],
      options,
    );
    expect(
      driver.rejected().map(({ operator, message: said, pointer }) => [operator, said, pointer]),
    ).toEqual([
      ['l', message, null],
      ['l', message, null],
    ]);
    expect(driver.read('out')).toEqual([]);
  });
});

it('writes that a graph was given stay as they were: a function that uses one again is rejected', async () => {
  const write = places.Item({ name: 'none' }) as unknown as { props: { name: string } };
  const of = beside((s) =>
    s.sinkTo(
      'out',
      graph(places, (e) => {
        write.props.name = e.id;
        return [write as never];
      }),
    ),
  );
  const driver = await run(of, [order('o1', 1), order('o2', 2)]);
  expect(driver.read('out').map((row) => row.value)).toEqual([
    [{ kind: 'node', label: 'Item', props: { name: 'o1' } }],
  ]);
  expect(
    driver
      .rejected()
      .map(({ operator, code, value: rejected }) => [
        operator,
        code,
        (rejected as { id: string }).id,
      ]),
  ).toEqual([['out', 'function-threw', 'o2']]);
});

describe('state', () => {
  it('of a join stays as it is, whichever side is changed, also after a restart', async () => {
    const of = topology('orders', { version: 1, owner: 'a/b' }, (t) => {
      const orders = t
        .source('in', stream('a/b') as StreamDefinition<SluiceEvent<Order>>)
        .eventTime('time', (e) => e.data.at, {
          outOfOrderness: 0,
          idleAfter: 0,
          future: { max: 0 },
        });
      const { left, rest } = orders.branch({ left: (e) => e.id.startsWith('l') });
      const joined = keyed(left).intervalJoin(
        'j',
        keyed(rest),
        { lower: '-1h', upper: '1h' },
        (l, r) => {
          if (r.id === 'changes-left') l.data.seen = 1;
          if (r.id === 'changes-right') r.data.seen = 1;
          return { seen: [l.data.seen ?? 0, r.data.seen ?? 0], order: l };
        },
      );
      joined.out
        .map((row) => [row.seen, (row.order.data.lines[0] as { price: number }).price++])
        .sinkTo('later', collect());
      joined.out
        .map(({ seen, order: { data } }) => [seen, data.lines[0]?.price])
        .sinkTo('out', collect());
    });
    const driver = await run(of, [order('l', 1), order('changes-left', 2), order('r1', 3)]);
    await driver.restore(driver.snapshot());
    await driver.push('in', [order('changes-left', 4), order('changes-right', 5), order('r2', 6)]);
    expect(driver.read('out').map((row) => row.value)).toEqual([
      [[0, 0], 3],
      [[0, 0], 3],
    ]);
    expect(
      driver
        .rejected()
        .map(({ operator, value: rejected }) => [operator, (rejected as { id?: string }).id]),
    ).toEqual([
      ['j', 'changes-left'],
      ['j/map', undefined],
      ['j', 'changes-left'],
      ['j', 'changes-right'],
      ['j/map', undefined],
    ]);
  });

  it('of a process is changed by its handles alone; the copies that they give may be changed', async () => {
    const of = beside((s) =>
      keyed(s)
        .process('p', {
          state: { last: value<{ n: number }>(), all: list<number[]>() },
          onElement: (e, { state }) => {
            const last = state.last.get() ?? { n: 0 };
            last.n++;
            if (e.id === 'keep') state.last.set(last);
            last.n += 100;
            for (const each of state.all.get()) each.push(9);
            state.all.add([e.data.at]);
            return [[state.last.get()?.n ?? null, state.all.get()]];
          },
        })
        .sinkTo('out', collect()),
    );
    const driver = await run(of, [order('o1', 1), order('keep', 2), order('o3', 3)]);
    expect(driver.rejected()).toEqual([]);
    expect(driver.read('out').map((row) => row.value)).toEqual([
      [null, [[1]]],
      [1, [[1], [2]]],
      [1, [[1], [2], [3]]],
    ]);
  });

  it('by a tuple keeps its key', async () => {
    const of = beside((s) => {
      const byTuple = s.keyBy((e) => [e.data.who, 'b'] as const);
      byTuple
        .window('w', tumbling(10))
        .aggregate({ n: count() })
        .out.map((w) => (w.key as unknown as string[]).reverse())
        .sinkTo('out', collect());
      byTuple
        .process('p', {
          state: { n: value<number>() },
          onElement: (_, ctx) => (ctx.key as unknown as string[]).reverse(),
        })
        .sinkTo('keys', collect());
    });
    const driver = await run(of, [order('o1', 1)]);
    await driver.advanceWatermark('max');
    expect(driver.rejected().map(({ operator, pointer }) => [operator, pointer])).toEqual([
      ['p', null],
      ['w/map', '/key/0'],
    ]);
  });
});

describe('an accumulator', () => {
  interface Seen {
    ids: string[];
    last?: SluiceEvent<Order>;
  }
  const seen = (result: (seen: Seen) => unknown) =>
    aggregator({
      create: (): Seen => ({ ids: [] }),
      add: (all, e: SluiceEvent<Order>) => {
        all.ids.push(e.id);
        all.last = e;
        return all;
      },
      merge: (a, b) => ({ ...a, ids: [...a.ids, ...b.ids] }),
      result,
    });
  const idsOf = (of: unknown): readonly string[] => (of as Seen).ids;

  async function panes(
    result: (seen: Seen) => unknown,
    window = tumbling(20),
    allowedLateness: number = 0,
  ) {
    const of = topology('orders', { version: 1, owner: 'a/b' }, (t) => {
      const out = keyed(
        t
          .source('in', stream('a/b') as StreamDefinition<SluiceEvent<Order>>)
          .eventTime('time', (e) => e.data.at, {
            outOfOrderness: 0,
            idleAfter: 0,
            future: { max: 0 },
          }),
      )
        .window('w', window, { early: 5, allowedLateness })
        .aggregate({ seen: seen(result) }).out;
      out.map((w) => ({ timing: w.pane.timing, ids: idsOf(w.seen) })).sinkTo('out', collect());
      out.map((w) => (w.seen as Seen).ids.push('changed')).sinkTo('changes', collect());
    });
    const driver = await createDriver(of);
    await driver.push('in', order('a', 11));
    await driver.advanceWatermark(15);
    await driver.push('in', order('b', 16));
    await driver.restore(driver.snapshot());
    await driver.push('in', order('c', 17));
    await driver.advanceWatermark(30);
    await driver.push('in', order('d', 12));
    await driver.advanceWatermark('max');
    return {
      rows: driver.read('out').map((row) => row.value),
      rejected: driver.rejected().map(({ operator }) => operator),
    };
  }

  it.each([
    ['gives itself', (all: Seen) => all],
    ['gives a part of itself', (all: Seen) => ({ ids: all.ids })],
    [
      'is changed when it is read',
      (all: Seen) => {
        const ids = all.ids.splice(0);
        delete all.last;
        return { ids };
      },
    ],
  ])('is its own: what came out stays, and it stays what it is, when it %s', async (_, result) => {
    const right = [
      { timing: 'early', ids: ['a'] },
      { timing: 'onTime', ids: ['a', 'b', 'c'] },
      { timing: 'late', ids: ['a', 'b', 'c', 'd'] },
    ];
    expect(await panes(result, tumbling(20), 100)).toEqual({
      rows: right,
      rejected: ['w/map~2', 'w/map~2', 'w/map~2'],
    });
    expect((await panes(result)).rows).toEqual(right.slice(0, 2));
    expect((await panes(result, session(9), 100)).rows.slice(-2)).toEqual(right.slice(1));
  });
});

describe('an accumulator that keeps elements', () => {
  interface Total {
    n: number;
    seen: { at: number; times: number }[];
  }
  /**
   * A reduce: its first element becomes the accumulator, and is changed from then on; others become
   * parts of it.
   */
  const reduced = aggregator({
    create: (): Order | null => null,
    add: (all, e: SluiceEvent<Order>) => {
      if (all === null) return e.data;
      all.seen = (all.seen ?? 0) + 1;
      // Half a change before the one that may be refused.
      for (const line of all.lines) line.price++;
      all.lines.push(...e.data.lines);
      return all;
    },
    merge: (a, b) => a ?? b,
    result: (all) => [all?.seen ?? 0, all?.lines.map(({ price }) => price) ?? []],
  });

  it.each([[tumbling(10)], [sliding(10, 5)]])(
    'has them as its own, as it would after a restart: %o',
    async (window) => {
      const of = beside((s) => {
        keyed(s)
          .window('w', window)
          .aggregate({ reduced, again: reduced })
          .out.map((w) => [w.reduced, w.again])
          .sinkTo('out', collect());
      });
      const all = [order('o1', 5), order('o2', 6), order('o3', 7)];
      const calm = await run(of, all);
      await calm.advanceWatermark('max');
      const cut = await createDriver(of);
      for (const each of all) {
        await cut.push('in', each);
        await cut.restore(cut.snapshot());
      }
      await cut.advanceWatermark('max');
      expect(calm.rejected()).toEqual([]);
      expect(calm.read('after').map((row) => row.value)).toEqual([untouched, untouched, untouched]);
      const rows = calm.read('out').map((row) => row.value);
      const right = [2, [5, 11, 4, 10, 3, 9]];
      expect(rows).toEqual((window.type === 'tumbling' ? [0] : [0, 5]).map(() => [right, right]));
      expect(cut.read('out').map((row) => row.value)).toEqual(rows);
    },
  );

  it('may change them, but not the element that it is given', async () => {
    const of = beside((s) => {
      const counting = aggregator({
        create: (): Total => ({ n: 0, seen: [] }),
        add: (total, e: SluiceEvent<Order>) => {
          if (e.id === 'bad') e.data.at++;
          total.n++;
          for (const each of total.seen) each.times++;
          total.seen.push({ at: e.data.at, times: 0 });
          return total;
        },
        merge: (a) => a,
        result: (total) => total,
      });
      keyed(s)
        .window('w', tumbling(10))
        .aggregate({ counting })
        .out.map((w) => w.counting)
        .sinkTo('out', collect());
    });
    const driver = await run(of, [order('o1', 1), order('bad', 2), order('o3', 3)]);
    await driver.advanceWatermark('max');
    expect(driver.rejected().map(({ operator, pointer }) => [operator, pointer])).toEqual([
      ['w', '/data/at'],
    ]);
    const seen = [
      { at: 1, times: 1 },
      { at: 3, times: 0 },
    ];
    expect(driver.read('out').map((row) => row.value)).toEqual([{ n: 2, seen }]);
  });
});

describe('a job in production', () => {
  const anyRow = schemaOf<unknown>({ $id: 'any', type: 'object', properties: { is: {} } });
  const rows: SinkDefinition<unknown> = table('rows', anyRow);

  async function drained(
    flow: (orders: Orders) => void,
    files: Readonly<Record<string, readonly unknown[]>> = {},
  ) {
    const incoming = memoryStream(['kinesis', '0']);
    for (const { id, data } of [order('o1', 1), order('o2', 2)])
      put(incoming, 0, recorded(id, data));
    const made = world({ 'a/b': incoming });
    Object.assign(made.files, files);
    const job = createJob({
      topology: topology('orders', { version: 1, owner: 'a/b' }, (t) =>
        flow(
          t
            .source('in', stream('a/b') as StreamDefinition<SluiceEvent<Order>>)
            .eventTime('time', (e) => e.data.at, {
              outOfOrderness: 0,
              idleAfter: 0,
              future: { max: 0 },
            }),
        ),
      ),
      blobs: memoryBlobs(),
      connectors: made.connectors,
      clock: manualClock(),
      random: seededRandom(1),
      checkpointIntervalMs: 1_000,
    });
    await job.open();
    const running = job.run();
    await job.drain();
    await running;
    await job.close();
    const rejected = (made.tables['rejected']?.visible ?? []) as readonly RejectedEvent[];
    return {
      is: made.tables['rows']?.visible,
      rejected: rejected.map(({ id, operator, pointer }) => [id, operator, pointer]),
    };
  }

  it('rejects a change that another branch would see', async () => {
    const { is, rejected } = await drained((s) => {
      s.map((e) => ({ is: sorted(e)[0]?.item })).sinkTo('dearest', table('dearest', anyRow));
      s.map((e) => ({ is: firstOf(e) })).sinkTo('first', rows);
    });
    expect(is).toEqual([{ is: 'cup' }, { is: 'cup' }]);
    expect(rejected).toEqual([
      ['o1', 'time/map', '/data/lines/0'],
      ['o2', 'time/map', '/data/lines/0'],
    ]);
  });

  it('rejects a change of what was looked up, of what a join keeps, and of what elements made of one have in common', async () => {
    const customer = schemaOf<{ id: string; city: string }>({
      $id: 'customer',
      type: 'object',
      properties: { id: { type: 'string' } },
    });
    const lookedUp = await drained(
      (s) =>
        s
          .lookup(
            'l',
            fileTable('c.json', customer, { key: 'id' }),
            { by: (e) => e.data.who },
            (_, found) => ({
              is: Object.assign(found ?? {}, { city: 'Gouda' }),
            }),
          )
          .sinkTo('out', rows),
      { 'c.json': [{ id: 'ann', city: 'Delft' }] },
    );
    expect(lookedUp.rejected).toEqual([
      ['o1', 'l', null],
      ['o2', 'l', null],
    ]);
    const joined = await drained((s) =>
      s
        .map((e) => ({ who: e.data.who, at: e.data.at }))
        .keyBy((row) => row.who)
        .intervalJoin('j', keyed(s), { lower: 0, upper: 0 }, (row) => ({ is: row.at++ }))
        .out.sinkTo('out', rows),
    );
    expect(joined.is).toEqual([]);
    const parts = await drained((s) =>
      s
        .flatMap((e) => e.data.lines.map((line) => ({ line, whole: e.data })))
        .map((part) => ({ is: (part.whole.at += 10) }))
        .sinkTo('out', rows),
    );
    expect(parts.is).toEqual([]);
    expect(parts.rejected.map(([id, , pointer]) => [id, pointer])).toEqual([
      ['o1', '/whole/at'],
      ['o1', '/whole/at'],
      ['o2', '/whole/at'],
      ['o2', '/whole/at'],
    ]);
  });

  it('lets a value be changed that nobody else holds', async () => {
    const { is, rejected } = await drained((s) =>
      s.map((e) => ({ is: sorted(e)[0]?.item })).sinkTo('out', rows),
    );
    expect(is).toEqual([{ is: 'pot' }, { is: 'pot' }]);
    expect(rejected).toEqual([]);
  });
});
