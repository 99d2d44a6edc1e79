/**
 * The end of input is one event with one meaning: every operator gives all that it holds and passes
 * it on, once. Each operator, and each behind each other, is given a history and then the end; what
 * comes out must be what a watermark gives that lies far behind everything, which needs no rule of
 * its own. Look-ups wait on the way, inputs are idle, and a checkpoint may lie before the end.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  SluiceEvent,
  Stream,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  asyncLookup,
  collect,
  count,
  list,
  session,
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
  readonly k: string;
  readonly n: number;
}

type Flow = Stream<Row>;
type Build = (from: Flow, id: string, other: Flow) => Flow;

const far = 1_000_000_000;
const sources = ['one', 'two'] as const;
const keyed = (flow: Flow) => flow.keyBy((row) => row.k);

const windowed =
  (
    shape: Parameters<ReturnType<typeof keyed>['window']>[1],
    options: { early?: number; allowedLateness?: number; mode?: 'discarding' },
  ): Build =>
  (from, id) => {
    const { out, late } = keyed(from)
      .window(id, shape, { ...options, late: 'side' })
      .aggregate({ rows: count(), total: sum((row: Row) => row.n) });
    late.sinkTo(`${id}-late`, collect());
    return out.map((pane) => ({
      k: pane.key,
      n: pane.total + pane.rows * 100 + pane.pane.index * 1_000,
    }));
  };

const joined =
  (join: 'inner' | 'left', lower: number, upper: number): Build =>
  (from, id, other) => {
    const { out, lateLeft, lateRight } = keyed(from).intervalJoin(
      id,
      keyed(other),
      { lower, upper, join, late: 'side' },
      (l, r) => ({
        k: l.k,
        n: l.n + (r?.n ?? 0.5),
      }),
    );
    lateLeft.sinkTo(`${id}-late-left`, collect());
    lateRight.sinkTo(`${id}-late-right`, collect());
    return out;
  };

const operators = {
  tumbling: windowed(tumbling(20), {}),
  'tumbling, early': windowed(tumbling(50), { early: 7 }),
  'tumbling, late allowed': windowed(tumbling(20), { allowedLateness: 30, early: 6 }),
  'sliding, discarding': windowed(sliding(30, 10), { early: 4, mode: 'discarding' }),
  session: windowed(session(15), {}),
  'session, early': windowed(session(15), { early: 5 }),
  'session, early, discarding': windowed(session(9), {
    early: 4,
    allowedLateness: 20,
    mode: 'discarding',
  }),
  'inner join': joined('inner', -10, 10),
  'left join': joined('left', -20, 15),
  'left join behind': joined('left', -20, -5),
  deduplicate: (from, id) => {
    const { out, late } = from.deduplicate(id, {
      by: (row) => `${row.k} ${Math.trunc(row.n)}`,
      within: 25,
      late: 'side',
    });
    late.sinkTo(`${id}-late`, collect());
    return out;
  },
  'timers in a chain': (from, id) =>
    keyed(from).process(id, {
      state: { waiting: list<number>() },
      onElement: (row, { state, timers, timestamp }): readonly Row[] => {
        state.waiting.add(row.n);
        timers.event(timestamp + 30);
        return [];
      },
      onTimer: ({ at }, { key, state, timers }) => {
        const [first, ...others] = state.waiting.get();
        state.waiting.set(others);
        if (others.length > 0) timers.event(at + 3);
        return first === undefined ? [] : [{ k: key, n: first }];
      },
    }),
  'timers that move': (from, id) =>
    keyed(from).process(id, {
      state: { total: value<number>(), at: value<number>() },
      onElement: (row, { state, timers, timestamp }): readonly Row[] => {
        const before = state.at.get();
        if (before !== undefined) timers.deleteEvent(before);
        state.at.set(timestamp + 40);
        state.total.set((state.total.get() ?? 0) + row.n);
        timers.event(timestamp + 40);
        return [];
      },
      onTimer: (_, { key, state }) => {
        const n = state.total.get() ?? 0;
        state.total.clear();
        state.at.clear();
        return [{ k: key, n }];
      },
    }),
  'look-up': (from, id) => lookedUp(from, id, 'ordered'),
  'look-up, unordered': (from, id) => lookedUp(from, id, 'unordered'),
  union: (from, id, other) => from.union(id, other),
  split: (from, id) => {
    const { odd, rest } = from.branch({ odd: (row) => Math.trunc(row.n) % 2 !== 0 });
    odd.sinkTo(`${id}-odd`, collect());
    return rest;
  },
} satisfies Record<string, Build>;

function lookedUp(from: Flow, id: string, order: 'ordered' | 'unordered'): Flow {
  const answers = asyncLookup(
    (key: number) => new Promise<number>((resolve) => setImmediate(resolve, key % 3)),
  );
  return from.lookup(
    id,
    answers,
    { by: (row) => Math.trunc(row.n), order, capacity: 3 },
    (row) => row,
  );
}

type Kind = keyof typeof operators;
const kinds = Object.keys(operators) as readonly Kind[];

/**
 * One operator behind the other, on the first source; the second input of joins and unions is the
 * other source, itself behind a look-up.
 */
