/**
 * Members with names that every JavaScript object inherits (`constructor`, `toString`,
 * `__proto__`): a schema that mentions them is compiled so that only a value's own members count.
 * Pure.
 *
 * The compiler ignores `__proto__` in `properties`, `dependentRequired` and `dependentSchemas`, so
 * it is expressed in keywords that the compiler does not ignore.
 */
import { pointerPart } from './json-pointer.ts';
import { subschemasOf } from './schema-walk.ts';

const proto = '__proto__';
/** Matches `__proto__` and nothing else. */
const protoPattern = '^__proto__$';

/** Whether every object inherits something of that name. */
export function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/**
 * Whether a document speaks of a member that every object inherits, or of members that it does not
 * name.
 */
export function speaksOfInherited(document: Readonly<Record<string, unknown>>): boolean {
  for (const { schema } of subschemasOf(document).values()) {
    if (Object.hasOwn(schema, 'unevaluatedProperties')) return true;
    const { required } = schema;
    if (
      Array.isArray(required) &&
      required.some((name) => typeof name === 'string' && isInherited(name))
    )
      return true;
    for (const keyword of ['properties', 'dependentRequired', 'dependentSchemas']) {
      const named = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
      if (typeof named === 'object' && named !== null && Object.keys(named).some(isInherited))
        return true;
      if (keyword !== 'dependentRequired' || typeof named !== 'object' || named === null) continue;
      if (
        Object.values(named).some(
          (names) =>
            Array.isArray(names) &&
            names.some((name) => typeof name === 'string' && isInherited(name)),
        )
      )
        return true;
    }
  }
  return false;
}

type Writable = Record<string, unknown>;

/**
 * The document with what it says of `__proto__` in keywords that are read; the document itself
 * where it says nothing.
 */
export function withProtoChecked(
  document: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const says = [...subschemasOf(document).values()].some(({ schema }) =>
    keywords.some((keyword) => protoOf(schema, keyword) !== undefined),
  );
  if (!says) return document;
  const copy = structuredClone(document) as Writable;
  for (const { schema } of subschemasOf(copy).values()) moveProto(schema as Writable);
  return copy;
}

const keywords = ['properties', 'dependentRequired', 'dependentSchemas'];

function protoOf(schema: Readonly<Record<string, unknown>>, keyword: string): unknown {
  const named = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
  if (typeof named !== 'object' || named === null || !Object.hasOwn(named, proto)) return undefined;
  return (named as Writable)[proto];
}

function moveProto(schema: Writable): void {
  const property = protoOf(schema, 'properties');
  const names = protoOf(schema, 'dependentRequired');
  const dependent = protoOf(schema, 'dependentSchemas');
  for (const keyword of keywords) {
    if (protoOf(schema, keyword) === undefined) continue;
    const { [proto]: _, ...rest } = schema[keyword] as Writable;
    schema[keyword] = rest;
  }
  if (property !== undefined) {
    const patterns = (schema['patternProperties'] ?? {}) as Writable;
    const before = patterns[protoPattern];
    schema['patternProperties'] = {
      ...patterns,
      [protoPattern]: before === undefined ? property : { allOf: [before, property] },
    };
  }
  const present = { type: 'object', required: [proto] };
  const then = [
    ...(names === undefined ? [] : [{ type: 'object', required: names }]),
    ...(dependent === undefined ? [] : [dependent]),
  ];
  if (then.length === 0) return;
  const others = Array.isArray(schema['allOf']) ? (schema['allOf'] as unknown[]) : [];
  schema['allOf'] = [...others, ...then.map((each) => ({ if: present, then: each }))];
}

/** The place in the document that was written, of a place in the one that was compiled. */
export function writtenPlace(place: string): string {
  return place.replaceAll(
    `/patternProperties/${encodeURIComponent(pointerPart(protoPattern))}`,
    `/properties/${proto}`,
  );
}
