/**
 * What a value takes in memory, from its parts: at least what it takes.
 */
import { expect, it } from 'vitest';
import { valueBytes } from '../../../topology/state/value-bytes.ts';

const all = Number.MAX_SAFE_INTEGER;

it('counts texts, parts and bytes, and ends where it is enough', () => {
  const text = 'x'.repeat(1_000);
  expect(valueBytes(text, all)).toBeGreaterThan(1_000);
  const event = { id: text, tags: [text, text], at: 1, none: null };
  expect(valueBytes(event, all)).toBeGreaterThan(3_000);
  expect(valueBytes(event, all)).toBeLessThan(10_000);
  expect(valueBytes(new Uint8Array(5_000), all)).toBeGreaterThan(5_000);
  expect(valueBytes(new ArrayBuffer(5_000), all)).toBeGreaterThan(5_000);
  expect(valueBytes(new SharedArrayBuffer(5_000), all)).toBeGreaterThan(5_000);
  expect(valueBytes({ [text]: 1, [`${text}.`]: { [text]: 1 } }, all)).toBeGreaterThan(6_000);
  expect(valueBytes(new Map([['a', text]]), all)).toBeGreaterThan(1_000);
  expect(valueBytes(new Set([text]), all)).toBeGreaterThan(1_000);
  const around: Record<string, unknown> = {};
  around['self'] = around;
  expect(valueBytes(around, 5_000)).toBeGreaterThan(5_000);
  const throws = {
    get a() {
      throw new Error('a getter');
    },
  };
  expect(valueBytes(throws, all)).toBeGreaterThan(0);
});

it('is no less than what many of them take on the heap', () => {
  const made = Array.from({ length: 20_000 }, (_, n) => ({ id: `id ${n}`, n, list: [n, `${n}`] }));
  const bytes = made.reduce((sum, one) => sum + valueBytes(one, all), 0);
  // An object of three members, a list of two, and texts of some ten characters.
  expect(bytes / made.length).toBeGreaterThan(160);
  expect(bytes / made.length).toBeLessThan(500);
});
