/**
 * From YAML text to the effective configuration: interpolation, types, defaults and combinations,
 * every problem at once with its line. Pure but for `loadConfig`, which reads the file.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Document, Node, Pair, Scalar } from 'yaml';
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { EventPointers, HttpLookupConfig, SluiceConfig, StreamConfig } from './config.ts';
import { ledgerStream } from './config.ts';
import type { AccessConfig, JwtConfig, KeyConfig } from './config-access.ts';
import {
  jwtFields,
  keyFields,
  originField,
  patternField,
  quotaFields,
  quotaOf,
} from './config-access.ts';
import { findCombinations, offsetOf } from './config-combinations.ts';
import type { Field, FieldValue } from './config-fields.ts';
import { expectedOf, nearest, problemOf, shownOf } from './config-fields.ts';
import { ingressOf } from './config-ingress.ts';
import { headerField, headerNameExpected, isHeaderName, lookupFields } from './config-lookups.ts';
import { hidden, maskAddresses } from './config-secrets.ts';
import {
  eventFields,
  hostField,
  isName,
  metricsOf,
  nameExpected,
  sections,
  streamFields,
} from './config-sections.ts';
import {
  deliveryStreamField,
  isTable,
  serviceSections,
  servicesOf,
  tableExpected,
} from './config-services.ts';
import { clientContextOf, contextFields } from './config-stream.ts';
import { messageOf, SluiceError } from './kernel/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `streams[0].team` */
  readonly path: string;
  readonly message: string;
  readonly expected: string;
}

/** An effective value and where it came from. */
export interface ConfigOrigin {
  readonly path: string;
  readonly value: FieldValue;
  /** `file:line`, `environment NAME (file:line)` or `default`. */
  readonly from: string;
}

export type ConfigResult =
  | {
      readonly ok: true;
      readonly config: SluiceConfig;
      readonly origins: readonly ConfigOrigin[];
      /** What is shown in place of values that must not be, by value. */
      readonly masked: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

export function parseConfig(
  text: string,
  options: { readonly file: string; readonly env: Environment; readonly baseDir: string },
): ConfigResult {
  return new ConfigReader(text, options.file, options.env).read(options.baseDir);
}

/** Throws `SluiceError` `config-missing`, `config-invalid`; the message has one line a problem. */
export function loadConfig(file: string, env: Environment): SluiceConfig {
  const result = readConfig(file, env);
  if (result.ok) return result.config;
  throw new SluiceError('config-invalid', result.problems.map(problemLine).join('\n'), {
    fix: `mend ${file}; \`sluice config check ${file}\` looks again`,
  });
}

/** Throws `SluiceError` `config-missing`. */
export function readConfig(file: string, env: Environment): ConfigResult {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'config-missing',
      `the configuration ${file} cannot be read: ${messageOf(cause)}`,
      {
        cause,
        fix: 'name another with --config',
      },
    );
  }
  return parseConfig(text, { file, env, baseDir: dirname(resolve(file)) });
}

