/**
 * Schemas as values: a JSON Schema (draft 2020-12) with the TypeScript type it describes, and Ajv
 * behind one function.
 *
 * Invariants:
 * 1. A schema is compiled once per document.
 * 2. A check of good data allocates nothing.
 * 3. A violation says what was found and what was expected, with a pointer into the data and the
 *    schema's own place.
 * 4. A schema is judged by as JSON Schema says, of a value's own members, or it does not compile
 *    (refused-keywords.ts).
 * 5. A check never throws: a value that cannot be checked is a violation.
 */
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { useFormats } from './formats.ts';
import { speaksOfInherited, withProtoChecked, writtenPlace } from './inherited-names.ts';
import { parsePointer, pointerPart, valueAt } from './json-pointer.ts';
import { messageOf, SluiceError } from './kernel/errors.ts';
import { parseTime } from './kernel/time.ts';
import { linearPattern } from './linear-pattern.ts';
import { useOwnKeywords } from './own-keywords.ts';
import { refusedKeyword } from './refused-keywords.ts';

/** A JSON Schema document (draft 2020-12), as data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A schema and, for the compiler, the type of the values it accepts. Written by `sluice schema
 * types`.
 */
export interface Schema<T> {
  /** The document's `$id`. */
  readonly id: string;
  readonly document: JsonSchema;
  /** Never present; carries `T`. */
  readonly accepts?: (value: T) => void;
}

/**
 * Several schemas of one stream, told apart by the event's `dataschema` (equal to `$id`) or type
 * (the document's `x-event-type`).
 */
export interface SchemaUnion<T> {
  readonly schemas: readonly Schema<T>[];
}

export interface SchemaViolation {
  readonly message: string;
  /** RFC 6901, into the value; names the member that is missing or too many. */
  readonly pointer: string;
  /** `<$id>#/<path of the keyword>` */
  readonly schema: string;
}

export type SchemaCheck = (value: unknown) => SchemaViolation | undefined;

/**
 * Makes a schema of a document. Throws `SluiceError` `schema-invalid` when it has no `$id`.
 *
 * @example
 * const orderRow = schemaOf<{ id: string; price: number }>({
 *   $id: 'https://shop.example/order-row',
 *   type: 'object',
 *   required: ['id', 'price'],
 *   properties: { id: { type: 'string' }, price: { type: 'number' } },
 * });
 */
export function schemaOf<T>(document: JsonSchema): Schema<T> {
  const id = (document as JsonSchema | undefined | null)?.['$id'];
  if (typeof id !== 'string' || id === '') {
    throw new SluiceError(
      'schema-invalid',
      'a JSON Schema needs an `$id`: it names the schema in rejected rows and checkpoints',
    );
  }
  return Object.freeze({ id, document });
}

type TypeOfSchema<S> = S extends Schema<infer T> ? T : never;

/**
 * A union of schemas for `validate`.
 *
 * @example
 * const data = t.source('events', stream('shop/events')).validate('valid', oneOf(order, refund));
 */
export function oneOf<const S extends readonly Schema<never>[]>(
  ...schemas: S
): SchemaUnion<TypeOfSchema<S[number]>> {
  return { schemas: schemas as unknown as readonly Schema<TypeOfSchema<S[number]>>[] };
}

/**
 * The schema of a union that is meant for an event: by dataschema where the event has one, else by
 * type.
 */
export function selectSchema<S extends { readonly id: string; readonly document: JsonSchema }>(
  union: { readonly schemas: readonly S[] },
  event: { readonly type: string; readonly dataschema?: string | undefined },
): S | undefined {
  if (event.dataschema !== undefined)
    return union.schemas.find((schema) => schema.id === event.dataschema);
  return union.schemas.find((schema) => {
    const types = schema.document['x-event-type'];
    return Array.isArray(types) ? types.includes(event.type) : types === event.type;
  });
}

const compiled = new WeakMap<JsonSchema, SchemaCheck>();

/**
 * A check that gives the first violation, or undefined. Throws `SluiceError` `schema-invalid`
 * naming the schema.
 */
