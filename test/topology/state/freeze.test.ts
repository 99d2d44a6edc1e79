/**
 * Freezing ends for every value, looks into data only, and costs nothing for what is frozen
 * already.
 */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../schemas/limits.ts';
import { freeze, freezeWhole, thawed } from '../../../topology/state/freeze.ts';

describe.each([
  ['freeze', freeze],
  ['freezeWhole', freezeWhole],
] as const)('%s', (_, frozen) => {
  it('freezes arrays and plain objects with all their parts, also of another realm and without a prototype', () => {
    const value = {
      list: [1, [{ deep: true }]],
      foreign: runInNewContext('({ a: [{}] })') as { readonly a: readonly object[] },
      bare: Object.assign(Object.create(null) as object, { a: { b: 1 } }),
    };
    expect(frozen(value)).toBe(value);
    const parts = [
      value,
      value.list,
      value.list[1],
      (value.list[1] as object[])[0],
      value.foreign,
      value.foreign.a,
      value.foreign.a[0],
      value.bare,
      value.bare.a,
    ];
    expect(parts.map((part) => Object.isFrozen(part))).toEqual(parts.map(() => true));
  });

  it('gives back what has no parts', () => {
    for (const value of ['text', 1, true, null, undefined]) expect(frozen(value)).toBe(value);
  });

  it('leaves alone what is no data: typed arrays, maps, dates, classes, and what they hold', () => {
    class Counter {
      n = 0;
      readonly inside = { n: 0 };
    }
    const value = {
      bytes: new Uint8Array(2),
      empty: new Uint8Array(0),
      map: new Map([['a', { n: 0 }]]),
      at: new Date(0),
      counter: new Counter(),
    };
    frozen(value);
    value.bytes[0] = 1;
    value.counter.n++;
    value.counter.inside.n++;
    (value.map.get('a') as { n: number }).n++;
    expect(Object.isFrozen(value)).toBe(true);
  });

  it('ends for a value that contains itself, is deeper than any stack, or does not let itself be read', () => {
    const self: Record<string, unknown> = { a: 1 };
    Object.assign(self, { self, list: [self, self] });
    frozen(self);
    expect(Object.isFrozen(self)).toBe(true);
    let deep: object = {};
    for (let level = 0; level < 200_000; level++) deep = { deep };
    frozen(deep);
    expect(Object.isFrozen(deep)).toBe(true);
    const unread = {
      get a(): never {
        throw new Error('not now');
      },
    };
    frozen(unread);
    frozen(
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('nor this');
          },
        },
      ),
    );
  });
});

it('freezeWhole looks into what its author froze on the outside', () => {
  const shallow = Object.freeze({ inside: { n: 1 } });
  freezeWhole([shallow]);
  expect(Object.isFrozen(shallow.inside)).toBe(true);
});

it('freezeWhole ends where frozen parts are met again and again', () => {
  let wide: object = {};
  for (let level = 0; level < limits.valueDepthMax - 1; level++) wide = { left: wide, right: wide };
  freezeWhole(wide);
  expect(Object.isFrozen(wide)).toBe(true);
});

it('thawed gives its owner what it may change: frozen parts are copies, others stay the same objects', () => {
  const frozen = freeze({ lines: [{ n: 1 }] });
  const kept = { mine: { n: 1 }, list: [frozen, { n: 2 }], same: frozen.lines };
  const { mine, list } = kept;
  const own = thawed(kept);
  expect(own).toBe(kept);
  expect([own.mine === mine, own.list === list]).toEqual([true, true]);
  own.same.push({ n: 3 });
  (own.list[0] as { lines: { n: number }[] }).lines.push({ n: 4 });
  expect(frozen).toEqual({ lines: [{ n: 1 }] });
  expect(own).toEqual({
    mine: { n: 1 },
    list: [{ lines: [{ n: 1 }, { n: 4 }] }, { n: 2 }],
    same: [{ n: 1 }, { n: 3 }],
  });
  expect(thawed(frozen)).not.toBe(frozen);
  expect([thawed(1), thawed(null), thawed('a')]).toEqual([1, null, 'a']);
});