export function problemLine(problem: ConfigProblem): string {
  const where = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}:${problem.line}: ${where}${problem.message}; expected ${problem.expected}`;
}

const allSections = { ...sections, ...serviceSections };
/** What a section has beside plain fields. */
const furtherOf: Readonly<Record<string, readonly string[]>> = {
  ingress: ['origins'],
  metrics: ['hosts'],
  firehose: ['tables'],
};

class ConfigReader {
  readonly #file: string;
  readonly #env: Environment;
  readonly #endsInLineBreak: boolean;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #problems: ConfigProblem[] = [];
  readonly #origins: ConfigOrigin[] = [];
  readonly #masked = new Map<string, string>();

  constructor(text: string, file: string, env: Environment) {
    this.#file = file;
    this.#env = env;
    this.#endsInLineBreak = text.endsWith('\n');
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
  }

  read(baseDir: string): ConfigResult {
    for (const error of this.#document.errors)
      this.#problem(error.pos[0], '', yamlFault(error.message), 'YAML');
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems };
    const root = this.#entries(this.#document.contents, '', [
      'streams',
      'topologies',
      'lookups',
      'keys',
      'jwt',
      ...Object.keys(allSections),
    ]);
    const streams = this.#items(root.get('streams'), 'streams').map((node, index) =>
      this.#stream(node, `streams[${index}]`, baseDir),
    );
    if (root.get('streams') === undefined)
      this.#problem(0, 'streams', 'it is missing', 'a list of streams with team and app');
    else if (streams.length === 0)
      this.#problem(offsetOf(root.get('streams')), 'streams', 'it is empty', 'at least one stream');
    const values = Object.fromEntries(
      Object.entries(allSections).map(([section, fields]) => {
        const entries = this.#entries(root.get(section), section, [
          ...Object.keys(fields),
          ...(furtherOf[section] ?? []),
        ]);
        return [section, this.#values(entries, section, fields, offsetOf(root.get(section)))];
      }),
    );
    const ingressEntries = this.#peek(root.get('ingress'), 'origins');
    const access: AccessConfig = {
      keys: this.#items(root.get('keys'), 'keys').map((node, index) =>
        this.#key(node, `keys[${index}]`),
      ),
      jwt: this.#items(root.get('jwt'), 'jwt').map((node, index) =>
        this.#issuer(node, `jwt[${index}]`, baseDir),
      ),
      sections: { keys: root.has('keys'), jwt: root.has('jwt') },
      openOrigins:
        ingressEntries === undefined
          ? undefined
          : this.#texts(ingressEntries, 'ingress.origins', originField),
      openSegmentStream: (values['ingress']?.['segment_stream'] as string) || undefined,
    };
    const topologies = this.#items(root.get('topologies'), 'topologies').map((node, index) => {
      const value = this.#value(node, `topologies[${index}]`, { type: 'string' });
      return resolve(baseDir, String(value));
    });
    const lookups = this.#lookups(root.get('lookups'));
    const tables = this.#named(
      this.#peek(root.get('firehose'), 'tables'),
      'firehose.tables',
      isTable,
      tableExpected,
    ).map(
      ([table, node]) =>
        [
          table,
          String(this.#value(node, `firehose.tables.${table}`, deliveryStreamField)),
        ] as const,
    );
    const config: SluiceConfig = {
      file: this.#file,
      endsInLineBreak: this.#endsInLineBreak,
      streams,
      ...ingressOf(values as Parameters<typeof ingressOf>[0], (file) => resolve(baseDir, file)),
      metrics: metricsOf(
        values['metrics'],
        this.#texts(this.#peek(root.get('metrics'), 'hosts'), 'metrics.hosts', hostField),
      ),
      ...servicesOf(
        values as Parameters<typeof servicesOf>[0],
        Object.fromEntries(tables),
        (file) => resolve(baseDir, file),
      ),
      access,
      lookups,
      topologies,
    };
    if (values['neo4j']?.['password'] !== '' && values['neo4j']?.['password_file'] !== '')
      this.#problem(
        offsetOf(root.get('neo4j')),
        'neo4j.password',
        'the password must come from one place',
        'password or password_file',
      );
    if (this.#problems.length === 0)
      for (const found of findCombinations(config, root)) this.#problem(...found);
    return this.#problems.length > 0
      ? { ok: false, problems: this.#problems }
      : { ok: true, config, origins: this.#origins, masked: this.#masked };
  }

  #stream(node: Node, path: string, baseDir: string): StreamConfig {
    const entries = this.#entries(node, path, [
      ...Object.keys(streamFields),
      'event',
      'quota',
      'context',
    ]);
    const values = this.#values(entries, path, streamFields, offsetOf(node));
    const event = this.#fields(entries.get('event'), `${path}.event`, eventFields);
    const quota = quotaOf(this.#fields(entries.get('quota'), `${path}.quota`, quotaFields));
    const context = clientContextOf(
      this.#fields(entries.get('context'), `${path}.context`, contextFields),
    );
    const team = String(values['team']);
    if (team === ledgerStream.team)
      this.#problem(
        offsetOf(entries.get('team')),
        `${path}.team`,
        'it is reserved',
        'another name',
      );
    const app = String(values['app']);
    const physical = `${team}-${app}`;
    const given = Object.entries(event).filter(([, value]) => value !== '');
    if (values['envelope'] === 'sluice' && given.length > 0) {
      this.#problem(
        offsetOf(entries.get('event')),
        `${path}.event`,
        'the envelope `sluice` carries the attributes itself',
        'either event pointers or envelope: sluice',
      );
    }
    if (values['ack'] !== 'replicated' && entries.has('when_down')) {
      this.#problem(
        offsetOf(entries.get('when_down')),
        `${path}.when_down`,
        `the ack '${values['ack']}' does not wait for the stream`,
        'when_down only with ack: replicated',
      );
    }
    const [validate, schema] = [String(values['validate']), String(values['schema'])];
    if ((validate === 'none') !== (schema === '')) {
      const missing = schema === '' ? 'schema' : 'validate';
      this.#problem(
        offsetOf(node),
        `${path}.${missing}`,
        'it is missing',
        '`validate: warn` or `reject` together with `schema: FILE`',
      );
    }
    return {
      team,
      app,
      name: `${team}/${app}`,
      kinesisStream: String(values['kinesis_stream'] || physical),
      kafkaTopic: String(values['kafka_topic'] || physical),
      envelope: values['envelope'] as StreamConfig['envelope'],
      event: Object.fromEntries(given) as EventPointers,
      ack: values['ack'] as StreamConfig['ack'],
      whenDown: values['when_down'] as StreamConfig['whenDown'],
      order: values['order'] as StreamConfig['order'],
      aggregate: values['aggregate'] as StreamConfig['aggregate'],
      ...(quota === undefined ? {} : { quota }),
      ...(context === undefined ? {} : { context }),
      ...(validate === 'none'
        ? {}
        : {
            validate: { mode: validate as 'warn' | 'reject', schemaFile: resolve(baseDir, schema) },
          }),
    };
  }

  #key(node: Node, path: string): KeyConfig {
    const entries = this.#entries(node, path, [...Object.keys(keyFields), 'streams', 'origins']);
    const values = this.#values(entries, path, keyFields, offsetOf(node));
    const streams = this.#texts(entries.get('streams'), `${path}.streams`, patternField);
    if (streams.length === 0)
      this.#problem(
        offsetOf(node),
        `${path}.streams`,
        'it names none',
        'at least one of team/app, team/* or */*',
      );
    return {
      name: String(values['name']),
      sha256: String(values['sha256']),
      streams,
      origins: this.#texts(entries.get('origins'), `${path}.origins`, originField),
      segmentStream: String(values['segment_stream']) || undefined,
      quota: quotaOf(values),
    };
  }

  #issuer(node: Node, path: string, baseDir: string): JwtConfig {
    const entries = this.#entries(node, path, [...Object.keys(jwtFields), 'origins']);
    const values = this.#values(entries, path, jwtFields, offsetOf(node));
    const [url, file] = [String(values['jwks_url']), String(values['jwks_file'])];
    if ((url === '') === (file === ''))
      this.#problem(
        offsetOf(node),
        path,
        'the keys must come from one place',
        'jwks_url or jwks_file',
      );
    return {
      issuer: String(values['issuer']),
      audience: String(values['audience']),
      jwks: url === '' ? { file: resolve(baseDir, file) } : { url },
      streamsClaim: String(values['streams_claim']),
      identityClaim: String(values['identity_claim']),
      ...(values['segment_stream'] === ''
        ? {}
        : { segmentStream: String(values['segment_stream']) }),
      origins: this.#texts(entries.get('origins'), `${path}.origins`, originField),
      quota: quotaOf(values),
    };
  }

  #texts(node: Node | undefined, path: string, field: Field): readonly string[] {
    return this.#items(node, path).map((item, index) =>
      String(this.#value(item, `${path}[${index}]`, field)),
    );
  }

  #peek(node: Node | undefined, key: string): Node | undefined {
    return isMap(node) ? ((node.get(key, true) as Node | undefined) ?? undefined) : undefined;
  }

  #lookups(node: Node | undefined): SluiceConfig['lookups'] {
    const read = ([key, definition]: readonly [string, Node | undefined]): readonly [
      string,
      HttpLookupConfig,
    ] => {
      const path = `lookups.${key}`;
      const entries = this.#entries(definition, path, [...Object.keys(lookupFields), 'headers']);
      const { url } = this.#values(entries, path, lookupFields, offsetOf(definition));
      const headers = this.#named(
        entries.get('headers'),
        `${path}.headers`,
        isHeaderName,
        headerNameExpected,
      ).map(
        ([header, value]) =>
          [
            header.toLowerCase(),
            String(this.#value(value, `${path}.headers.${header}`, headerField)),
          ] as const,
      );
      return [key, { url: String(url), headers: Object.fromEntries(headers) }];
    };
    return Object.fromEntries(this.#named(node, 'lookups', isName, nameExpected).map(read));
  }

  #fields(
    node: Node | undefined,
    path: string,
    fields: Readonly<Record<string, Field>>,
  ): Record<string, FieldValue> {
    return this.#values(
      this.#entries(node, path, Object.keys(fields)),
      path,
      fields,
      offsetOf(node),
    );
  }

  #values(
    entries: ReadonlyMap<string, Node | undefined>,
    path: string,
    fields: Readonly<Record<string, Field>>,
    at: number,
  ): Record<string, FieldValue> {
    const values: Record<string, FieldValue> = {};
    for (const [key, field] of Object.entries(fields)) {
      const full = `${path}.${key}`;
      if (entries.has(key)) values[key] = this.#value(entries.get(key), full, field);
      else if (field.default === undefined)
        this.#problem(at, full, 'it is missing', expectedOf(field));
      else {
        values[key] = field.default;
        if (field.default !== '')
          this.#origins.push({ path: full, value: field.default, from: 'default' });
      }
    }
    return values;
  }

  #value(node: Node | undefined, path: string, field: Field): FieldValue {
    const at = offsetOf(node);
    if (!isScalar(node) || node.value === null) {
      this.#problem(
        at,
        path,
        isScalar(node) || node === undefined ? 'it has no value' : 'it is a list or a map',
        expectedOf(field),
      );
      return field.type === 'integer' ? 0 : field.type === 'boolean' ? false : '';
    }
    const { value, variable } = this.#interpolate(node, path);
    const found = variable === undefined ? value : typed(value, field);
    // A variable that is empty leaves out what may be left out.
    const problem =
      found === '' && variable !== undefined && field.default === ''
        ? undefined
        : problemOf(found, field, path);
    const shown = shownOf(path, found, variable === undefined ? undefined : node.value, field);
    if (typeof found === 'string' && found !== '' && shown !== found)
      this.#masked.set(found, String(shown));
    if (problem !== undefined) this.#problem(at, path, problem, expectedOf(field));
    const { line } = this.#lines.linePos(at);
    const where = `${this.#file}:${line}`;
    this.#origins.push({
      path,
      value: shown as FieldValue,
      from: variable === undefined ? where : `environment ${variable} (${where})`,
    });
    return found as FieldValue;
  }

  /** `${NAME}` and `${NAME:-default}` inside a string. */
  #interpolate(node: Scalar, path: string): { value: unknown; variable?: string } {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return { value: node.value };
    let variable = '';
    const value = node.value.replaceAll(
      /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
      (_whole, key: string, fallback?: string) => {
        variable = key;
        const found = this.#env[key] ?? fallback;
        if (found === undefined)
          this.#problem(
            offsetOf(node),
            path,
            `the environment has no ${key}`,
            `${key} in the environment, or \${${key}:-default}`,
          );
        return found ?? '';
      },
    );
    return variable === '' ? { value } : { value, variable };
  }

  #entries(
    node: Node | null | undefined,
    path: string,
    known: readonly string[],
  ): ReadonlyMap<string, Node | undefined> {
    const entries = new Map<string, Node | undefined>();
    if (node === undefined || node === null) return entries;
    if (isScalar(node) && node.value === null) return entries;
    if (!isMap(node)) {
      this.#problem(offsetOf(node), path, 'it is no map', `a map of ${known.join(', ')}`);
      return entries;
    }
    for (const pair of node.items) {
      if (!isPair(pair)) continue;
      const key = String((pair as Pair<Scalar>).key.value);
      if (known.includes(key)) entries.set(key, (pair.value as Node | null) ?? undefined);
      else {
        const near = nearest(key, known);
        const hint =
          near === undefined
            ? `one of ${known.join(', ')}`
            : `'${near}' (did you mean that?) or another of ${known.join(', ')}`;
        // What is no name at all may be a value that stands in the wrong place.
        const told = /^[\w.-]{1,64}$/.test(key) ? key : hidden;
        this.#problem(
          offsetOf(pair.key as Node),
          path === '' ? told : `${path}.${told}`,
          'the key is unknown',
          hint,
        );
      }
    }
    return entries;
  }

  /** A map whose keys are names that the author chooses. */
  #named(
    node: Node | undefined,
    path: string,
    fits: (key: string) => boolean,
    expected: string,
  ): readonly (readonly [string, Node | undefined])[] {
    if (node === undefined || (isScalar(node) && node.value === null)) return [];
    if (!isMap(node)) {
      this.#problem(offsetOf(node), path, 'it is no map', 'a map by name');
      return [];
    }
    const keys = node.items.map(({ key }) => String((key as Scalar).value));
    const taken = new Set<string>();
    for (const [index, key] of keys.entries()) {
      const at = offsetOf(node.items[index]?.key as Node);
      if (!fits(key)) this.#problem(at, `${path}.${key}`, 'that is no name for it', expected);
      else if (taken.has(key.toLowerCase()))
        this.#problem(at, `${path}.${key}`, 'it is there already', 'each name once, in any case');
      taken.add(key.toLowerCase());
    }
    return node.items.map(({ value }, index) => [
      keys[index] as string,
      (value as Node | null) ?? undefined,
    ]);
  }

  #items(node: Node | undefined, path: string): readonly Node[] {
    if (node === undefined) return [];
    if (isSeq(node)) return node.items as Node[];
    this.#problem(offsetOf(node), path, 'it is no list', 'a list');
    return [];
  }

  #problem(offset: number, path: string, message: string, expected: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const [where, what] = [maskAddresses(path), maskAddresses(message)];
    this.#problems.push({
      file: this.#file,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      path: where,
      message: what,
      expected,
    });
  }
}

/** What the parser says, without the part of the text that it repeats: that may be a secret. */
function yamlFault(message: string): string {
  const [line = ''] = message.split('\n');
  return line.replace(/(?:: |, so |(?<=Invalid escape sequence) ).*$/, '') || 'it cannot be read';
}

/** The text of an environment variable as what the field takes. */
function typed(value: unknown, { type }: Field): unknown {
  if (type === 'integer' && typeof value === 'string' && /^-?\d+$/.test(value))
    return Number(value);
  return type === 'boolean' && (value === 'true' || value === 'false') ? value === 'true' : value;
}
