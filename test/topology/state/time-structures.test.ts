/**
 * What keeps rows and timers in the order of their times: that it does, and what it costs, counted
 * in comparisons and moves.
 *
 * An interval join of 80,000 rows of one key took 46 seconds: each row that left moved all that
 * stayed. Timers that were deleted, or moved with every row, stayed in their heap until they were
 * due.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WindowList } from '../../../topology/operators/window/window-list.ts';
import { TimeBuffer } from '../../../topology/state/time-buffer.ts';
import { TimeHeap } from '../../../topology/state/time-heap.ts';
import { TimerQueue } from '../../../topology/state/timer-queue.ts';
import { countedTime, movedBy } from './counted.ts';

const rows = 20_000;
const log = Math.log2(rows);

/**
 * In order, the other way round, all at once, and in any order (a stride that is prime to the
 * count).
 */
const orders: Readonly<Record<string, (n: number) => number>> = {
  'in order': (n) => n,
  'in reverse': (n) => rows - n,
  'all at one time': () => 7,
  'in any order': (n) => (n * 7_919) % rows,
  'nearly in order': (n) => n - (n % 10),
};

describe('a buffer of rows by time', () => {
  it('gives what a sorted list gives, whatever is put in, read and taken out', () => {
    let taken = 0;
    const times = fc.integer({ min: 0, max: 60 });
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ insert: times, times: fc.integer({ min: 1, max: 400 }) }),
      },
      { weight: 2, arbitrary: fc.record({ from: times, to: times }) },
      { weight: 1, arbitrary: fc.record({ until: times }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: 'max' }), (actions) => {
        const buffer = new TimeBuffer<number>();
        let model: (readonly [number, number])[] = [];
        let n = 0;
        for (const each of actions) {
          if ('insert' in each) {
            // Many at one place, so that chunks are halved there.
            for (let i = 0; i < each.times; i++, n++) {
              buffer.insert(each.insert, n);
              model.push([each.insert, n]);
            }
            model = model.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
          } else if ('until' in each) {
            const given: (readonly [number, number])[] = [];
            const count = buffer.takeUntil(each.until, (time, value) => given.push([time, value]));
            expect(given).toEqual(model.filter(([time]) => time <= each.until));
            expect(count).toBe(given.length);
            model = model.filter(([time]) => time > each.until);
            taken += count;
          } else {
            const given: (readonly [number, number])[] = [];
            buffer.range(each.from, each.to, (time, value) => given.push([time, value]));
            expect(given).toEqual(model.filter(([time]) => time >= each.from && time <= each.to));
          }
          expect(buffer.size).toBe(model.length);
          expect(buffer.next).toBe(model[0]?.[0]);
        }
        expect([...buffer.entries()]).toEqual(model);
      }),
    );
    expect(taken).toBeGreaterThan(1_000);
  });

  it.each(Object.entries(orders))(
    'costs a row O(log n) to come, to be found and to go: %s',
    (_, at) => {
      const count = { compared: 0 };
      let visited = 0;
      const moved = movedBy(() => {
        const buffer = new TimeBuffer<number>();
        for (let n = 0; n < rows; n++) buffer.insert(countedTime(at(n), count), n);
        // Ranges that find nothing, or one row.
        for (let n = 0; n < rows; n++) buffer.range(rows + n, rows + n + 1, () => visited++);
        for (let n = 0; n <= rows; n++) buffer.takeUntil(n);
        expect(buffer.size).toBe(0);
      });
      expect(visited).toBeLessThanOrEqual(2);
      // Three searches of a row, each in the list of chunks and in one chunk, and what a chunk's
      // neighbors are asked.
      expect(count.compared).toBeLessThan(rows * (3 * log + 12));
      // Times and values of a chunk of 512 move at most, where a list would move those of half of
      // all rows.
      expect(moved).toBeLessThan(rows * 1_100);
    },
  );
});

