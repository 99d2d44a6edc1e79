/**
 * Schemas: violations that say what, where and by which schema.
 */
import { describe, expect, it } from 'vitest';
import { compileSchema, oneOf, schemaOf, selectSchema } from '../../schemas/registry.ts';
import { saying } from '../said.ts';

const document = {
  $id: 'https://sluice.example/test/order',
  type: 'object',
  required: ['id', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', minLength: 1 },
    at: { type: 'string', format: 'date-time' },
    lines: {
      type: 'array',
      items: { type: 'object', properties: { 'a/b~c': { type: 'integer' } } },
    },
  },
};

describe('a schema', () => {
  const check = compileSchema(schemaOf(document));

  it('accepts good data', () => {
    expect(check({ id: 'x', at: '2026-01-01T00:00:00Z', lines: [{ 'a/b~c': 1 }] })).toBeUndefined();
    expect(check({ id: 'x', at: '2016-12-31t23:59:60.1234567z', lines: [] })).toBeUndefined();
  });

  it.each([
    [null, '', 'must be object, found null', '#/type'],
    [{ id: 'x' }, '/lines', "'lines' is missing", '#/required'],
    [
      { id: 'x', lines: [], 'x/y': 1 },
      '/x~1y',
      "'x/y' is not a member that the schema allows",
      '#/additionalProperties',
    ],
    [{ id: 5, lines: [] }, '/id', 'must be string, found 5', '#/properties/id/type'],
    [
      { id: 'x', at: '2026-02-30T00:00:00Z', lines: [] },
      '/at',
      'must be an RFC 3339 time: month 2 of 2026 has 28 days, and no day 30, found "2026-02-30T00:00:00Z"',
      '#/properties/at/format',
    ],
    [
      { id: 'x', lines: [{}, { 'a/b~c': 'no' }] },
      '/lines/1/a~1b~0c',
      'must be integer, found "no"',
      '#/properties/lines/items/properties/a~1b~0c/type',
    ],
  ])('refuses %j and says where', (value, pointer, message, place) => {
    expect(check(value)).toEqual({
      pointer,
      message,
      schema: `https://sluice.example/test/order${place}`,
    });
  });

  it('tells patterns apart that are run without backtracking', () => {
    const patterned = compileSchema({
      $id: 'https://sluice.example/patterns',
      type: 'object',
      properties: {
        a: { type: 'string', pattern: '^(a+)+$' },
        b: { type: 'string', pattern: '^(b+)+$' },
      },
      patternProperties: { '^(x+)+$': { type: 'integer' }, '^(y+)+$': { type: 'boolean' } },
      additionalProperties: false,
    });
    expect(patterned({ a: 'aa', b: 'bb', xx: 1, yy: true })).toBeUndefined();
    expect(
      [{ a: 'b' }, { b: 'a' }, { x: true }, { y: 1 }, { z: 1 }].map(
        (value) => patterned(value)?.pointer,
      ),
    ).toEqual(['/a', '/b', '/x', '/y', '/z']);
    expect(patterned({ a: `${'a'.repeat(50_000)}!` })).toMatchObject({ pointer: '/a' });
  });

  it('needs an $id, and has to be one', () => {
    expect(() => schemaOf({ type: 'object' })).toThrow(
      expect.objectContaining({ code: 'schema-invalid', message: saying({ code: ['$id'] }) }),
    );
    expect(() => compileSchema({ $id: 'https://sluice.example/x', type: 'strong' })).toThrow(
      expect.objectContaining({
        code: 'schema-invalid',
        details: { schema: 'https://sluice.example/x' },
      }),
    );
    expect(() => compileSchema({ $id: 'https://sluice.example/y', typo: 1 })).toThrow(
      expect.objectContaining({
        code: 'schema-invalid',
        details: { schema: 'https://sluice.example/y' },
        message: expect.stringContaining('"typo"') as string,
      }),
    );
  });

  it('is chosen from a union by dataschema, else by type', () => {
    const a = schemaOf<{ a: 1 }>({ $id: 'a', 'x-event-type': 'made' });
    const b = schemaOf<{ b: 1 }>({ $id: 'b', 'x-event-type': ['sold', 'bought'] });
    const union = oneOf(a, b);
    expect(
      [
        selectSchema(union, { type: 'bought' }),
        selectSchema(union, { type: 'bought', dataschema: 'a' }),
        selectSchema(union, { type: 'lost' }),
        selectSchema(union, { type: 'made', dataschema: 'c' }),
      ].map((found) => found?.id),
    ).toEqual(['b', 'a', undefined, undefined]);
  });
});