function topologyOf(chain: readonly Kind[]): Topology {
  const open = (t: TopologyBuilder, name: string): Flow =>
    t
      .source(
        name,
        stream(`a/${name}`) as StreamDefinition<SluiceEvent<Row & { readonly at: number }>>,
      )
      .eventTime(`${name}-time`, (e) => e.data.at, {
        outOfOrderness: 0,
        idleAfter: 0,
        future: { max: 0 },
      })
      .map(({ data: { k, n } }) => ({ k, n }));
  return topology('ended', { version: 1, owner: 'a/b' }, (t) => {
    const [one, two] = [open(t, 'one'), open(t, 'two')];
    const other = lookedUp(two, 'other', 'ordered');
    two.sinkTo('two-itself', collect());
    chain
      .reduce((from, kind, step) => operators[kind](from, `step-${step}`, other), one)
      .sinkTo('out', collect());
    // Also where no operator of the chain has two inputs.
    other.sinkTo('other-itself', collect());
  });
}

type Step =
  | {
      readonly push: (typeof sources)[number];
      readonly k: string;
      readonly n: number;
      readonly at: number;
    }
  | { readonly watermark: number }
  | { readonly idle: (typeof sources)[number] };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        push: fc.constantFrom(...sources),
        k: fc.constantFrom('a', 'b'),
        n: fc.integer({ min: 0, max: 9 }),
        at: fc.integer({ min: -20, max: 100 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ watermark: fc.integer({ min: -20, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ idle: fc.constantFrom(...sources) }) },
  ),
  { minLength: 4, maxLength: 24 },
);

interface Played {
  /** All that came out of each sink, in no order. */
  readonly rows: Readonly<Record<string, readonly string[]>>;
  readonly ends: readonly number[];
}

async function play(
  of: Topology,
  history: readonly Step[],
  restarts: boolean,
  finish: (driver: Driver) => Promise<void>,
): Promise<Played> {
  let driver = await createDriver(of);
  const sinks = of.plan.nodes.filter(({ kind }) => kind === 'sink').map(({ id }) => id);
  const rows: Record<string, string[]> = {};
  const ends = new Map(sinks.map((sink) => [sink, 0]));
  const collectRows = (): void => {
    for (const sink of sinks) {
      (rows[sink] ??= []).push(...driver.read(sink).map((row) => JSON.stringify(row)));
      ends.set(
        sink,
        (ends.get(sink) ?? 0) + driver.signals(sink).filter((signal) => signal === 'max').length,
      );
    }
    expect(driver.rejected()).toEqual([]);
  };
  for (const step of history) {
    if ('push' in step) await driver.push(step.push, event({ k: step.k, n: step.n, at: step.at }));
    else if ('watermark' in step) await driver.advanceWatermark(step.watermark);
    else await driver.idle({ source: step.idle });
    collectRows();
  }
  if (restarts) {
    const snapshot = driver.snapshot();
    driver.close();
    driver = await createDriver(of);
    await driver.restore(snapshot);
  }
  await finish(driver);
  collectRows();
  driver.close();
  for (const list of Object.values(rows)) list.sort();
  return { rows, ends: [...ends.values()] };
}

const ended = (driver: Driver): Promise<void> => driver.advanceWatermark('max');

/** Time moves far behind everything, at every input whether it was idle or not. */
async function farBehind(driver: Driver): Promise<void> {
  await driver.active();
  await driver.advanceWatermark(far);
}

async function agree(
  chain: readonly Kind[],
  history: readonly Step[],
  restarts: boolean,
): Promise<number> {
  const of = topologyOf(chain);
  const expected = await play(of, history, false, farBehind);
  const found = await play(of, history, restarts, ended);
  expect(found.rows).toEqual(expected.rows);
  // The end reached every sink, once.
  expect(new Set(found.ends)).toEqual(new Set([1]));
  return found.rows['out']?.length ?? 0;
}