describe('the windows of a key', () => {
  it('are those of a sorted list, whatever comes and goes', () => {
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          insert: fc.integer({ min: 0, max: 9_999 }),
          times: fc.integer({ min: 1, max: 400 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          remove: fc.integer({ min: 0, max: 9_999 }),
          times: fc.integer({ min: 1, max: 400 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          from: fc.integer({ min: -50, max: 100_100 }),
          length: fc.integer({ min: 0, max: 400 }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: 'max' }), (actions) => {
        const list = new WindowList<{ readonly start: number; readonly end: number }>();
        const model = new Map<number, { readonly start: number; readonly end: number }>();
        // Ten apart and five long: they neither overlap nor touch.
        const starts = (from: number, times: number) =>
          Array.from({ length: times }, (_, n) => ((from + n * 7) % 10_000) * 10);
        for (const each of actions) {
          const sorted = [...model.values()].toSorted((a, b) => a.start - b.start);
          if ('insert' in each) {
            for (const start of starts(each.insert, each.times)) {
              expect(list.find(start)).toBe(model.get(start));
              if (model.has(start)) continue;
              const window = { start, end: start + 5 };
              model.set(start, window);
              list.insert(window);
            }
          } else if ('remove' in each) {
            for (const start of starts(each.remove, each.times)) {
              const window = model.get(start);
              if (window === undefined) continue;
              model.delete(start);
              list.remove(window);
            }
          } else {
            const to = each.from + each.length;
            expect(list.overlapping(each.from, to)).toEqual(
              sorted.filter(({ start, end }) => start <= to && end >= each.from),
            );
          }
          expect(list.isEmpty).toBe(model.size === 0);
        }
        expect(list.all()).toEqual([...model.values()].toSorted((a, b) => a.start - b.start));
      }),
    );
  });
});

describe('a heap by time', () => {
  it('keeps what is wanted, in the same order as if the rest had never come', () => {
    const entries = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom('a', 'b', 'c'), fc.boolean()),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(entries, (all) => {
        const heap = new TimeHeap<boolean>();
        for (const [time, key, wanted] of all) heap.push(time, key, wanted);
        heap.keep((wanted) => wanted);
        const given: string[] = [];
        for (let due = heap.popUntil(20); due !== undefined; due = heap.popUntil(20))
          given.push(`${due.time}${due.key}`);
        const expected = all
          .filter(([, , wanted]) => wanted)
          .toSorted(([a, k], [b, l]) => a - b || (k < l ? -1 : k > l ? 1 : 0))
          .map(([time, key]) => `${time}${key}`);
        expect(given).toEqual(expected);
      }),
    );
  });
});

describe('a queue of timers', () => {
  it('gives what was set and not cancelled, in order, whatever happens', () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ set: fc.integer({ min: 0, max: 50 }) }) },
      { weight: 4, arbitrary: fc.record({ cancel: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ until: fc.integer({ min: 0, max: 50 }) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 400, size: 'max' }), (actions) => {
        const queue = new TimerQueue<number>();
        const all: ReturnType<typeof queue.set>[] = [];
        let waiting = new Set<(typeof all)[number]>();
        for (const each of actions) {
          if ('set' in each) {
            const timer = queue.set(each.set, 'k', all.length);
            all.push(timer);
            waiting.add(timer);
          } else if ('cancel' in each) {
            const timer = all[each.cancel % Math.max(1, all.length)];
            queue.cancel(timer);
            if (timer !== undefined) waiting.delete(timer);
          } else {
            const given: number[] = [];
            for (
              let due = queue.takeUntil(each.until);
              due !== undefined;
              due = queue.takeUntil(each.until)
            )
              given.push(due.at);
            expect(given).toEqual(
              [...waiting]
                .map(({ at }) => at)
                .filter((at) => at <= each.until)
                .toSorted((a, b) => a - b),
            );
            waiting = new Set([...waiting].filter(({ at }) => at > each.until));
          }
          expect(queue.size).toBe(waiting.size);
          expect(queue.held).toBeLessThanOrEqual(Math.max(2 * waiting.size, waiting.size + 64));
          expect(queue.next).toBe(
            waiting.size === 0 ? undefined : Math.min(...[...waiting].map(({ at }) => at)),
          );
        }
      }),
    );
  });

  it('costs O(log n) a timer that is moved over and over, and keeps no more than one', () => {
    const count = { compared: 0 };
    const queue = new TimerQueue<number>();
    let timer: ReturnType<typeof queue.set> | undefined;
    for (let n = 0; n < rows; n++) {
      queue.cancel(timer);
      timer = queue.set(countedTime(rows - n, count), 'k', n);
      expect(queue.held).toBeLessThanOrEqual(64);
    }
    expect(queue.size).toBe(1);
    expect(count.compared).toBeLessThan(rows * 4 * log);
  });
});
