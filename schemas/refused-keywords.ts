/**
 * Finds schemas that the compiler would accept but then judge wrongly or never finish, and reports
 * the place and a fix. Pure.
 *
 * - `$dynamicRef`, `$dynamicAnchor`, `$recursiveRef`, `$recursiveAnchor`: wrong verdicts, or the
 *   stack overflows.
 * - A `$ref` that leads back to itself at the same value: the stack overflows.
 * - `unevaluatedItems` beside `contains`, `if`, or `items` of another schema for the same value:
 *   wrong verdicts.
 * - `unevaluatedProperties` beside `dependentSchemas`, or an `if` whose `then` says nothing: wrong
 *   verdicts.
 * - A pattern with a backreference or lookbehind that can backtrack, or a pattern that is too
 *   large: a text of forty characters can block the thread for years.
 * - `nullable`: not a keyword of JSON Schema; it would let null into a required column.
 *
 * Source: the JSON Schema Test Suite (draft 2020-12) run against Ajv 8.20.0; ajv-validator/ajv
 * issues 1909, 2483, 2639, 2664.
 */
import { pointerPart } from './json-pointer.ts';
import { messageOf } from './kernel/errors.ts';
import { linearPattern } from './linear-pattern.ts';
import type { Subschema, Subschemas } from './schema-walk.ts';
import { inPlaceOf, subschemasOf } from './schema-walk.ts';

export interface RefusedKeyword {
  /** JSON pointer to the keyword, into the document. */
  readonly pointer: string;
  readonly message: string;
  readonly fix: string;
}

/** The first keyword that cannot be judged by, or undefined. */
export function refusedKeyword(
  document: Readonly<Record<string, unknown>>,
): RefusedKeyword | undefined {
  const all = subschemasOf(document);
  for (const sub of all.values()) {
    const refused = refusedIn(sub, all);
    if (refused !== undefined) return refused;
  }
  return endlessRef(all);
}

const dynamic = ['$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor'];

function refusedIn(sub: Subschema, all: Subschemas): RefusedKeyword | undefined {
  const { schema, pointer } = sub;
  const refuse = (keyword: string, message: string, fix: string): RefusedKeyword => ({
    pointer: `${pointer}/${keyword}`,
    message,
    fix,
  });
  const found = dynamic.find((keyword) => Object.hasOwn(schema, keyword));
  if (found !== undefined) {
    return refuse(
      found,
      `'${found}' is not supported: values would be checked wrongly`,
      'refer to the schema with `$ref`',
    );
  }
  if (Object.hasOwn(schema, 'nullable')) {
    return refuse(
      'nullable',
      "'nullable' is not a keyword of JSON Schema",
      "write `type: ['string', 'null']`, with your type in place of string",
    );
  }
  const bad = patternsOf(schema).find(([, source]) => faultOf(source) !== undefined);
  if (bad !== undefined) {
    const [keyword, source] = bad;
    return refuse(
      keyword,
      `the pattern '${source}' cannot be used: ${faultOf(source) ?? ''}`,
      'write an equivalent pattern without it',
    );
  }
  if (Object.hasOwn(schema, 'unevaluatedItems')) {
    const beside = reached(sub, all).find(
      (each) =>
        has(each, 'contains') ||
        has(each, 'if') ||
        (each !== sub && (has(each, 'items') || has(each, 'unevaluatedItems'))),
    );
    if (beside !== undefined) {
      const what = `'unevaluatedItems' is not supported together with ${placeOf(beside)}, which checks the same array: values would be checked wrongly`;
      return refuse(
        'unevaluatedItems',
        what,
        'describe the whole array in one schema: `prefixItems` with `items: false`',
      );
    }
  }
  if (Object.hasOwn(schema, 'unevaluatedProperties')) {
    const beside = reached(sub, all).find(
      (each) =>
        has(each, 'dependentSchemas') || (has(each, 'if') && saysNothing(each.schema['then'])),
    );
    if (beside !== undefined) {
      const keyword = has(beside, 'dependentSchemas') ? 'dependentSchemas' : 'if';
      const what = `'unevaluatedProperties' is not supported together with '${keyword}' of ${placeOf(beside)}: values would be checked wrongly`;
      const fix =
        keyword === 'if'
          ? 'repeat the properties of `if` in `then`'
          : 'write `if: { required: [...] }` with `then` for `dependentSchemas`';
      return refuse('unevaluatedProperties', what, fix);
    }
  }
  return undefined;
}

function patternsOf(
  schema: Subschema['schema'],
): readonly (readonly [keyword: string, source: string])[] {
  const { pattern } = schema;
  const named = schema['patternProperties'];
  return [
    ...(typeof pattern === 'string' ? [['pattern', pattern] as const] : []),
    ...Object.keys(typeof named === 'object' && named !== null ? named : {}).map(
      (source) => [`patternProperties/${pointerPart(source)}`, source] as const,
    ),
  ];
}

function faultOf(source: string): string | undefined {
  try {
    linearPattern(source, 'u');
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

const has = ({ schema }: Subschema, keyword: string): boolean => Object.hasOwn(schema, keyword);
const placeOf = ({ pointer }: Subschema): string =>
  pointer === '' ? 'the document' : `'${pointer}'`;

function saysNothing(schema: unknown): boolean {
  return (
    schema === undefined ||
    typeof schema === 'boolean' ||
    (typeof schema === 'object' && schema !== null && Object.keys(schema).length === 0)
  );
}

/** What looks at the same value as `sub`, itself included. */
function reached(sub: Subschema, all: Subschemas): readonly Subschema[] {
  const found = new Set([sub]);
  for (const each of found) for (const { to } of inPlaceOf(each, all)) found.add(to);
  return [...found];
}

/** A `$ref` from which a way leads back to it without going into the value. */
function endlessRef(all: Subschemas): RefusedKeyword | undefined {
  const done = new Set<Subschema>();
  const open = new Set<Subschema>();
  const visit = (sub: Subschema): RefusedKeyword | undefined => {
    if (done.has(sub)) return undefined;
    open.add(sub);
    for (const { by, to } of inPlaceOf(sub, all)) {
      const again = open.has(to);
      const pointer = `${sub.pointer}${by}`;
      const found = again
        ? {
            pointer,
            message: `it leads back to ${placeOf(to)} for the same value: the check would never end`,
            fix: 'leave it out',
          }
        : visit(to);
      if (found !== undefined) return found;
    }
    open.delete(sub);
    done.add(sub);
    return undefined;
  };
  for (const sub of all.values()) {
    const found = visit(sub);
    if (found !== undefined) return found;
  }
  return undefined;
}
