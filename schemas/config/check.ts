/**
 * What is wrong with the values of a configuration by themselves: Ajv checks them against the
 * table, and each of its errors becomes one sentence. Pure.
 *
 * Invariant: an error repeats no value of a setting that is `writeOnly` or shown as written, and no
 * key that is not a name.
 */
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { hidden } from '../config-secrets.ts';
import { partName } from '../json-pointer.ts';
import type { ConfigDocument, Fault, Scalars, Segments } from './document.ts';
import { textFormats } from './formats.ts';
import { nearest } from './nearest.ts';
import type { SettingSchema } from './setting.ts';
import { expectedOf } from './setting.ts';

/** Compiles the table once. */
export function configCheck(table: SettingSchema): (document: ConfigDocument) => readonly Fault[] {
  let validate: ValidateFunction | undefined;
  return (document) => {
    validate ??= compile(table);
    if (validate(document.values)) return [];
    const rank = ({ keyword }: ErrorObject): number => (keyword === 'additionalProperties' ? 0 : 1);
    const errors = (validate.errors ?? []).toSorted((a, b) => rank(a) - rank(b));
    const faults = errors.flatMap((error) => faultOf(error, document) ?? []);
    const told = new Set<string>();
    return faults.filter(({ segments, message }) => {
      const key = JSON.stringify([segments, message]);
      return !told.has(key) && told.add(key);
    });
  };
}

/** Whether a value is one that the setting accepts. */
export function fitsSetting(schema: SettingSchema, value: unknown): boolean {
  return compile(schema)(value);
}

function compile(table: SettingSchema): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    ownProperties: true,
    strict: true,
    // A test checks the table against the schema of schemas.
    validateSchema: false,
    code: { optimize: false },
  });
  for (const keyword of ['unit', 'as', 'expected', 'shown']) ajv.addKeyword({ keyword });
  for (const [name, { fits }] of Object.entries(textFormats)) ajv.addFormat(name, fits);
  return ajv.compile(table);
}

/** Undefined for what another error says as well. */
function faultOf(error: ErrorObject, document: ConfigDocument): Fault | undefined {
  const { keyword, params, data, propertyName } = error;
  const schema = error.parentSchema as unknown as SettingSchema;
  const segments = segmentsOf(error.instancePath, document.values);
  const place = document.placeOf(segments);
  switch (keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const at = document.placeOf([...segments, key], 'key');
      // First of its map: a key that is missing is often one that is misspelt.
      return {
        place: at,
        listedAt: place,
        ...unknownKey(segments, key, Object.keys(schema.properties ?? {})),
      };
    }
    case 'required': {
      const key = String(params['missingProperty']);
      const missing = schema.properties?.[key] as SettingSchema;
      return {
        segments: [...segments, key],
        place,
        message: 'is missing',
        expected: expectedOf(missing),
      };
    }
    case 'propertyNames': {
      const named = [...segments, String(params['propertyName'])];
      const expected = schema.propertyNames?.expected ?? 'a name';
      return {
        segments: named,
        place: document.placeOf(named, 'key'),
        message: 'invalid name',
        expected,
      };
    }
    default:
      if (propertyName !== undefined) return undefined;
      return {
        segments,
        place,
        message: messageOf(data, schema),
        expected: boundOf(error, schema),
      };
  }
}

function messageOf(data: unknown, schema: SettingSchema): string {
  if (data === null) return 'has no value';
  if (typeof data === 'symbol') return `got ${data.description}`;
  if (Array.isArray(data)) return schema.type === 'array' ? 'is an empty list' : 'got a list';
  if (typeof data === 'object') return 'got a map';
  // It may be a secret that stands in the wrong place.
  if (schema.type === 'array' || schema.type === 'object')
    return `got ${typeof data === 'string' ? 'text' : `a ${typeof data}`}`;
  const isHidden = schema.writeOnly === true || schema.shown !== undefined;
  if (isHidden && data !== '') return 'invalid value';
  if (data === '') return 'is empty';
  return `invalid value ${typeof data === 'string' ? `'${data}'` : String(data as Scalars)}`;
}

function boundOf({ keyword, params }: ErrorObject, schema: SettingSchema): string {
  return keyword === 'maxLength'
    ? `at most ${String(params['limit'])} characters`
    : expectedOf(schema);
}

function unknownKey(
  segments: Segments,
  key: string,
  known: readonly string[],
): Pick<Fault, 'segments' | 'message' | 'expected'> {
  const near = nearest(key, known);
  const all = known.join(', ');
  return {
    // What is not a name at all may be a value that stands in the wrong place.
    segments: [...segments, /^[\w.-]{1,64}$/.test(key) ? key : hidden],
    message: 'unknown key',
    expected:
      near === undefined ? `one of ${all}` : `'${near}' (did you mean that?) or another of ${all}`,
  };
}

/** Parts of a pointer are numbers where the value has a list there. */
function segmentsOf(pointer: string, values: unknown): Segments {
  let at = values;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const segment = Array.isArray(at) ? Number(part) : partName(part);
      at = (at as Readonly<Record<string | number, unknown>>)[segment];
      return segment;
    });
}
