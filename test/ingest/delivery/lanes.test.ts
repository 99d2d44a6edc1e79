/**
 * Lanes against a model, and what they must not keep.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LaneItem, Lanes, LaneUnit } from '../../../ingest/delivery/lanes.ts';
import { createFifo, createLanes } from '../../../ingest/delivery/lanes.ts';

const wide = { maxUnits: 1_000, maxBytes: 1e9, unitMaxItems: 1_000, unitMaxBytes: 1e9 };

function item<T>(key: string, of: T, bytes = 1): LaneItem<T> {
  return { key, bytes, item: of };
}

function valuesOf<T>(units: readonly LaneUnit<T>[]): readonly (readonly T[])[] {
  return units.map((unit) => unit.items.map((one) => one.item));
}

function only<T>(units: readonly LaneUnit<T>[]): LaneUnit<T> {
  expect(units).toHaveLength(1);
  return units[0] as LaneUnit<T>;
}

function filled(lanes: Lanes<number>, ...keys: readonly string[]): Lanes<number> {
  for (const [n, key] of keys.entries()) lanes.add(item(key, n));
  return lanes;
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        bytes: fc.integer({ min: 0, max: 9 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('take' as const),
        maxUnits: fc.integer({ min: 1, max: 4 }),
        maxBytes: fc.integer({ min: 0, max: 30 }),
        unitMaxItems: fc.integer({ min: 1, max: 4 }),
        unitMaxBytes: fc.integer({ min: 0, max: 20 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('applied' as const, 'failed' as const),
        which: fc.nat(9),
      }),
    },
  ),
  { maxLength: 120 },
);

describe('lanes of keys', () => {
  it('keep one unit of a key under way, lose nothing, give nothing twice, and keep the order of each key', () => {
    fc.assert(
      fc.property(steps, (run) => {
        const lanes = createLanes<number>();
        const waiting = new Map<string, LaneItem<number>[]>();
        const underWay: LaneUnit<number>[] = [];
        const left = new Map<string, number[]>();
        let added = 0;
        const leave = (key: string, items: readonly LaneItem<number>[]): void => {
          left.set(key, [...(left.get(key) ?? []), ...items.map((one) => one.item)]);
        };
        const settle = (kind: 'applied' | 'failed', which: number): void => {
          const [unit] = underWay.splice(which % Math.max(1, underWay.length), 1);
          if (unit === undefined) return;
          if (kind === 'applied') {
            lanes.applied(unit);
            leave(unit.key, unit.items);
            return;
          }
          const given = lanes.failed(unit);
          expect(given).toEqual([...unit.items, ...(waiting.get(unit.key) ?? [])]);
          waiting.delete(unit.key);
          leave(unit.key, given);
        };
        for (const step of run) {
          if (step.kind === 'add') {
            const one = item(step.key, added++, step.bytes);
            lanes.add(one);
            waiting.set(step.key, [...(waiting.get(step.key) ?? []), one]);
          } else if (step.kind === 'take') {
            const busy = new Set(underWay.map((unit) => unit.key));
            const ready = [...waiting].filter(([key, items]) => items.length > 0 && !busy.has(key));
            const units = lanes.take(step);
            expect(units.length).toBeLessThanOrEqual(step.maxUnits);
            if (ready.length > 0) expect(units.length).toBeGreaterThan(0);
            const bytes = units.reduce((sum, unit) => sum + unit.bytes, 0);
            for (const unit of units) {
              expect(busy.has(unit.key)).toBe(false);
              busy.add(unit.key);
              expect(unit.items.length).toBeGreaterThan(0);
              expect(unit.items.length).toBeLessThanOrEqual(step.unitMaxItems);
              expect(unit.bytes).toBe(unit.items.reduce((sum, one) => sum + one.bytes, 0));
              if (unit.items.length > 1) expect(unit.bytes).toBeLessThanOrEqual(step.unitMaxBytes);
              const behind = waiting.get(unit.key) ?? [];
              expect(unit.items).toEqual(behind.splice(0, unit.items.length));
            }
            if (bytes > step.maxBytes)
              expect([units.length, units[0]?.items.length]).toEqual([1, 1]);
            underWay.push(...units);
          } else settle(step.kind, step.which);
          const all = [...waiting.values()].flat();
          expect(lanes.waiting).toBe(all.length);
          expect(lanes.waitingBytes).toBe(all.reduce((sum, one) => sum + one.bytes, 0));
          expect(lanes.keys).toBe(new Set([...all, ...underWay].map(({ key }) => key)).size);
        }
        for (;;) {
          underWay.push(...lanes.take(wide));
          if (underWay.length === 0) break;
          while (underWay.length > 0) settle('applied', 0);
          waiting.clear();
        }
        expect([lanes.waiting, lanes.waitingBytes, lanes.keys]).toEqual([0, 0, 0]);
        for (const items of left.values()) expect(items).toEqual([...items].sort((a, b) => a - b));
        expect([...left.values()].flat().sort((a, b) => a - b)).toEqual(
          Array.from({ length: added }, (_, n) => n),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('let what waits behind a unit leave as one, once the unit is applied', () => {
    const lanes = filled(createLanes(), 'a');
    const first = only(lanes.take(wide));
    for (let n = 1; n <= 5; n++) lanes.add(item('a', n));
    expect(lanes.take(wide)).toEqual([]);
    lanes.applied(first);
    expect(valuesOf(lanes.take({ ...wide, unitMaxItems: 3 }))).toEqual([[1, 2, 3]]);
    expect(lanes.waiting).toBe(2);
  });

  it('hold no other key up while a unit is under way', () => {
    const lanes = filled(createLanes(), 'a', 'a', 'b');
    const [first] = lanes.take({ ...wide, unitMaxItems: 1 });
    lanes.add(item('c', 3));
    expect(first?.key).toBe('a');
    expect(valuesOf(lanes.take(wide))).toEqual([[3]]);
  });

  it('let keys take turns, so that a hot one holds nobody up', () => {
    const lanes = createLanes<number>();
    for (let n = 0; n < 100; n++) lanes.add(item('hot', n));
    lanes.add(item('cold', 100));
    const one = { ...wide, maxUnits: 1, unitMaxItems: 10 };
    const hot = only(lanes.take(one));
    lanes.applied(hot);
    expect(only(lanes.take(one)).key).toBe('cold');
    expect(only(lanes.take(one)).key).toBe('hot');
  });

  it('take what alone is beyond the bounds, and nothing with it', () => {
    const lanes = createLanes<string>();
    lanes.add(item('a', 'huge', 50));
    lanes.add(item('a', 'small', 1));
    lanes.add(item('b', 'other', 1));
    expect(valuesOf(lanes.take({ ...wide, maxBytes: 10, unitMaxBytes: 10 }))).toEqual([['huge']]);
    expect(valuesOf(lanes.take({ ...wide, maxBytes: 10, unitMaxBytes: 10 }))).toEqual([['other']]);
  });

  it('begin anew for a key that failed: what was added later waits for nothing', () => {
    const lanes = filled(createLanes(), 'a', 'a');
    const unit = only(lanes.take({ ...wide, unitMaxItems: 1 }));
    expect(lanes.failed(unit).map((one) => one.item)).toEqual([0, 1]);
    lanes.add(item('a', 2));
    expect(valuesOf(lanes.take(wide))).toEqual([[2]]);
  });

  it('take it for a defect when a unit is settled twice, or after its lane began anew', () => {
    const defect = expect.objectContaining({ name: 'AssertionDefect' });
    const lanes = filled(createLanes(), 'a', 'a');
    const first = only(lanes.take({ ...wide, unitMaxItems: 1 }));
    lanes.applied(first);
    expect(() => lanes.applied(first)).toThrow(defect);
    const second = only(lanes.take(wide));
    expect(() => lanes.failed(first)).toThrow(defect);
    lanes.applied(second);
    expect(() => lanes.applied(second)).toThrow(defect);
  });

  it('keep no key of a million that passed through', () => {
    const lanes = createLanes<undefined>();
    for (let n = 0; n < 1_000_000; n++) {
      lanes.add(item(`key ${n}`, undefined));
      const [unit] = lanes.take(wide);
      if (unit !== undefined) lanes.applied(unit);
    }
    expect([lanes.waiting, lanes.waitingBytes, lanes.keys]).toEqual([0, 0, 0]);
  });

  it('go through a lane of a hundred thousand in as many steps', () => {
    const lanes = createLanes<number>();
    for (let n = 0; n < 100_000; n++) lanes.add(item('a', n));
    let next = 0;
    for (
      let units = lanes.take({ ...wide, unitMaxItems: 1 });
      units.length > 0;
      units = lanes.take({ ...wide, unitMaxItems: 1 })
    ) {
      const [unit] = units;
      if (unit?.items[0]?.item === next) next++;
      if (unit !== undefined) lanes.applied(unit);
    }
    expect(next).toBe(100_000);
  });
});

describe('a plain queue', () => {
  it('gives each item as a unit of its own, in order, within the bounds', () => {
    const fifo = filled(createFifo(), 'a', 'a', 'b', 'a');
    expect([fifo.waiting, fifo.waitingBytes]).toEqual([4, 4]);
    const bounds = { ...wide, maxUnits: 3, maxBytes: 2 };
    expect(valuesOf(fifo.take(bounds))).toEqual([[0], [1]]);
    expect([fifo.waiting, fifo.waitingBytes]).toEqual([2, 2]);
    expect(valuesOf(fifo.take({ ...wide, maxUnits: 1 }))).toEqual([[2]]);
    expect(valuesOf(fifo.take(wide))).toEqual([[3]]);
    expect(fifo.take(wide)).toEqual([]);
  });

  it('takes what alone is beyond the bounds', () => {
    const fifo = createFifo<string>();
    fifo.add(item('a', 'huge', 50));
    fifo.add(item('a', 'small', 1));
    expect(valuesOf(fifo.take({ ...wide, maxBytes: 10 }))).toEqual([['huge']]);
  });

  it('gives back of a unit that failed nothing but its item', () => {
    const fifo = filled(createFifo(), 'a', 'a');
    const unit = only(fifo.take({ ...wide, maxUnits: 1 }));
    expect(fifo.failed(unit).map((one) => one.item)).toEqual([0]);
    expect(valuesOf(fifo.take(wide))).toEqual([[1]]);
  });
});

describe.each([
  ['lanes of keys', createLanes],
  ['a plain queue', createFifo],
] as const)('what has left %s', (_, create) => {
  it('is not held by what still waits', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    const lanes = (create as () => Lanes<object>)();
    const gone: WeakRef<object>[] = [];
    const pass = (): void => {
      for (let n = 0; n < 20; n++) lanes.add(item('a', { n }));
      for (let n = 0; n < 10; n++) {
        const [unit] = lanes.take({ ...wide, maxUnits: 1, unitMaxItems: 1 });
        if (unit === undefined) throw new Error('nothing to take');
        gone.push(...unit.items.map((one) => new WeakRef(one.item)));
        lanes.applied(unit);
      }
    };
    pass();
    // A weak reference holds its target until the turn of the event loop in which it was made has
    // ended.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(gone.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(lanes.waiting).toBe(10);
  });
});
