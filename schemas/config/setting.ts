/**
 * The words in which the table of the configuration is written: JSON Schema (2020-12) with
 * descriptions, defaults and examples, and a few annotations of our own:
 *
 * | keyword | what it says |
 * |---|---|
 * | `unit` | of a number; KiB and MiB become bytes, s and h become milliseconds |
 * | `as` | the name in the effective configuration, where it is not the key in camel case |
 * | `expected` | what a value must be, in words, where the other keywords do not say it |
 * | `shown: 'written'` | people see the text of the file, not what the environment put into it |
 * | `writeOnly: true` | a secret: shown by nothing (JSON Schema's own keyword) |
 *
 * A text with `format: file` is a path relative to the configuration. The types of the effective
 * configuration are derived here, so they cannot be older than the table.
 */

export type Unit =
  | 'KiB'
  | 'MiB'
  | 'ms'
  | 's'
  | 'h'
  | 'events'
  | 'events/s'
  | 'requests'
  | 'requests/s';

/** What a number is multiplied by: sizes are bytes, and times milliseconds, in the code. */
export const factors: Readonly<Partial<Record<Unit, number>>> = {
  KiB: 1_024,
  MiB: 1_048_576,
  s: 1_000,
  h: 3_600_000,
};

export interface SettingSchema {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'object';
  readonly description: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly unit?: Unit;
  readonly as?: string;
  readonly expected?: string;
  readonly shown?: 'written';
  readonly writeOnly?: true;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: string;
  readonly maxLength?: number;
  readonly items?: SettingSchema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | SettingSchema;
  readonly propertyNames?: Readonly<{ expected: string; pattern?: string; format?: string }>;
}

type Words = Omit<SettingSchema, 'type'>;

/** A text that is not empty. */
export const text = <const S extends Words>(words: S) =>
  ({ type: 'string', minLength: 1, ...words }) as const;
/** One of several words. */
export const choice = <const S extends Words & { readonly enum: readonly string[] }>(words: S) =>
  ({ type: 'string', ...words }) as const;
/** A whole number within bounds. */
export const whole = <
  const S extends Words & { readonly minimum: number; readonly maximum: number },
>(
  words: S,
) => ({ type: 'integer', ...words }) as const;
export const flag = <const S extends Words>(words: S) => ({ type: 'boolean', ...words }) as const;
export const list = <const S extends Words & { readonly items: SettingSchema }>(words: S) =>
  ({ type: 'array', ...words }) as const;
/** A map with known keys. */
export const group = <
  const S extends Words & { readonly properties: Readonly<Record<string, SettingSchema>> },
>(
  words: S,
) => ({ type: 'object', additionalProperties: false, ...words }) as const;
/** A map whose keys are names that the author chooses. */
export const named = <
  const S extends Words & {
    readonly additionalProperties: SettingSchema;
    readonly propertyNames: NonNullable<SettingSchema['propertyNames']>;
  },
>(
  words: S,
) => ({ type: 'object', ...words }) as const;

type CamelCase<K extends string> = K extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : K;
type NameOf<K, S> = S extends { readonly as: infer Name extends string }
  ? Name
  : CamelCase<K & string>;
/** What is there although the file says nothing of it. */
type Always = { readonly default: unknown } | { readonly type: 'object' };

/** The effective value of a setting; of a group its members by their names in the code. */
export type ValueOf<S> = S extends { readonly enum: readonly (infer One)[] }
  ? One
  : S extends { readonly type: 'integer' }
    ? number
    : S extends { readonly type: 'boolean' }
      ? boolean
      : S extends { readonly items: infer Item }
        ? readonly ValueOf<Item>[]
        : S extends { readonly properties: infer Members }
          ? GroupOf<Members, S extends { readonly required: readonly (infer R)[] } ? R : never>
          : S extends { readonly additionalProperties: infer One extends SettingSchema }
            ? Readonly<Record<string, ValueOf<One>>>
            : string;

/** Keys of members that have a value in any case. */
type Present<Members, Required> = {
  [K in keyof Members]: K extends Required ? K : Members[K] extends Always ? K : never;
}[keyof Members];
type GroupOf<Members, Required> = {
  readonly [K in Present<Members, Required> as NameOf<K, Members[K]>]: ValueOf<Members[K]>;
} & {
  readonly [K in Exclude<keyof Members, Present<Members, Required>> as NameOf<K, Members[K]>]?:
    | ValueOf<Members[K]>
    | undefined;
};

/** `body_max_mb` with `as: bodyMaxBytes` is `bodyMaxBytes`; `log_level` is `logLevel`. */
export function nameOf(key: string, { as }: SettingSchema): string {
  return as ?? key.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

/** What a value of the setting must be, in words. */
export function expectedOf(schema: SettingSchema): string {
  const { type, expected, properties, minimum, maximum } = schema;
  if (expected !== undefined) return expected;
  if (schema.enum !== undefined) return schema.enum.join(' or ');
  if (type === 'integer') return `a whole number from ${minimum} to ${maximum}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return 'a list';
  if (type === 'string') return 'text';
  return properties === undefined
    ? 'a map by name'
    : `a map of ${Object.keys(properties).join(', ')}`;
}

/** Every setting of the table with its place; `*` is any one name or place in a list. */
export function* settingsOf(
  schema: SettingSchema,
  place: readonly string[] = [],
): Iterable<readonly [place: readonly string[], schema: SettingSchema]> {
  const { properties = {}, items, additionalProperties: one } = schema;
  if (schema.type !== 'object' && schema.type !== 'array') yield [place, schema];
  for (const [key, member] of Object.entries(properties))
    yield* settingsOf(member, [...place, key]);
  if (items !== undefined) yield* settingsOf(items, [...place, '*']);
  if (one !== undefined && one !== false) yield* settingsOf(one, [...place, '*']);
}
