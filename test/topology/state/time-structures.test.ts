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
import type { SlotTimes } from '../../../topology/state/slot-heap.ts';
import { SlotHeap } from '../../../topology/state/slot-heap.ts';
import { SlotTree } from '../../../topology/state/slot-tree.ts';
import { TimeHeap } from '../../../topology/state/time-heap.ts';
import { TimerQueue } from '../../../topology/state/timer-queue.ts';
import { countedTime } from './counted.ts';

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

const columnOf = (numbers: readonly number[]): SlotTimes => ({
  get: (slot) => numbers[slot] as number,
});

describe('trees and a heap of slots', () => {
  it('give what sorted lists give, whatever is put in, read and taken out', () => {
    let taken = 0;
    const times = fc.integer({ min: 0, max: 60 });
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          insert: times,
          count: fc.integer({ min: 1, max: 50 }),
          tree: fc.nat({ max: 2 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ from: times, to: times }) },
      { weight: 1, arbitrary: fc.record({ until: times }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat() }) },
    );
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60, size: 'max' }),
        fc.integer(),
        (actions, seed) => {
          const columns = { times: [0], arrivals: [0], trees: [0] };
          const tree = new SlotTree(columnOf(columns.times), columnOf(columns.arrivals), seed);
          const heap = new SlotHeap(columnOf(columns.times));
          const roots = [0, 0, 0];
          const timeOf = (slot: number): number => columns.times[slot] ?? -1;
          let model: number[] = [];
          const drop = (slot: number): void => {
            const of = columns.trees[slot] ?? 0;
            roots[of] = tree.remove(roots[of] ?? 0, slot);
            model = model.filter((other) => other !== slot);
          };
          for (const each of actions) {
            if ('insert' in each) {
              for (let n = 0; n < each.count; n++) {
                const slot = columns.times.length;
                columns.times.push(each.insert + (n % 3));
                // Of equal times, those that come later are not always those that arrived later.
                columns.arrivals.push(slot ^ 5);
                columns.trees.push(each.tree);
                roots[each.tree] = tree.insert(roots[each.tree] ?? 0, slot);
                heap.push(slot);
                model.push(slot);
              }
              model = model.toSorted((a, b) => timeOf(a) - timeOf(b) || (a ^ 5) - (b ^ 5));
            } else if ('until' in each) {
              const due = model.filter((slot) => timeOf(slot) <= each.until);
              const given: number[] = [];
              for (
                let { next } = heap;
                next !== undefined && next <= each.until;
                next = heap.next
              ) {
                const slot = heap.take();
                if (!model.includes(slot)) continue;
                given.push(slot);
                drop(slot);
              }
              expect(given.map(timeOf)).toEqual(due.map(timeOf));
              expect(new Set(given)).toEqual(new Set(due));
              taken += given.length;
            } else if ('remove' in each) {
              const slot = model[each.remove % Math.max(1, model.length)];
              if (slot !== undefined) drop(slot);
            }
            const [from, to] = 'from' in each ? [each.from, each.to] : [0, 100];
            roots.forEach((root, of) => {
              const given: number[] = [];
              tree.range(root, from, to, (slot) => given.push(slot));
              expect(given).toEqual(
                model.filter(
                  (slot) =>
                    columns.trees[slot] === of && timeOf(slot) >= from && timeOf(slot) <= to,
                ),
              );
            });
          }
        },
      ),
    );
    expect(taken).toBeGreaterThan(1_000);
  });

  it.each(Object.entries(orders))(
    'cost a row O(log n) to come, to be found and to go: %s',
    (_, at) => {
      let [read, visited, gone] = [0, 0, 0];
      const counted = (column: (slot: number) => number): SlotTimes => ({
        get(slot) {
          read++;
          return column(slot);
        },
      });
      const byTime = counted((slot) => at(slot));
      const tree = new SlotTree(
        byTime,
        counted((slot) => slot),
        1,
      );
      const heap = new SlotHeap(byTime);
      let root = 0;
      for (let slot = 1; slot <= rows; slot++) {
        root = tree.insert(root, slot);
        heap.push(slot);
      }
      // Ranges that find nothing, or one row.
      for (let n = 0; n < rows; n++) tree.range(root, rows + n, rows + n + 1, () => visited++);
      for (; heap.next !== undefined; gone++) root = tree.remove(root, heap.take());
      expect([gone, root]).toEqual([rows, 0]);
      expect(visited).toBeLessThanOrEqual(2);
      // Two numbers a step: down a tree to put in, to find and to take out, and down the heap.
      expect(read).toBeLessThan(rows * (12 * log + 20));
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
