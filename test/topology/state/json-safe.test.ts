/**
 * What JSON gives back, and what it does not: named with its place, in bounded time, and without
 * throwing for what a value does when it is read.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isJson,
  jsonCopy,
  jsonPartsOf,
  jsonProblem,
  jsonTextOf,
  requireJsonSoFar,
} from '../../../topology/state/json-safe.ts';

class Order {
  readonly id = 'o1';
}

const circular: Record<string, unknown> = { id: 1 };
circular['lines'] = [{ of: circular }];

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
};

/** Each object twice in the next: 2^60 parts of few bytes. */
const doubled = (): unknown => {
  let value: unknown = {};
  for (let i = 0; i < 60; i++) value = { a: value, b: value };
  return value;
};

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

const throwing = Object.defineProperty({}, 'late', {
  enumerable: true,
  get: () => {
    throw new Error('no answer');
  },
});

const notJson: readonly (readonly [
  what: string,
  value: unknown,
  pointer: string,
  found: RegExp,
])[] = [
  ['undefined', undefined, '', /^undefined$/],
  ['a member that is undefined', { a: { b: undefined } }, '/a/b', /^undefined$/],
  ['an element that is undefined', [1, undefined], '/1', /^undefined$/],
  ['a hole', { list: [new Array(2)] }, '/list/0/0', /^undefined$/],
  ['a BigInt', { 'a/b': { '~': 1n } }, '/a~1b/~0', /^a bigint$/],
  ['NaN', [Number.NaN], '/0', /^NaN$/],
  ['Infinity', { a: Number.NEGATIVE_INFINITY }, '/a', /^-Infinity$/],
  ['a function', { f: () => 1 }, '/f', /^a function$/],
  ['a symbol', { s: Symbol('s') }, '/s', /^a symbol$/],
  ['a Date', { at: new Date(0) }, '/at', /^a Date$/],
  ['a Map', new Map(), '', /^a Map$/],
  ['a Set', [new Set()], '/0', /^a Set$/],
  ['bytes', { b: Buffer.from('x') }, '/b', /^a Buffer$/],
  ['an error', { e: new Error('x') }, '/e', /^a Error$/],
  ['an instance of a class', { o: new Order() }, '/o', /^a Order$/],
  ['a number as an object', { n: new Number(1) }, '/n', /^a Number$/],
  ['something with toJSON', { d: { toJSON: () => 1 } }, '/d/toJSON', /^a function$/],
  ['a value that contains itself', circular, '/lines/0/of', /contains itself/],
  ['a getter that throws', { a: throwing }, '/a/late', /a getter that throws \(no answer\)/],
  ['a revoked Proxy', { p: revoked() }, '/p', /cannot be read/],
  ['deep nesting', nested(100_000), '/0'.repeat(512), /more than 512 levels/],
  ['few bytes of endless parts', doubled(), '', /more than \d+ parts/],
  ['an endless sparse array', new Array(4_294_967_295), '/0', /^undefined$/],
];

describe('a value that JSON would not give back', () => {
  it.each(notJson)('is found: %s', (_, value, pointer, found) => {
    expect(isJson(value)).toBe(false);
    expect(jsonProblem(value)).toEqual({ pointer, found: expect.stringMatching(found) as string });
    expect(() => jsonCopy(value, 'it')).toThrow(
      expect.objectContaining({ code: 'not-json-safe', pointer }),
    );
    expect(jsonTextOf(value)).toContain('not JSON');
  });
});

describe('what is JSON in a value', () => {
  it('is left where the rest is taken out', () => {
    expect(jsonPartsOf({ a: 1, b: [1, 2n, { c: new Date(0), d: null }], ...circular })).toEqual({
      a: 1,
      b: [1, { d: null }],
      id: 1,
      lines: [{ of: { id: 1 } }],
    });
    expect(jsonPartsOf(new Map())).toBeNull();
  });

  it('is looked for from the end of a list that grows', () => {
    const long = Array.from({ length: 100_000 }, () => ({ n: 1 }));
    expect(requireJsonSoFar(long, 'it')).toBe(long);
    expect(() => requireJsonSoFar([...long, { n: 1n }], 'it')).toThrow(
      expect.objectContaining({ code: 'not-json-safe', pointer: '/100000/n' }),
    );
  });
});

describe('a value of JSON', () => {
  it('comes back equal, whatever its members are called', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(isJson(value)).toBe(true);
        expect(jsonCopy(value, 'it')).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    const text =
      '{"__proto__":{"a":1},"constructor":2,"toJSON":3,"half":"\\ud800","deep":{"hasOwnProperty":null}}';
    const parsed: unknown = JSON.parse(text);
    expect(jsonProblem(parsed)).toBeUndefined();
    expect(JSON.stringify(jsonCopy(parsed, 'it'))).toBe(text);
  });

  it('may be met twice, be as deep as the bound, or have no prototype', () => {
    const shared = { a: 1 };
    const bare = Object.assign(Object.create(null) as Record<string, unknown>, {
      x: [shared, shared],
    });
    expect(jsonProblem({ bare, again: shared })).toBeUndefined();
    expect(jsonProblem(nested(512))).toBeUndefined();
  });
});
