/**
 * Schemas that were judged by wrongly, or whose check never ended, do not compile: the place, the
 * reason and the way out are named. What is beside them and right still compiles.
 */
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../schemas/registry.ts';

const $id = 'https://sluice.example/test/refused';
const list = { type: 'array', prefixItems: [{ type: 'string' }], minItems: 1, maxItems: 1 };
const named = { type: 'object', properties: { a: { type: 'string' } } };

describe('a schema that would be judged by wrongly', () => {
  it.each([
    ['/$dynamicRef', { $dynamicRef: '#x' }],
    [
      '/properties/a/$dynamicAnchor',
      { type: 'object', properties: { a: { $dynamicAnchor: 'x', type: 'string' } } },
    ],
    [
      '/$defs/tree/items/$recursiveRef',
      { $defs: { tree: { type: 'array', items: { $recursiveRef: '#' } } } },
    ],
    [
      '/properties/a/nullable',
      { type: 'object', properties: { a: { type: 'string', nullable: true } } },
    ],
    ['/unevaluatedItems', { ...list, unevaluatedItems: false, contains: { type: 'string' } }],
    [
      '/unevaluatedItems',
      {
        type: 'array',
        unevaluatedItems: false,
        allOf: [{ type: 'array', contains: { type: 'string' } }],
      },
    ],
    [
      '/unevaluatedItems',
      {
        type: 'array',
        unevaluatedItems: { type: 'boolean' },
        anyOf: [{ type: 'array', items: { type: 'string' } }, true],
      },
    ],
    [
      '/unevaluatedItems',
      {
        type: 'array',
        unevaluatedItems: false,
        $ref: '#/$defs/some',
        $defs: { some: { type: 'array', contains: { type: 'null' } } },
      },
    ],
    [
      '/unevaluatedProperties',
      {
        type: 'object',
        unevaluatedProperties: false,
        if: { ...named, required: ['a'] },
        else: { type: 'object' },
      },
    ],
    [
      '/unevaluatedProperties',
      { type: 'object', unevaluatedProperties: false, dependentSchemas: { a: named } },
    ],
    [
      '/properties/a/pattern',
      { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)\\1*$' } } },
    ],
    ['/patternProperties/(~1', { type: 'object', patternProperties: { '(/': {} } }],
    ['/$ref', { $ref: '#' }],
    [
      '/$defs/b/$ref',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
    ],
    ['/allOf/0/$ref', { type: 'object', allOf: [{ $ref: '#' }] }],
    [
      '/properties/a/not/$ref',
      { type: 'object', properties: { a: { not: { $ref: '#/properties/a' } } } },
    ],
    ['/$ref', { $ref: $id }],
  ])('is refused at %s', (pointer, schema) => {
    expect(() => compileSchema({ $id, ...schema })).toThrow(
      expect.objectContaining({
        name: 'SluiceError',
        code: 'schema-invalid',
        details: { schema: $id, pointer },
        message: expect.stringContaining(`${$id}#${pointer}:`) as string,
        fix: expect.stringMatching(/./) as string,
      }),
    );
  });

  it.each([
    ['an array by position', { ...list, unevaluatedItems: false }, ['a'], ['a', 'b']],
    [
      'a tree',
      {
        $defs: {
          node: {
            type: 'object',
            properties: { next: { $ref: '#/$defs/node' } },
            required: ['id'],
          },
        },
        $ref: '#/$defs/node',
      },
      { id: 1, next: { id: 2 } },
      { id: 1, next: {} },
    ],
    [
      'data that looks like a keyword',
      { type: 'object', properties: { $dynamicRef: { const: { nullable: true } } } },
      { $dynamicRef: { nullable: true } },
      { $dynamicRef: 1 },
    ],
    [
      'an if with then',
      {
        type: 'object',
        if: { ...named, required: ['a'] },
        then: named,
        unevaluatedProperties: false,
      },
      { a: 'x' },
      { b: 1 },
    ],
    [
      'the same definition for many members',
      {
        type: 'object',
        properties: { a: { $ref: '#/$defs/s' }, b: { $ref: '#/$defs/s' } },
        $defs: { s: { type: 'string' } },
      },
      { a: 'x' },
      { b: 1 },
    ],
  ])('but not %s', (_, schema, good: unknown, bad: unknown) => {
    const check = compileSchema({ $id, ...schema });
    expect(check(good)).toBeUndefined();
    expect(check(bad)).toBeDefined();
  });
});