export function compileSchema(schema: JsonSchema | Schema<never>): SchemaCheck {
  const document = isSchema(schema) ? schema.document : schema;
  const known = compiled.get(document);
  if (known !== undefined) return known;
  const id = typeof document['$id'] === 'string' ? document['$id'] : 'schema';
  const refused = refusedKeyword(document);
  if (refused !== undefined) {
    const { pointer, message, fix } = refused;
    throw new SluiceError(
      'schema-invalid',
      `the JSON Schema ${id} is not valid: ${id}#${pointer}: ${message}`,
      { fix, details: { schema: id, pointer } },
    );
  }
  let validate: ValidateFunction;
  try {
    validate = validatorOf(document);
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new SluiceError(
        'schema-invalid',
        `the JSON Schema ${id} is not valid: its references form an endless loop`,
        {
          cause,
          fix: "move the schema that is referred to into `$defs` without an `$id`, and refer to it as '#/$defs/name'",
          details: { schema: id },
        },
      );
    }
    throw new SluiceError(
      'schema-invalid',
      `the JSON Schema ${id} is not valid: ${messageOf(cause)}`,
      { cause, details: { schema: id } },
    );
  }
  const check: SchemaCheck = (value) => {
    try {
      if (validate(value)) return undefined;
      const error = validate.errors?.[0];
      return error === undefined
        ? { message: 'does not match', pointer: '', schema: `${id}#` }
        : violationOf(error, value, id);
    } catch (thrown) {
      return {
        message: `the value cannot be checked: ${messageOf(thrown)}`,
        pointer: '',
        schema: `${id}#`,
      };
    }
  };
  compiled.set(document, check);
  return check;
}

/** One Ajv a document: two topologies may use different versions of a schema under one `$id`. */
function validatorOf(document: JsonSchema): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: false,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    messages: true,
    // Only where it matters: it costs a call for each property of a value.
    ownProperties: speaksOfInherited(document),
    code: {
      process: withoutInherited,
      regExp: Object.assign(linearPattern, { code: 'linearPattern' }),
    },
  });
  useFormats(ajv);
  ajv.addKeyword({ keyword: 'x-event-type' });
  useOwnKeywords(ajv);
  return ajv.compile(withProtoChecked(document));
}

/**
 * The names of evaluated properties are collected in an object: without a prototype it has only
 * those.
 */
function withoutInherited(code: string): string {
  return code
    .replaceAll(/\b(props\d+) ?= ?\{\}/g, '$1=Object.create(null)')
    .replaceAll(/\b(props\d+) ?= ?(props\d+) ?\|\| ?\{\}/g, '$1=$2||Object.create(null)');
}

function isSchema(schema: JsonSchema | Schema<never>): schema is Schema<never> {
  return 'document' in schema && 'id' in schema;
}

function violationOf(error: ErrorObject, value: unknown, id: string): SchemaViolation {
  const { keyword, instancePath, params, schemaPath } = error;
  const schema = `${id}${writtenPlace(schemaPath)}`;
  const member = (name: unknown): string => `${instancePath}/${pointerPart(String(name))}`;
  if (keyword === 'required') {
    const { missingProperty } = params as { missingProperty: string };
    return { message: `'${missingProperty}' is missing`, pointer: member(missingProperty), schema };
  }
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    const extra: unknown = params['additionalProperty'] ?? params['unevaluatedProperty'];
    return {
      message: `'${String(extra)}' is not a member that the schema allows`,
      pointer: member(extra),
      schema,
    };
  }
  const at = valueAt(value, parsePointer(instancePath) ?? []);
  return { message: `${reasonOf(error, at)}, found ${found(at)}`, pointer: instancePath, schema };
}

function reasonOf({ keyword, message, params }: ErrorObject, value: unknown): string {
  const time =
    params['format'] === 'date-time' && typeof value === 'string' ? parseTime(value) : undefined;
  return typeof time === 'object'
    ? `must be an RFC 3339 time: ${time.reason}`
    : (message ?? keyword);
}

const foundMaxChars = 60;

function found(value: unknown): string {
  if (value === undefined) return 'nothing';
  // What is not JSON has no text: a user function may have made the value.
  const text = textOf(value);
  return text.length <= foundMaxChars ? text : `${text.slice(0, foundMaxChars)}...`;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? `a ${typeof value}`;
  } catch {
    return `a ${typeof value} that is not JSON`;
  }
}