describe('the end of input', () => {
  it.each(kinds)('gives what is in an operator: %s', async (kind) => {
    let rows = 0;
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (history, restarts) => {
        rows += await agree([kind], history, restarts);
      }),
      { numRuns: 40 },
    );
    expect(rows).toBeGreaterThan(5);
  });

  it.each(kinds)('gives what is in every operator behind this one: %s', async (first) => {
    for (const second of kinds) {
      await fc.assert(
        fc.asyncProperty(steps, fc.boolean(), async (history, restarts) => {
          await agree([first, second], history, restarts);
        }),
        { numRuns: 3 },
      );
    }
  });

  it('gives what is in three operators behind each other', async () => {
    const chains = fc.array(fc.constantFrom(...kinds), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(chains, steps, fc.boolean(), async (chain, history, restarts) => {
        await agree(chain, history, restarts);
      }),
      { numRuns: 100 },
    );
  });

  it('says nothing of time before a join has ended that holds what an idle input would have joined', async () => {
    const rows = (source: 'one' | 'two', ...keys: readonly string[]): readonly Step[] =>
      keys.map((k) => ({ push: source, k, n: 0, at: 0 }));
    const history: readonly Step[] = [
      { push: 'two', k: 'a', n: 0, at: 2 },
      { idle: 'two' },
      ...rows('one', 'a', 'b'),
      { watermark: 0 },
      ...rows('one', 'a'),
    ];
    expect(await agree(['left join', 'left join'], history, false)).toBe(3);
  });

  it('waits in a union for what a join gives when its slower input ends', async () => {
    // At the end the window of `b` gives a result that waits for a look-up; only then has the join
    // all that it gives.
    const of = topology('slower', { version: 1, owner: 'a/b' }, (t) => {
      const open = (name: string): Stream<number> =>
        t
          .source(
            name,
            stream(`a/${name}`) as StreamDefinition<SluiceEvent<{ readonly at: number }>>,
          )
          .eventTime(`${name}-time`, (e) => e.data.at, {
            outOfOrderness: 0,
            idleAfter: 0,
            future: { max: 0 },
          })
          .map((e) => e.data.at);
      const results = open('b')
        .keyBy(() => 'k')
        .window('hundreds', tumbling(100))
        .aggregate({ n: count() })
        .out.lookup(
          'ask',
          asyncLookup(() => new Promise<number>((resolve) => setImmediate(resolve, 1))),
          { by: () => 'k' },
          (pane) => pane.n,
        );
      const joined = open('a')
        .keyBy(() => 'k')
        .intervalJoin(
          'join',
          results.keyBy(() => 'k'),
          { lower: -100, upper: 100 },
          (at, n) => at + n,
        );
      const { out, late } = joined.out
        .union('all', open('c'))
        .keyBy(() => 'k')
        .window('thousands', tumbling(1_000), { late: 'side' })
        .aggregate({ n: count() });
      out.map(({ n }) => n).sinkTo('out', collect());
      late.sinkTo('late', collect());
    });
    const driver = await createDriver(of);
    await driver.push('a', event({ at: 50 }));
    await driver.push('b', event({ at: 40 }));
    await driver.push('c', event({ at: 60 }));
    await driver.tick();
    await driver.advanceWatermark('max');
    expect(driver.read('late')).toEqual([]);
    expect(driver.read('out').map((row) => row.value)).toEqual([2]);
    expect(driver.signals('out').filter((signal) => signal === 'max')).toEqual(['max']);
  });

  it('reaches an input that is idle, and comes once, however often it is said', async () => {
    const driver = await createDriver(topologyOf(['tumbling']));
    await driver.push('one', event({ k: 'a', n: 3, at: 5 }));
    await driver.idle();
    await driver.advanceWatermark('max');
    await driver.advanceWatermark('max');
    await driver.tick();
    expect(driver.read('out').map((row) => row.value)).toEqual([{ k: 'a', n: 103 }]);
    expect(driver.signals('out')).toEqual([4, 'idle', 'active', 'max']);
  });
});

describe('a session that grows', () => {
  const visits = topology('visits', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/in') as StreamDefinition<SluiceEvent<{ readonly at: number }>>)
      .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
      .keyBy(() => 'k')
      .window('visits', session(30_000), { early: 10_000 })
      .aggregate({ n: count() })
      .out.map(({ n, windowEnd, pane: { timing, last } }) => [n, windowEnd, timing, last] as const)
      .sinkTo('out', collect());
  });

  it.each([false, true])(
    'has its pane on time, though an early firing is due when it ended before (restored: %s)',
    async (restores) => {
      let driver = await createDriver(visits);
      await driver.push('in', event({ at: 1 }));
      await driver.push('in', event({ at: 7_000 }));
      // The early firings go on at 30,000, which is the end that the session had before it grew.
      await driver.advanceWatermark(21_000);
      if (restores) {
        const snapshot = driver.snapshot();
        driver = await createDriver(visits);
        await driver.restore(snapshot);
        expect(driver.read('out')).toEqual([]);
      } else
        expect(driver.read('out').map(({ value: row }) => row)).toEqual([
          [2, 37_000, 'early', false],
        ]);
      await driver.advanceWatermark('max');
      expect(driver.read('out').map(({ value: row }) => row)).toEqual([
        [2, 37_000, 'onTime', true],
      ]);
    },
  );
});
