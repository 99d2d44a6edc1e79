/**
 * From the text of a configuration to plain values, each with its place: YAML is parsed, and what
 * comes from the environment is put in. Pure; judges nothing but YAML itself and missing variables.
 *
 * Invariants:
 * 1. A map without a value is an empty map. A setting that may be left out is left out by a
 *    variable that is empty.
 * 2. What is neither a plain scalar nor a list nor a map (an alias, a value with a tag) is a symbol
 *    with its name: it fits no setting.
 * 3. What may not be shown of a value leaves this file in `shown` and `masked` only in its masked
 *    form.
 */
import type { Node, Pair, Scalar } from 'yaml';
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { hidden, maskAddresses } from '../config-secrets.ts';
import { pointerPart } from '../json-pointer.ts';
import type { SettingSchema } from './setting.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Scalars = string | number | boolean;
/** Names of members and places in lists, from the root. */
export type Segments = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A value that the file gives. */
interface Given {
  /** What may be shown of it. */
  readonly shown: Scalars;
  /** `file:line`, or `environment NAME (file:line)`. */
  readonly from: string;
}

export interface Fault {
  readonly segments: Segments;
  readonly place: Place;
  /** By which it is listed, where that is not `place`. */
  readonly listedAt?: Place;
  readonly message: string;
  readonly expected: string;
}

export class ConfigDocument {
  readonly values: unknown;
  readonly faults: Fault[] = [];
  /** What is shown in place of values that must not be, by value. */
  readonly masked = new Map<string, string>();
  readonly #file: string;
  readonly #env: Environment;
  readonly #lines = new LineCounter();
  readonly #places = new Map<string, { readonly value: number; readonly key: number }>();
  readonly #given = new Map<string, Given>();
  /** Names of variables; whether all settings that use one are secrets. */
  readonly #variables = new Map<string, boolean>();

  constructor(
    text: string,
    schema: SettingSchema,
    options: { readonly file: string; readonly env: Environment },
  ) {
    this.#file = options.file;
    this.#env = options.env;
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    for (const { pos, message } of document.errors)
      this.faults.push({
        segments: [],
        place: this.#placeAt(pos[0]),
        message: yamlFault(message),
        expected: 'valid YAML',
      });
    this.values = this.faults.length > 0 ? {} : this.#read(document.contents, schema, [], 0, false);
  }

  /** Of a value, of its key, or of the innermost map or list around it that is there. */
  placeOf(segments: Segments, of: 'value' | 'key' = 'value'): Place {
    const found = this.#places.get(pointerOf(segments));
    if (found !== undefined) return this.#placeAt(found[of]);
    return segments.length === 0 ? this.#placeAt(0) : this.placeOf(segments.slice(0, -1));
  }

  /** Undefined where the file says nothing of the setting. */
  given(segments: Segments): Given | undefined {
    return this.#given.get(pointerOf(segments));
  }

  has(segments: Segments): boolean {
    return this.#places.has(pointerOf(segments));
  }

