/**
 * The table as a JSON Schema for editors: what `sluice config schema` prints. A setting may also be
 * a text with `${NAME}`, and a map may be left without a value. Pure.
 */
import type { JsonSchema } from '../registry.ts';
import { textFormats } from './formats.ts';
import type { SettingSchema } from './setting.ts';
import { expectedOf } from './setting.ts';

const fromEnvironment = { $ref: '#/$defs/fromEnvironment' };

/** A JSON Schema of draft 2020-12 without keywords of our own but `x-unit`. */
export function editorSchema(table: SettingSchema): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Sluice',
    ...forEditors(table),
    $defs: {
      fromEnvironment: {
        type: 'string',
        pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}',
        description: '${NAME} or ${NAME:-default}: taken from the environment.',
      },
    },
  };
}

function forEditors(schema: SettingSchema): JsonSchema {
  const { properties, items, additionalProperties: one, propertyNames, ...rest } = schema;
  const { unit, as: _as, expected: _expected, shown: _shown, format: _format, ...known } = rest;
  const described = { ...known, description: describedFor(schema) };
  if (properties !== undefined)
    return {
      ...described,
      type: ['object', 'null'],
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, member]) => [key, forEditors(member)]),
      ),
    };
  if (items !== undefined) return { ...described, items: forEditors(items) };
  if (one !== undefined && one !== false) {
    const pattern = propertyNames?.pattern;
    return {
      ...described,
      type: ['object', 'null'],
      ...(pattern === undefined ? {} : { propertyNames: { pattern } }),
      additionalProperties: forEditors(one),
    };
  }
  const { description, default: byDefault, examples, writeOnly, ...checks } = described;
  return {
    description,
    ...(unit === undefined ? {} : { 'x-unit': unit }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(examples === undefined ? {} : { examples }),
    ...(writeOnly === undefined ? {} : { writeOnly }),
    anyOf: [checks, fromEnvironment],
  };
}

/** What an editor shows beside a setting: with its unit, and with what no keyword says. */
function describedFor(schema: SettingSchema): string {
  const { description, unit, format, pattern } = schema;
  const isInWords = pattern !== undefined || (format !== undefined && format in textFormats);
  return [
    description,
    ...(unit === undefined ? [] : [`Unit: ${unit}.`]),
    ...(isInWords && format !== 'file' ? [`Expected: ${expectedOf(schema)}.`] : []),
  ].join(' ');
}
