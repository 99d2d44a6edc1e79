/**
 * Windows and keys of a process at rest: whatever the live objects may take, rows and their order,
 * rejections, counts, progress and what checkpoints hold are the same. Histories are played at once
 * to operators that keep nothing live, little, and everything.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { present } from '../../../schemas/kernel/assert.ts';
import type { Topology } from '../../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  avg,
  count,
  list,
  max,
  session,
  sliding,
  sum,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import type { Row } from './rest-play.ts';
import { built, id, Play } from './rest-play.ts';

const aggregates = {
  rows: count(),
  total: sum((row: Row) => row.n / 10),
  mean: avg((row: Row) => row.n),
  most: max((row: Row) => row.n),
  different: approxDistinct((row: Row) => row.n),
  // In place, and it throws half way.
  own: aggregator<Row, { all: number[] }, string>({
    create: () => ({ all: [] }),
    add: (kept, { n }) => {
      kept.all.push(n);
      if (n === 7) throw new Error('seven');
      return kept;
    },
    merge: (a, b) => ({ all: [...a.all, ...b.all] }),
    result: ({ all }) => {
      if (all.includes(8)) throw new Error('eight');
      return all.join();
    },
  }),
};

const windowed = (
  shape: ReturnType<typeof tumbling>,
  options: { readonly allowedLateness?: number; readonly early?: number },
  mode: 'accumulating' | 'discarding',
): Topology =>
  built(
    (rows) =>
      rows
        .keyBy((row) => row.k)
        .window(id, shape, { ...options, mode })
        .aggregate(aggregates).out,
  );

const processed = built((rows) =>
  rows
    .keyBy((row) => row.k)
    .process(id, {
      state: {
        n: value<number>(),
        seen: list<number>({ ttl: 40 }),
        last: value<{ n: number }>({ ttl: 90, refresh: 'readWrite' }),
      },
      onElement: (
        { n },
        { state, timers, timestamp, watermark, processingTime, key },
      ): readonly object[] => {
        state.seen.add(n);
        if (n % 3 === 0) timers.event(timestamp + n);
        if (n % 4 === 0) timers.event(Math.max(-1_000, watermark) - n);
        if (n % 5 === 0) timers.processing(processingTime + n * 3);
        if (n % 6 === 0) timers.deleteEvent(timestamp + 3);
        if (n === 7) throw new Error('seven');
        if (n === 1) {
          state.n.clear();
          state.seen.clear();
          return [];
        }
        state.n.set((state.n.get() ?? 0) + n);
        const before = state.last.get();
        if (n % 2 === 0) state.last.set({ n });
        return [{ key, n: state.n.get(), seen: state.seen.get(), before: before ?? null }];
      },
      onTimer: ({ at, domain }, { state, timers, key }): readonly object[] => {
        const n = state.n.get() ?? 0;
        if (n % 2 === 1) timers[domain](at + (n % 7) - 1);
        state.n.set(n + 1);
        if (n > 40) state.n.clear();
        return [{ key, at, domain, n, seen: state.seen.get() }];
      },
    }),
);

const topologies: Readonly<Record<string, Topology>> = {
  tumbling: windowed(tumbling(20), {}, 'accumulating'),
  'tumbling, late and early': windowed(
    tumbling(20),
    { allowedLateness: 30, early: 5 },
    'accumulating',
  ),
  'tumbling, forever late': windowed(
    tumbling(20),
    { allowedLateness: Number.MAX_SAFE_INTEGER },
    'discarding',
  ),
  sliding: windowed(sliding(30, 10), { allowedLateness: 10 }, 'accumulating'),
  'sliding, discarding and early': windowed(sliding(30, 10), { early: 4 }, 'discarding'),
  session: windowed(session(6), { allowedLateness: 15 }, 'accumulating'),
  'session, discarding and early': windowed(
    session(9),
    { allowedLateness: 4, early: 3 },
    'discarding',
  ),
  process: processed,
};

const keys: readonly Row['k'][] = ['a', 'b', 'a\nb', '', 7, ['t', 1], '\ud800', 'é'];
type Item =
  | { readonly k: Row['k']; readonly n: number; readonly at: number }
  | { readonly watermark: number }
  | { readonly clock: number };

const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      k: fc.constantFrom(...keys),
      n: fc.nat({ max: 9 }),
      at: fc.integer({ min: -25, max: 12 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ watermark: fc.integer({ min: -15, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ clock: fc.nat({ max: 40 }) }) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(item, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom('snapshot' as const, 'restore' as const) },
);

/** Times are relative to how far the history is. */
function batchOf(rows: readonly Item[], now: number): Batch {
  const batch = new Batch();
  for (const one of rows) {
    if ('watermark' in one) batch.control(rowKinds.watermark, now + one.watermark);
    else if ('clock' in one) batch.control(rowKinds.clock, now + one.clock);
    else
      batch.element({ k: one.k, n: one.n }, now + one.at, {
        derived: { kind: 'kept', identity: [now, one.n] },
      });
  }
  return batch;
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);

