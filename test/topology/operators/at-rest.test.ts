/**
 * Windows and keys of a process at rest: whatever the live objects may take, rows and their order,
 * rejections, counts, progress and what checkpoints hold are the same. Histories are played at once
 * to operators that keep nothing live, little, and everything.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { present } from '../../../schemas/kernel/assert.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Stream, Topology } from '../../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  avg,
  collect,
  count,
  list,
  max,
  session,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import type { Operator, Rejection } from '../../../topology/operators/operator.ts';
import { compileDag } from '../../../topology/runtime/compile-dag.ts';
import type { Dag } from '../../../topology/runtime/dag.ts';
import type { SnapshotEntry } from '../../../topology/runtime/driver/driven-state.ts';
import { DrivenState } from '../../../topology/runtime/driver/driven-state.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import type { RecordStore } from '../../../topology/state/records.ts';

interface Row {
  readonly k: string | number | readonly (string | number)[];
  readonly n: number;
}

const id = 'node';

function built<T>(build: (rows: Stream<Row>) => Stream<T>): Topology {
  return topology('rests', { version: 1, owner: 'test/rests' }, (t) => {
    const rows = t
      .source('in', stream('test/rows'))
      .eventTime('time', () => 0, { outOfOrderness: 0, idleAfter: 0 })
      .map((e) => e.data as Row);
    build(rows).sinkTo('out', collect());
  });
}

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

/** One operator of its own. */
class Play {
  readonly #topology: Topology;
  readonly #liveStateMaxBytes: number;
  readonly #out = new Batch();
  readonly #rejected: Rejection[] = [];
  #stores: RecordStore[] = [];
  #rested = 0;
  #dag: Dag;
  #state: DrivenState;

  constructor(of: Topology, liveStateMaxBytes: number) {
    this.#topology = of;
    this.#liveStateMaxBytes = liveStateMaxBytes;
    this.#dag = this.#compiled();
    this.#state = new DrivenState(this.#dag);
  }

  #compiled(): Dag {
    this.#stores = [];
    const dag = compileDag(this.#topology, (rejection) => this.#rejected.push(rejection), {
      tables: new Map(),
      lookups: new Map(),
      host: { clock: manualClock(), random: seededRandom(1), wake: () => undefined },
      freezes: 'all',
      room: {
        liveStateMaxBytes: this.#liveStateMaxBytes,
        recordStore: () => {
          const store = memoryRecords();
          this.#stores.push(store);
          return store;
        },
      },
    });
    const stages = dag.stages.filter(({ nodes }) => nodes[0]?.id === id);
    return { ...dag, stages, counts: dag.counts } as Dag;
  }

  get #operator(): Operator {
    return present(this.#dag.stages[0], 'a stage').operator;
  }

  /** Records at rest. */
  get records(): number {
    return this.#stores.reduce((all, { records }) => all + records, 0);
  }

  /** The most that there were. */
  get rested(): number {
    return this.#rested;
  }

  turn(batch: Batch): unknown {
    this.#out.clear();
    this.#operator.process(0, batch, [this.#out]);
    this.#rested = Math.max(this.#rested, this.records);
    const { kinds, values, timestamps, origins } = this.#out;
    const seen = { kinds, values, timestamps, origins: origins.map((origin) => origin?.derived) };
    return structuredClone({
      ...seen,
      rejected: this.#rejected.splice(0).map(({ origin, ...rest }) => ({ ...rest, at: !origin })),
      counts: this.#dag.counts.get(id),
      progress: this.#operator.progress,
      size: this.#operator.tables?.map(({ size }) => size),
    });
  }

  snapshot(): readonly [head: unknown, entries: readonly SnapshotEntry[]] {
    return [structuredClone(this.#operator.snapshot?.()), this.#state.take()];
  }

  restore([head, entries]: readonly [unknown, readonly SnapshotEntry[]]): void {
    const counts = this.#dag.counts.get(id);
    this.#dag = this.#compiled();
    Object.assign(this.#dag.counts.get(id) ?? {}, counts);
    this.#state = new DrivenState(this.#dag);
    this.#operator.restore?.(head as never);
    this.#state.restore(entries);
  }
}

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
