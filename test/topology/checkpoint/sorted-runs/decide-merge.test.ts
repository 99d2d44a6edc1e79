/**
 * When runs are merged and files let go: no more work, and no more garbage, than the policy says.
 */
import { describe, expect, it } from 'vitest';
import {
  decideMerge,
  dropDead,
  mergedRunsMax,
} from '../../../../topology/checkpoint/sorted-runs/decide-merge.ts';
import type {
  SortedRun,
  StateFile,
  TableShare,
} from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import {
  bytesOf,
  entriesOf,
  filesOf,
  noRuns,
  numberTables,
  withMerged,
} from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';

const mebi = 1_024 * 1_024;
const entryBytes = 26;

let names = 0;

const file = (tables: readonly TableShare[], bytes = 1_000): StateFile => ({
  name: `f${++names}`,
  bytes,
  first: [1, 0],
  last: [1, 0],
  tables,
});

const run = (...files: readonly StateFile[]): SortedRun => ({ id: `r${++names}`, files });

/** A run of one file with so many entries that do not die. */
const ofSize = (bytes: number, table = 1): SortedRun =>
  run(file([{ table, puts: Math.ceil(bytes / entryBytes), removed: 0, latest: 'never' }], bytes));

const all = new Map([[1, 0]]);
const manyLive = Number.MAX_SAFE_INTEGER;

describe('what is merged', () => {
  it('is the eight of a tier, and the younger ones, as soon as there are eight', () => {
    const small = [ofSize(100), ofSize(90_000), ofSize(1), ofSize(mebi), ofSize(5), ofSize(5)];
    const runs = [ofSize(500 * mebi), ...small, ofSize(7)];
    expect(decideMerge(runs, all, manyLive)).toBeUndefined();
    const more = [...runs, ofSize(8)];
    expect(decideMerge(more, all, manyLive)).toEqual({
      runs: more.slice(1),
      hiding: new Set([1]),
    });
    const next = [...Array.from({ length: 8 }, () => ofSize(2 * mebi)), ofSize(3), ofSize(3)];
    expect(decideMerge(next, all, manyLive)).toEqual({ runs: next, hiding: new Set() });
  });

  it('counts a small run that is older than a large one with the large ones', () => {
    const pairs = Array.from({ length: 3 }, () => [ofSize(10), ofSize(9 * mebi)]).flat();
    expect(decideMerge(pairs, all, manyLive)).toBeUndefined();
    const runs = [...pairs, ofSize(1), ofSize(10 * mebi)];
    expect(decideMerge(runs, all, manyLive)?.runs).toEqual(runs);
  });

  it('is everything, oldest first, once most entries count no more', () => {
    const runs = [ofSize(40 * mebi), ofSize(4 * mebi), ofSize(2 * mebi)];
    const entries = entriesOf(runs);
    expect(decideMerge(runs, all, entries * 0.51)).toBeUndefined();
    expect(decideMerge(runs, all, entries * 0.49)).toEqual({ runs, hiding: new Set() });
    const many = [600, 600, 600, ...Array<number>(7).fill(70), ...Array<number>(7).fill(9)].map(
      (size) => ofSize(size * mebi),
    );
    expect(decideMerge(many, all, 1)?.runs).toEqual(many.slice(0, mergedRunsMax));
  });

  it('is not the oldest run again as long as little has come to it, whatever counts no more', () => {
    expect(decideMerge([ofSize(40 * mebi)], all, 0)).toBeUndefined();
    expect(decideMerge([ofSize(40 * mebi), ofSize(4 * mebi)], all, 0)).toBeUndefined();
    expect(decideMerge([ofSize(1_000), ofSize(1_000)], all, 0)).toBeUndefined();
    expect(decideMerge([], all, 0)).toBeUndefined();
  });

  it('hides what older runs may have that is live', () => {
    const older = run(
      file(
        [
          { table: 1, puts: 1, removed: 0, latest: 7 },
          { table: 2, puts: 1, removed: 0, latest: 7 },
          { table: 3, puts: 0, removed: 1 },
          { table: 4, puts: 1, removed: 0, latest: 'never' },
          { table: 5, puts: 1, removed: 0, latest: 'never' },
        ],
        9 * mebi,
      ),
    );
    const deadThrough = new Map([
      [1, 6],
      [2, 7],
      [3, 0],
      [4, 99],
    ]);
    const runs = [older, ...Array.from({ length: 8 }, () => ofSize(1))];
    expect(decideMerge(runs, deadThrough, manyLive)?.hiding).toEqual(new Set([1, 4]));
  });
});