const budgets = [0, 4_000, Number.POSITIVE_INFINITY];

describe.each(Object.entries(topologies))('%s', (_name, of) => {
  it('gives the same whatever is live', () => {
    let rested = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), fc.boolean(), (steps, ends) => {
        const plays = budgets.map((budget) => new Play(of, budget));
        const same = (results: readonly unknown[]): void => {
          for (const result of results.slice(1)) expect(result).toEqual(results[0]);
        };
        let now = 0;
        for (const one of steps) {
          now += 4;
          if (one === 'snapshot') same(plays.map((play) => play.snapshot()));
          else if (one === 'restore') {
            const snapshots = plays.map((play) => play.snapshot());
            same(snapshots);
            for (const play of plays) play.restore(present(snapshots[0], 'a snapshot'));
          } else same(plays.map((play) => play.turn(batchOf(one, now))));
        }
        if (ends) {
          const batch = new Batch();
          batch.control(rowKinds.watermark, Number.POSITIVE_INFINITY, true);
          same(plays.map((play) => play.turn(batch)));
        }
        same(plays.map((play) => play.snapshot()));
        rested += plays[0]?.rested ?? 0;
        expect(plays.at(-1)?.rested).toBe(0);
      }),
      { numRuns: 60 },
    );
    expect(rested).toBeGreaterThan(100);
  });
});

