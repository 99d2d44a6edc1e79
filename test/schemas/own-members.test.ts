/**
 * Members that are called as what every JavaScript object inherits. A schema that named one took
 * the inherited function for the data's, or threw: the topology ended at that event, after each
 * restart again.
 */
import { describe, expect, it } from 'vitest';
import { columnsOf, rowReader } from '../../schemas/columns.ts';
import { compileSchema } from '../../schemas/registry.ts';
import { saying } from '../said.ts';

const $id = 'https://sluice.example/test/members';
const names = [...Object.getOwnPropertyNames(Object.prototype)];
/** As a file has it: a member `__proto__`, not a prototype. */
const object = (name: string, value: unknown): Record<string, unknown> =>
  JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`) as Record<string, unknown>;

describe.each(names)('a member that is called %s', (name) => {
  it('is there only where the data has it', () => {
    const check = compileSchema({ $id, type: 'object', required: [name] });
    expect(check({})).toMatchObject({
      message: saying({ names: [name] }),
      pointer: `/${name}`,
    });
    expect(check(object(name, null))).toBeUndefined();
  });

  it('is checked like any other', () => {
    const check = compileSchema({
      $id,
      type: 'object',
      properties: object(name, { type: 'number' }),
      additionalProperties: false,
    });
    expect(check({})).toBeUndefined();
    expect(check(object(name, 1))).toBeUndefined();
    expect(check(object(name, 'x'))).toEqual({
      message: expect.stringMatching(/\bnumber\b.*"x"$/) as string,
      pointer: `/${name}`,
      schema: `${$id}#/properties/${name}/type`,
    });
    expect(check({ other: 1 })).toMatchObject({ pointer: '/other' });
  });

  it('asks for others, and is asked for', () => {
    const asks = compileSchema({ $id, type: 'object', dependentRequired: object(name, ['with']) });
    expect([asks({}), asks({ ...object(name, 1), with: 1 })]).toEqual([undefined, undefined]);
    expect(asks(object(name, 1))).toBeDefined();
    const asked = compileSchema({ $id, type: 'object', dependentRequired: { a: [name] } });
    expect([
      asked({ a: 1 }) === undefined,
      asked({ ...object(name, 1), a: 1 }) === undefined,
    ]).toEqual([false, true]);
    const whole = compileSchema({
      $id,
      type: 'object',
      dependentSchemas: object(name, { type: 'object', maxProperties: 1 }),
    });
    expect([
      whole({ a: 1, b: 2 }) === undefined,
      whole({ ...object(name, 1), b: 2 }) === undefined,
    ]).toEqual([true, false]);
  });

  it('is one more where others are not allowed', () => {
    const closed = compileSchema({
      $id,
      type: 'object',
      properties: { a: {} },
      additionalProperties: false,
    });
    expect(closed(object(name, 1))).toMatchObject({ pointer: `/${name}` });
    const either = {
      anyOf: [
        { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
        { type: 'object', properties: { b: {} }, required: ['b'] },
      ],
    };
    const unevaluated = compileSchema({
      $id,
      type: 'object',
      ...either,
      unevaluatedProperties: false,
    });
    expect(unevaluated({ a: 'x' })).toBeUndefined();
    expect(unevaluated({ ...object(name, 1), a: 'x' })).toMatchObject({ pointer: `/${name}` });
  });

  it('is compared as data', () => {
    const equal = compileSchema({ $id, const: object(name, { deep: [1] }) });
    expect(equal(object(name, { deep: [1] }))).toBeUndefined();
    expect(
      [equal({}), equal(object(name, {})), equal(1)].every((found) => found !== undefined),
    ).toBe(true);
    const one = compileSchema({ $id, enum: [1, object(name, { deep: [1] })] });
    expect([one(1), one(object(name, { deep: [1] }))]).toEqual([undefined, undefined]);
    expect(one(object(name, 1))).toBeDefined();
    const unique = compileSchema({ $id, type: 'array', uniqueItems: true });
    expect(unique([object(name, 1), object(name, 2), {}])).toBeUndefined();
    expect(unique([object(name, { a: 1 }), object(name, { a: 1 })])).toBeDefined();
  });

  it('is a column like any other', () => {
    const schema = {
      $id,
      type: 'object',
      properties: { id: { type: 'string' }, ...object(name, { type: 'integer' }) },
    };
    expect(columnsOf(schema).map((column) => column.name)).toEqual(['id', name]);
    const { read } = rowReader(schema);
    expect([read({ id: 'a' }), read({ id: 'a', ...object(name, 2) })]).toEqual([
      ['a', null],
      ['a', 2],
    ]);
  });
});

describe('a value that cannot be checked', () => {
  it('is a violation, whatever it does', () => {
    const check = compileSchema({ $id, type: 'object', properties: { a: { type: 'string' } } });
    const throwing = Object.defineProperty({}, 'a', {
      enumerable: true,
      get: () => {
        throw new Error('no answer');
      },
    });
    expect(check(throwing)).toEqual({
      pointer: '',
      schema: `${$id}#`,
      message: saying({ end: ': no answer' }),
    });
    expect(check({ a: 1n })).toMatchObject({
      pointer: '/a',
      message: expect.stringContaining('bigint') as string,
    });
    const tree = compileSchema({
      $id,
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
      $ref: '#/$defs/node',
    });
    let deep: unknown = {};
    for (let i = 0; i < 100_000; i++) deep = { next: deep };
    expect(tree(deep)).toMatchObject({ pointer: '', schema: `${$id}#` });
  });
});
