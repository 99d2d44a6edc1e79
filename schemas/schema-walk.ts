/**
 * The subschemas of a JSON Schema (draft 2020-12): where they are, which of them look at the same
 * value, and where a `$ref` leads. Pure.
 *
 * Invariants:
 * 1. Only places of schemas are entered: what `const`, `enum`, `default` and `examples` hold is
 *    data.
 * 2. A document that contains itself is walked once.
 */
import { partName, pointerPart, valueAt } from './json-pointer.ts';

/** A schema that is an object, with its place in the document. */
export interface Subschema {
  readonly schema: Readonly<Record<string, unknown>>;
  /** JSON pointer into the document. */
  readonly pointer: string;
  /** The address that references of it are relative to. */
  readonly base: string;
  /** The schema whose `$id` that is, or the document. */
  readonly resource: Readonly<Record<string, unknown>>;
}

const single = [
  'items',
  'contains',
  'additionalProperties',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contentSchema',
];
const singleInPlace = ['not', 'if', 'then', 'else'];
const lists = ['prefixItems'];
const listsInPlace = ['allOf', 'anyOf', 'oneOf'];
const maps = ['properties', 'patternProperties', '$defs', 'definitions'];
const mapsInPlace = ['dependentSchemas'];

/** By their objects. */
export type Subschemas = ReadonlyMap<unknown, Subschema>;

/** All of a document, itself first. */
export function subschemasOf(document: Readonly<Record<string, unknown>>): Subschemas {
  const all = new Map<unknown, Subschema>();
  const enter = (
    schema: unknown,
    pointer: string,
    outer: Pick<Subschema, 'base' | 'resource'>,
  ): void => {
    if (!isSchemaObject(schema) || all.has(schema)) return;
    const { base, resource } =
      typeof schema['$id'] === 'string'
        ? { base: resolved(schema['$id'], outer.base), resource: schema }
        : outer;
    const sub: Subschema = { schema, pointer, base, resource };
    all.set(schema, sub);
    for (const [at, child] of childrenOf(
      schema,
      [...single, ...singleInPlace],
      [...lists, ...listsInPlace],
      [...maps, ...mapsInPlace],
    )) {
      enter(child, `${pointer}${at}`, sub);
    }
  };
  enter(document, '', { base: '', resource: document });
  return all;
}

/**
 * The subschemas that look at the same value as `sub`, with the keyword that leads there; `not`
 * among them.
 */
export function inPlaceOf(
  sub: Subschema,
  all: Subschemas,
): readonly { readonly by: string; readonly to: Subschema }[] {
  const found = childrenOf(sub.schema, singleInPlace, listsInPlace, mapsInPlace);
  const $ref = sub.schema['$ref'];
  const target = typeof $ref === 'string' ? targetOf($ref, sub, all) : undefined;
  return [...found, ...(target === undefined ? [] : [['/$ref', target] as const])].flatMap(
    ([at, child]) => {
      const to = all.get(child);
      return to === undefined ? [] : [{ by: at, to }];
    },
  );
}

function childrenOf(
  schema: Readonly<Record<string, unknown>>,
  singles: readonly string[],
  arrays: readonly string[],
  objects: readonly string[],
): readonly (readonly [at: string, child: unknown])[] {
  return Object.entries(schema).flatMap(
    ([keyword, value]): readonly (readonly [string, unknown])[] => {
      const at = `/${pointerPart(keyword)}`;
      if (singles.includes(keyword)) return [[at, value]];
      if (arrays.includes(keyword) && Array.isArray(value))
        return value.map((child: unknown, index) => [`${at}/${index}`, child]);
      if (!objects.includes(keyword) || !isSchemaObject(value)) return [];
      return Object.entries(value).map(([name, child]) => [`${at}/${pointerPart(name)}`, child]);
    },
  );
}

/** Undefined for what is not in the document; the compiler reports that. */
function targetOf(ref: string, { base, resource }: Subschema, all: Subschemas): unknown {
  const hash = ref.indexOf('#');
  const address = hash < 0 ? ref : ref.slice(0, hash);
  const fragment = hash < 0 ? '' : ref.slice(hash + 1);
  const full = resolved(address, base);
  const root =
    address === ''
      ? resource
      : [...all.values()].find((sub) => sub.resource === sub.schema && sub.base === full)?.schema;
  if (fragment !== '' && !fragment.startsWith('/')) return undefined;
  const parts = fragment.split('/').slice(1);
  return valueAt(
    root,
    parts.map((part) => partName(decoded(part))),
  );
}

function resolved(address: string, base: string): string {
  try {
    return new URL(address, base === '' ? undefined : base).href.replace(/#$/, '');
  } catch {
    return address === '' ? base : address.replace(/#$/, '');
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function isSchemaObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