describe('a job that goes on for a day', () => {
  /** A run of entries [from, to) of a clock that puts `perRun` an interval. */
  const perRun = 45_000;
  const spanOf = ({ files }: SortedRun): readonly [number, number] =>
    (files[0] as StateFile).first as readonly [number, number];
  const clockRun = (from: number, to: number): SortedRun => ({
    id: `c${++names}`,
    files: [
      {
        ...file(
          [{ table: 1, puts: (to - from) * perRun, removed: 0, latest: to }],
          (to - from) * perRun * entryBytes,
        ),
        first: [from, to],
      },
    ],
  });

  it('of entries that die after an hour: few runs, few rewrites, little garbage', () => {
    const hour = 360;
    let runs: readonly SortedRun[] = [];
    let [written, most, mostBytes, live] = [0, 0, 0, 0];
    for (let now = 1; now <= 24 * hour; now++) {
      const deadThrough = new Map([[1, now - hour]]);
      live = Math.min(now, hour) * perRun;
      runs = dropDead([...runs, clockRun(now - 1, now)], deadThrough);
      const plan = decideMerge(runs, deadThrough, live);
      if (plan !== undefined) {
        const spans = plan.runs.map(spanOf);
        const from =
          plan.hiding.size > 0
            ? (spans[0]?.[0] as number)
            : Math.max(now - hour, spans[0]?.[0] as number);
        const merged = clockRun(from, spans.at(-1)?.[1] as number);
        written += bytesOf([merged]);
        runs = withMerged(
          runs,
          plan.runs.map(({ id }) => id),
          merged,
        );
      }
      most = Math.max(most, runs.length);
      mostBytes = Math.max(mostBytes, bytesOf(runs));
    }
    const came = 24 * hour * perRun * entryBytes;
    expect(most).toBeLessThanOrEqual(22);
    expect(written / came).toBeLessThan(4);
    expect(mostBytes / (hour * perRun * entryBytes)).toBeLessThan(2.6);
  });

  it('of keys that are written again and again: garbage stays below what lives', () => {
    const keys = 1_000_000;
    let runs: readonly SortedRun[] = [ofSize(keys * entryBytes)];
    let [written, most, mostEntries] = [0, 0, 0];
    const rounds = 2_000;
    for (let now = 1; now <= rounds; now++) {
      runs = [...runs, ofSize(perRun * entryBytes)];
      const plan = decideMerge(runs, all, keys);
      if (plan !== undefined) {
        const merged = ofSize(Math.min(keys * entryBytes, bytesOf(plan.runs)));
        written += bytesOf([merged]);
        runs = withMerged(
          runs,
          plan.runs.map(({ id }) => id),
          merged,
        );
      }
      most = Math.max(most, runs.length);
      mostEntries = Math.max(mostEntries, entriesOf(runs));
    }
    expect(most).toBeLessThanOrEqual(15);
    expect(mostEntries).toBeLessThan(2.2 * keys);
    expect(written / (rounds * perRun * entryBytes)).toBeLessThan(5);
  });
});

describe('what is dropped unread', () => {
  const dies = (table: number, latest: number): TableShare => ({
    table,
    puts: 5,
    removed: 0,
    latest,
  });
  const removes = (table: number): TableShare => ({ table, puts: 0, removed: 5 });

  it('are files whose entries are all dead, or of no table, and runs without any other', () => {
    const kept = file([dies(1, 11), dies(2, 3)]);
    const runs = [
      run(file([dies(1, 10)]), kept, file([dies(9, 99)])),
      run(file([dies(2, 10), dies(9, 99)])),
    ];
    const deadThrough = new Map([
      [1, 10],
      [2, 10],
    ]);
    const [left, ...more] = dropDead(runs, deadThrough);
    expect(left).toEqual({ id: runs[0]?.id, files: [kept] });
    expect(more).toEqual([]);
  });

  it('is nothing that hides a live entry: dead and removed ones stay while an older one may live', () => {
    const runs = [
      run(file([dies(1, 50)])),
      run(file([dies(1, 10)])),
      run(file([removes(1)]), file([removes(2)])),
    ];
    const left = dropDead(
      runs,
      new Map([
        [1, 20],
        [2, 20],
      ]),
    );
    expect(filesOf(left)).toEqual(filesOf(runs).slice(0, 3));
    expect(
      dropDead(
        runs,
        new Map([
          [1, 50],
          [2, 20],
        ]),
      ),
    ).toEqual([]);
    expect(dropDead([run(file([removes(1)]))], all)).toEqual([]);
  });

  it('is nothing when nothing died: the same runs come back', () => {
    const runs = [ofSize(1), ofSize(2)];
    const left = dropDead(runs, all);
    expect(left.map((one, n) => one === runs[n])).toEqual([true, true]);
  });
});

describe('what a manifest says of runs', () => {
  it('a merged run takes the place of those that it was made of, or none when it is empty', () => {
    const [a, b, c, d] = [ofSize(1), ofSize(2), ofSize(3), ofSize(4)];
    const merged = ofSize(9);
    expect(withMerged([a, b, c, d], [b.id, c.id], merged)).toEqual([a, merged, d]);
    expect(withMerged([a, b, c, d], [b.id, c.id], { id: 'x', files: [] })).toEqual([a, d]);
    // Some, then all of them were dropped meanwhile.
    expect(withMerged([a, c, d], [b.id, c.id], merged)).toEqual([a, merged, d]);
    expect(withMerged([a, d], [b.id, c.id], merged)).toEqual([a, d]);
  });

  it('a table keeps its number, and one that is new, or let go, has one that nobody had', () => {
    const wanted = [
      { node: 'n', name: 'a' },
      { node: 'n', name: 'b' },
      { node: 'm', name: 'a' },
    ];
    const one = numberTables(noRuns(128), wanted.slice(0, 2));
    expect(one).toEqual({
      tables: [
        { number: 1, node: 'n', name: 'a' },
        { number: 2, node: 'n', name: 'b' },
      ],
      lastTable: 2,
    });
    // b is gone; its number is nobody's.
    const two = numberTables({ ...noRuns(128), ...one }, wanted.slice(0, 1));
    expect(two).toEqual({ tables: [{ number: 1, node: 'n', name: 'a' }], lastTable: 2 });
    const three = numberTables({ ...noRuns(128), ...two, tables: [] }, wanted);
    expect(three.tables.map(({ number }) => number)).toEqual([3, 4, 5]);
    expect(three.lastTable).toBe(5);
  });
});