  /** Names of the variables that are used by secrets (`writeOnly`) alone. */
  get secretVariables(): ReadonlySet<string> {
    return new Set([...this.#variables].flatMap(([name, isSecret]) => (isSecret ? name : [])));
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #read(
    node: Node | null,
    schema: SettingSchema | undefined,
    segments: Segments,
    keyOffset: number,
    isOptional: boolean,
  ): unknown {
    const offset = node?.range?.[0] ?? keyOffset;
    this.#places.set(pointerOf(segments), { value: offset, key: keyOffset });
    const isEmpty = node === null || (isScalar(node) && node.value === null);
    if (isEmpty) return schema?.type === 'object' ? {} : null;
    if (isMap(node)) return this.#readMap(node.items, schema, segments);
    if (isSeq(node))
      return node.items.map((item, index) =>
        this.#read(item as Node | null, schema?.items, [...segments, index], offset, false),
      );
    // What stands below an unknown key is not looked at.
    if (schema === undefined) return isScalar(node) ? node.value : null;
    if (!isScalar(node)) return Symbol('an alias');
    if (typeof node.value === 'object') return Symbol(`a value with the tag ${node.tag}`);
    const isSetting = schema.type !== 'object' && schema.type !== 'array';
    return isSetting ? this.#readScalar(node, schema, segments, isOptional) : node.value;
  }

  #readMap(
    pairs: readonly unknown[],
    schema: SettingSchema | undefined,
    segments: Segments,
  ): Readonly<Record<string, unknown>> {
    const members: [string, unknown][] = [];
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const { key: keyNode, value } = pair as Pair<Node | null, Node | null>;
      const key = String(isScalar(keyNode) ? keyNode.value : undefined);
      const found = this.#read(
        value,
        memberOf(schema, key),
        [...segments, key],
        keyNode?.range?.[0] ?? 0,
        isOptional(schema, key),
      );
      if (found !== undefined) members.push([key, found]);
    }
    return Object.fromEntries(members);
  }

  /** Undefined where an empty variable leaves the setting out. */
  #readScalar(
    node: Scalar,
    schema: SettingSchema,
    segments: Segments,
    isOptional: boolean,
  ): unknown {
    const { value, variable } = this.#interpolate(node, schema, segments);
    const found = variable === undefined ? value : typed(value, schema);
    const written = variable === undefined ? undefined : node.value;
    const shown = shownOf(schema, found, written);
    if (typeof found === 'string' && found !== '' && shown !== found)
      this.masked.set(found, String(shown));
    const { line } = this.#placeAt(node.range?.[0] ?? 0);
    const where = `${this.#file}:${line}`;
    this.#given.set(pointerOf(segments), {
      shown: shown as Scalars,
      from: variable === undefined ? where : `environment ${variable} (${where})`,
    });
    return found === '' && variable !== undefined && isOptional ? undefined : found;
  }

  /** `${NAME}` and `${NAME:-default}` inside a string. */
  #interpolate(
    node: Scalar,
    { writeOnly }: SettingSchema,
    segments: Segments,
  ): { value: unknown; variable?: string } {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return { value: node.value };
    let variable = '';
    const value = node.value.replaceAll(
      /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
      (_whole, key: string, fallback?: string) => {
        variable = key;
        this.#variables.set(key, writeOnly === true && (this.#variables.get(key) ?? true));
        const found = this.#env[key] ?? fallback;
        if (found === undefined)
          this.faults.push({
            segments,
            place: this.#placeAt(node.range?.[0] ?? 0),
            message: `the environment variable ${key} is not set`,
            expected: `${key} in the environment, or \${${key}:-default}`,
          });
        return found ?? '';
      },
    );
    return variable === '' ? { value } : { value, variable };
  }
}

/** Of a setting that is neither required nor has a default: an empty variable leaves it out. */
function isOptional(schema: SettingSchema | undefined, key: string): boolean {
  const { properties = {}, required = [] } = schema ?? {};
  return (
    Object.hasOwn(properties, key) &&
    properties[key]?.default === undefined &&
    !required.includes(key)
  );
}

function memberOf(schema: SettingSchema | undefined, key: string): SettingSchema | undefined {
  if (schema?.properties !== undefined)
    return Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
  const { additionalProperties: one } = schema ?? {};
  return one === false ? undefined : one;
}

function shownOf(schema: SettingSchema, value: unknown, written: unknown): unknown {
  if (schema.writeOnly === true) return hidden;
  const shown = schema.shown === 'written' && written !== undefined ? written : value;
  return typeof shown === 'string' ? maskAddresses(shown) : shown;
}

/** The text of an environment variable as what the setting accepts. */
function typed(value: unknown, { type }: SettingSchema): unknown {
  if (type === 'integer' && typeof value === 'string' && /^-?\d+$/.test(value))
    return Number(value);
  return type === 'boolean' && (value === 'true' || value === 'false') ? value === 'true' : value;
}

function pointerOf(segments: Segments): string {
  return segments.map((segment) => `/${pointerPart(String(segment))}`).join('');
}

/** What the parser says, without the part of the text that it repeats: that may be a secret. */
function yamlFault(message: string): string {
  const [line = ''] = message.split('\n');
  return line.replace(/(?:: |, so |(?<=Invalid escape sequence) ).*$/, '') || 'cannot be read';
}
