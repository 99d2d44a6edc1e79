/**
 * From checked values to effective ones: defaults, names and units as the code has them, and where
 * each value came from. Pure.
 */
import { resolve } from 'node:path';
import type { ConfigDocument, Scalars, Segments } from './document.ts';
import { pathOf } from './path.ts';
import type { SettingSchema, ValueOf } from './setting.ts';
import { factors, nameOf } from './setting.ts';

/** An effective value and where it came from. */
export interface ConfigOrigin {
  readonly path: string;
  readonly value: Scalars;
  /** `file:line`, `environment NAME (file:line)` or `default`. */
  readonly from: string;
}

/**
 * A setting that the configuration could have there; `origin` is undefined of one without a value.
 */
export interface ExplainedSetting {
  readonly path: string;
  readonly schema: SettingSchema;
  readonly origin: ConfigOrigin | undefined;
}

export interface Effective<S extends SettingSchema> {
  readonly values: ValueOf<S>;
  readonly settings: readonly ExplainedSetting[];
}

/** `document` fits `table`. Paths of files are resolved against `baseDir`. */
export function effectiveValues<S extends SettingSchema>(
  table: S,
  document: ConfigDocument,
  baseDir: string,
): Effective<S> {
  const settings: ExplainedSetting[] = [];
  const read = (schema: SettingSchema, value: unknown, segments: Segments): unknown => {
    const { properties, items, additionalProperties: one } = schema;
    if (properties !== undefined)
      return Object.fromEntries(
        Object.entries(properties).map(([key, member]) => [
          nameOf(key, member),
          read(member, (value as Members | undefined)?.[key], [...segments, key]),
        ]),
      );
    if (items !== undefined)
      return ((value ?? schema.default) as readonly unknown[] | undefined)?.map((item, index) =>
        read(items, item, [...segments, index]),
      );
    if (one !== undefined && one !== false)
      return Object.fromEntries(
        Object.entries((value ?? {}) as Members).map(([key, member]) => [
          key,
          read(one, member, [...segments, key]),
        ]),
      );
    settings.push({ path: pathOf(segments), schema, origin: originOf(schema, segments, document) });
    return inUnits(schema, value ?? schema.default, baseDir);
  };
  return { values: read(table, document.values, []) as ValueOf<S>, settings };
}

/** What a group has where a file says nothing. */
export function defaultsOf<S extends SettingSchema>(schema: S): ValueOf<S> {
  const { properties, additionalProperties: one } = schema;
  if (properties === undefined)
    return (one === undefined ? inUnits(schema, schema.default, '') : {}) as ValueOf<S>;
  return Object.fromEntries(
    Object.entries(properties).map(([key, member]) => [nameOf(key, member), defaultsOf(member)]),
  ) as ValueOf<S>;
}

type Members = Readonly<Record<string, unknown>>;

function originOf(
  schema: SettingSchema,
  segments: Segments,
  document: ConfigDocument,
): ConfigOrigin | undefined {
  const path = pathOf(segments);
  const given = document.given(segments);
  if (given !== undefined) return { path, value: given.shown, from: given.from };
  if (schema.default === undefined) return undefined;
  return { path, value: schema.default as Scalars, from: 'default' };
}

function inUnits({ unit, format }: SettingSchema, value: unknown, baseDir: string): unknown {
  if (typeof value === 'number' && unit !== undefined) return value * (factors[unit] ?? 1);
  return typeof value === 'string' && format === 'file' ? resolve(baseDir, value) : value;
}