describe('windows and keys at rest', () => {
  const many = 5_000;
  const keyOf = (n: number): string => `key ${(n * 7_919) % many}`;
  const all = (at: number): Batch => {
    const batch = new Batch();
    for (let n = 0; n < many; n++) batch.element({ k: keyOf(n), n }, at, undefined);
    return batch;
  };
  const watermark = (at: number): Batch => {
    const batch = new Batch();
    batch.control(rowKinds.watermark, at);
    return batch;
  };

  it('come to life one after the other, of many that are due at one time, and rest again', () => {
    let [live, fired] = [0, 0];
    const of = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, tumbling(100), { allowedLateness: 100 })
          .aggregate({
            live: aggregator<Row, number, number>({
              create: () => 0,
              add: (n) => n + 1,
              merge: (a, b) => a + b,
              result: (n) => {
                fired++;
                live = Math.max(live, many - play.records);
                return n;
              },
            }),
          }).out,
    );
    const play = new Play(of, 0);
    play.turn(all(50));
    expect(play.records).toBe(many);
    const { values } = play.turn(watermark(99)) as {
      values: readonly ({ key: string } | undefined)[];
    };
    const keys = values.flatMap((row) => row?.key ?? []);
    expect(keys).toEqual([...keys].sort());
    expect([fired, keys.length, play.records]).toEqual([many, many, many]);
    expect(live).toBeLessThan(10);
    play.turn(watermark(199));
    expect(play.records).toBe(0);
  });

  it('come to life one by one of a key that has many, and stay while they are used', () => {
    const of = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, tumbling(10))
          .aggregate({ rows: count() }).out,
    );
    const play = new Play(of, 0);
    const touch = (times: readonly number[]): unknown => {
      const batch = new Batch();
      for (const at of times) batch.element({ k: 'hot', n: 1 }, at, undefined);
      return play.turn(batch);
    };
    touch(Array.from({ length: many }, (_, n) => 10 * n));
    expect(play.records).toBe(many);
    const rested = play.rests.length;
    for (let turn = 0; turn < 50; turn++) touch([5_000, 5_001, 7_000]);
    expect(play.records).toBe(many - 2);
    expect(play.rests.length).toBe(rested);
    const { values } = play.turn(watermark(10 * many)) as {
      values: readonly ({ rows: number } | undefined)[];
    };
    const counts = values.flatMap((row) => row?.rows ?? []);
    expect([counts.length, counts.filter((rows) => rows > 1)]).toEqual([many, [101, 51]]);
  });

  it('stay live with every batch that uses them, whatever is live', () => {
    const sessions = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, session(1))
          .aggregate({ rows: count() }).out,
    );
    const process = built((rows) =>
      rows
        .keyBy((row) => row.k)
        .process(id, {
          state: { all: list<number>() },
          onElement: ({ n }, { state }): readonly number[] => {
            state.all.add(n);
            return [];
          },
        }),
    );
    for (const of of [sessions, process]) {
      const play = new Play(of, 0);
      for (let turn = 0; turn < 100; turn++) {
        const batch = new Batch();
        for (const k of ['a', 'b', `once ${turn}`])
          batch.element({ k, n: turn }, 10 * turn, undefined);
        play.turn(batch);
      }
      // Once each, and the two others before they were used a second time.
      expect(play.rests.length).toBeLessThan(106);
      expect(play.records).toBeGreaterThan(95);
    }
  });

  it('of a process too, whose timers are set again', () => {
    let live = 0;
    const of = built((rows) =>
      rows
        .keyBy((row) => row.k)
        .process(id, {
          state: { n: value<number>() },
          onElement: ({ n }, { state, timers, timestamp }): readonly number[] => {
            state.n.set(n);
            timers.event(timestamp + 10);
            return [];
          },
          onTimer: ({ at }, { timers }): readonly number[] => {
            live = Math.max(live, many - play.records);
            if (at < 70) timers.event(at + 10);
            return [at];
          },
        }),
    );
    const play = new Play(of, 0);
    play.turn(all(50));
    const { timestamps } = play.turn(watermark(65)) as { timestamps: readonly number[] };
    expect([timestamps.length, play.records]).toEqual([many + 1, many]);
    expect(live).toBeLessThan(10);
    const later = play.turn(watermark(80)) as { timestamps: readonly number[] };
    expect(later.timestamps.length).toBe(many + 1);
  });

  it('rest while a large batch is still read', () => {
    let live = 0;
    const of = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, tumbling(100))
          .aggregate({
            n: sum(({ n }: Row) => {
              live = Math.max(live, n - play.records);
              return 1;
            }),
          }).out,
    );
    const play = new Play(of, 0);
    play.turn(all(50));
    expect(live).toBeGreaterThan(1_000);
    expect(live).toBeLessThan(2_000);
  });

  it('of a checkpoint stay together, however entries that come make one take less than it did', () => {
    const of = (early: number): Topology => windowed(session(6), { early }, 'accumulating');
    const at = (...times: readonly number[]): Batch =>
      batchOf(
        times.map((time) => ({ k: 'a', n: 2, at: time })),
        0,
      );
    const before = new Play(of(3), Number.POSITIVE_INFINITY);
    before.turn(at(0, 20, 40));
    const outcomes: unknown[] = [];
    let [rested, together] = [0, 0];
    // About where one session is too much, and is not any more once the first has rested.
    for (const budget of [Number.POSITIVE_INFINITY, ...range(3_040, 3_080)]) {
      const play = new Play(of(4), budget);
      play.restore(before.snapshot());
      if (play.records > 0) rested++;
      if (play.records === 3) together++;
      // One session of all of them.
      play.turn(at(5, 10, 15, 25, 30, 35));
      outcomes.push(play.turn(watermark(100)));
    }
    expect(rested).toBeGreaterThan(5);
    expect(together).toBe(rested);
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
  });

  it('keep their order where a timer registers one for a time before its own', () => {
    const seen = new Set<unknown>();
    const of = built((rows) =>
      rows
        .keyBy((row) => row.k)
        .process(id, {
          state: {},
          onElement: (_row, { timers }): readonly string[] => {
            timers.event(15);
            return [];
          },
          onTimer: ({ at }, { timers, key }): readonly string[] => {
            // 15, 14, and 15 again.
            if (at === 15 && !seen.has(key)) timers.event(14);
            if (at === 14) timers.event(15);
            seen.add(key);
            return [`${String(key)} ${at}`];
          },
        }),
    );
    const [first, ...others] = budgets.map((budget) => {
      seen.clear();
      const play = new Play(of, budget);
      const batch = new Batch();
      for (const k of ['c', 'a', 'd', 'b']) batch.element({ k, n: 1 }, 0, undefined);
      play.turn(batch);
      return (play.turn(watermark(20)) as { values: readonly unknown[] }).values;
    });
    expect(first?.slice(0, 4)).toEqual(['a 15', 'a 14', 'a 15', 'b 15']);
    for (const other of others) expect(other).toEqual(first);
  });

  const keyed = {
    window: built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, tumbling(100))
          .aggregate({ n: count() }).out,
    ),
    process: built((rows) =>
      rows
        .keyBy((row) => row.k)
        .process(id, {
          state: { n: value<number>() },
          onElement: ({ n }, { state }): readonly number[] => {
            state.n.set(n);
            return [];
          },
        }),
    ),
  };

  it.each(Object.entries(keyed))('of a %s stay live as long as they are used', (_kind, of) => {
    const play = new Play(of, 600_000);
    const batchOfTurn = (turn: number): Batch => {
      const batch = new Batch();
      for (let n = 0; n < 50; n++) {
        batch.element({ k: 'hot', n }, 50, undefined);
        batch.element({ k: `cold ${turn} ${n}`, n }, 50, undefined);
      }
      return batch;
    };
    for (let turn = 0; turn < 40; turn++) play.turn(batchOfTurn(turn));
    expect(play.records).toBeGreaterThan(1_000);
    const hot = (): number => play.rests.filter((record) => record.includes('hot')).length;
    expect(hot()).toBe(0);
    // All others are used as often now.
    for (let turn = 0; turn < 80; turn++) {
      const batch = new Batch();
      for (let n = 0; n < 100; n++)
        batch.element({ k: `warm ${turn} ${n >> 1}`, n }, 50, undefined);
      play.turn(batch);
    }
    expect(hot()).toBe(1);
  });

  it('have what a topology of before wrote, under its aggregates and its early firing', () => {
    const shape = tumbling(100);
    const parts = {
      n: count(),
      a: sum((row: Row) => row.n),
      b: max((row: Row) => row.n),
    };
    const before = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, shape, { early: 10, allowedLateness: 50 })
          .aggregate({ a: parts.a, n: parts.n }).out,
    );
    const after = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, shape, { early: 15, allowedLateness: 50 })
          .aggregate({ b: parts.b, n: parts.n, a: parts.a }).out,
    );
    const elements = (at: number): Batch => {
      const batch = new Batch();
      for (let n = 0; n < 20; n++) batch.element({ k: `k${n % 3}`, n }, at + 7 * n, undefined);
      return batch;
    };
    const [first, ...others] = budgets.map((budget) => {
      const old = new Play(before, budget);
      old.turn(elements(0));
      old.turn(watermark(31));
      let snapshot = old.snapshot();
      const seen: unknown[] = [snapshot];
      for (const at of [20, 33, 47]) {
        const play = new Play(after, budget);
        play.restore(snapshot);
        seen.push(play.turn(elements(at)), play.turn(watermark(at + 20)));
        snapshot = play.snapshot();
        seen.push(snapshot);
      }
      const last = new Play(after, budget);
      last.restore(snapshot);
      seen.push(last.turn(watermark(1_000)));
      return seen;
    });
    for (const other of others) expect(other).toEqual(first);
    expect(JSON.stringify(first)).toContain('"timing":"early"');
  });

  it('of an accumulator that is no JSON stay live, and their panes are rejected as ever', () => {
    const of = built(
      (rows) =>
        rows
          .keyBy((row) => row.k)
          .window(id, tumbling(100))
          .aggregate({
            // Too large to be looked at whole with each element.
            all: aggregator<Row, { list: unknown[] }, number>({
              create: () => ({ list: [] }),
              add: (kept, { n }) => {
                for (let i = 0; i < 2_000; i++)
                  kept.list.push(i === 5 && n === 1 ? new Date(0) : i);
                return kept;
              },
              merge: (a, b) => ({ list: [...a.list, ...b.list] }),
              result: ({ list: kept }) => kept.length,
            }),
          }).out,
    );
    const play = new Play(of, 0);
    const batch = new Batch();
    batch.element({ k: 'odd', n: 1 }, 5, undefined);
    batch.element({ k: 'whole', n: 0 }, 5, undefined);
    play.turn(batch);
    expect(play.records).toBe(1);
    const { rejected, values } = play.turn(watermark(99)) as {
      rejected: readonly { code: string }[];
      values: readonly ({ all: number } | undefined)[];
    };
    expect(rejected.map(({ code }) => code)).toEqual(['function-result']);
    expect(values.flatMap((row) => row?.all ?? [])).toEqual([2_000]);
  });
});
