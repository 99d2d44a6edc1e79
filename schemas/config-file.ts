/**
 * From YAML text to the effective configuration: interpolation, types, defaults and combinations, every problem at once with its line.
 * Pure but for `loadConfig`, which reads the file.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Document, Node, Pair, Scalar } from 'yaml';
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { EventPointers, HttpLookupConfig, SluiceConfig, StreamConfig } from './config.ts';
import type { Field } from './config-fields.ts';
import { expectedOf, nearest, problemOf, shownOf } from './config-fields.ts';
import { headerField, headerNameExpected, isHeaderName, lookupFields } from './config-lookups.ts';
import { parsePointer } from './json-scan.ts';
import { messageOf, SluiceError } from './kernel/errors.ts';
import { limits } from './limits.ts';

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
  readonly value: string | number;
  /** `file:line`, `environment NAME (file:line)` or `default`. */
  readonly from: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: SluiceConfig; readonly origins: readonly ConfigOrigin[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

const mebi = 1_024 * 1_024;
const hourMs = 3_600_000;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const nameExpected = '1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit';
const isName = (value: string): boolean => namePattern.test(value);
const name = (value: string): string | undefined => (isName(value) ? undefined : nameExpected);
const pointer = (value: string): string | undefined =>
  value !== '' && parsePointer(value) !== undefined ? undefined : 'a JSON pointer such as /orderId (RFC 6901)';
const host = (value: string): string | undefined => (/^[A-Za-z0-9.:_-]+$/.test(value) ? undefined : 'a host name or address');

const streamFields: Readonly<Record<string, Field>> = {
  team: { type: 'string', check: name },
  app: { type: 'string', check: name },
  kinesis_stream: {
    type: 'string',
    default: '',
    check: (value) => (/^[A-Za-z0-9._-]{1,128}$/.test(value) ? undefined : '1 to 128 of A-Z a-z 0-9 . _ -'),
  },
  kafka_topic: {
    type: 'string',
    default: '',
    check: (value) => (/^[A-Za-z0-9._-]{1,249}$/.test(value) ? undefined : '1 to 249 of A-Z a-z 0-9 . _ -'),
  },
  envelope: { type: 'string', default: 'none', oneOf: ['none', 'sluice'] },
  ack: { type: 'string', default: 'replicated', oneOf: ['replicated'] },
};
const eventFields: Readonly<Record<string, Field>> = {
  id: { type: 'string', default: '', check: pointer },
  time: { type: 'string', default: '', check: pointer },
  key: { type: 'string', default: '', check: pointer },
  type: { type: 'string', default: '', check: pointer },
};
const sections: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  routing: { large_message_threshold_kb: { type: 'integer', default: limits.largeMessageThresholdBytes / 1_024, min: 1, max: 10_240 } },
  ingress: {
    host: { type: 'string', default: '127.0.0.1', check: host },
    port: { type: 'integer', default: 8_080, min: 0, max: 65_535 },
    body_max_mb: { type: 'integer', default: limits.bodyMaxBytes / mebi, min: 1, max: 256 },
    body_decoded_max_mb: { type: 'integer', default: limits.bodyDecodedMaxBytes / mebi, min: 1, max: 1_024 },
    in_flight_max_mb: { type: 'integer', default: limits.ingressInFlightMaxBytes / mebi, min: 1, max: 16_384 },
  },
  local: {
    kinesis_shards: { type: 'integer', default: 2, min: 1, max: 64 },
    kafka_partitions: { type: 'integer', default: 2, min: 1, max: 64 },
    retention_mb: { type: 'integer', default: limits.retentionMaxBytes / mebi, min: 64, max: 10_485_760 },
    retention_hours: { type: 'integer', default: limits.retentionMaxMs / hourMs, min: 1, max: 87_600 },
    checkpoint_ms: { type: 'integer', default: limits.startCheckpointIntervalMs, min: 100, max: 3_600_000 },
    parquet_file_age_ms: { type: 'integer', default: limits.startParquetFileMaxAgeMs, min: 0, max: 86_400_000 },
  },
};

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
    throw new SluiceError('config-missing', `the configuration ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'name another with --config',
    });
  }
  return parseConfig(text, { file, env, baseDir: dirname(resolve(file)) });
}

export function problemLine(problem: ConfigProblem): string {
  const where = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}:${problem.line}: ${where}${problem.message}; expected ${problem.expected}`;
}

class ConfigReader {
  readonly #file: string;
  readonly #env: Environment;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #problems: ConfigProblem[] = [];
  readonly #origins: ConfigOrigin[] = [];

  constructor(text: string, file: string, env: Environment) {
    this.#file = file;
    this.#env = env;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true });
  }

  read(baseDir: string): ConfigResult {
    for (const error of this.#document.errors) this.#problem(error.pos[0], '', error.message.split('\n')[0] ?? 'not YAML', 'YAML');
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems };
    const root = this.#entries(this.#document.contents, '', ['streams', 'topologies', 'lookups', ...Object.keys(sections)]);
    const streams = this.#items(root.get('streams'), 'streams').map((node, index) => this.#stream(node, `streams[${index}]`));
    if (root.get('streams') === undefined) this.#problem(0, 'streams', 'it is missing', 'a list of streams with team and app');
    else if (streams.length === 0) this.#problem(offsetOf(root.get('streams')), 'streams', 'it is empty', 'at least one stream');
    const values = Object.fromEntries(
      Object.entries(sections).map(([section, fields]) => [section, this.#fields(root.get(section), section, fields)]),
    );
    const topologies = this.#items(root.get('topologies'), 'topologies').map((node, index) => {
      const value = this.#value(node, `topologies[${index}]`, { type: 'string' });
      return resolve(baseDir, String(value));
    });
    const lookups = this.#lookups(root.get('lookups'));
    const number = (section: string, key: string): number => values[section]?.[key] as number;
    const config: SluiceConfig = {
      file: this.#file,
      streams,
      routing: { largeMessageThresholdBytes: number('routing', 'large_message_threshold_kb') * 1_024 },
      ingress: {
        host: values['ingress']?.['host'] as string,
        port: number('ingress', 'port'),
        bodyMaxBytes: number('ingress', 'body_max_mb') * mebi,
        bodyDecodedMaxBytes: number('ingress', 'body_decoded_max_mb') * mebi,
        inFlightMaxBytes: number('ingress', 'in_flight_max_mb') * mebi,
      },
      local: {
        kinesisShards: number('local', 'kinesis_shards'),
        kafkaPartitions: number('local', 'kafka_partitions'),
        retentionMaxBytes: number('local', 'retention_mb') * mebi,
        retentionMaxMs: number('local', 'retention_hours') * hourMs,
        checkpointIntervalMs: number('local', 'checkpoint_ms'),
        parquetFileMaxAgeMs: number('local', 'parquet_file_age_ms'),
      },
      lookups,
      topologies,
    };
    if (this.#problems.length === 0) this.#combinations(config, root);
    return this.#problems.length > 0 ? { ok: false, problems: this.#problems } : { ok: true, config, origins: this.#origins };
  }

  #stream(node: Node, path: string): StreamConfig {
    const entries = this.#entries(node, path, [...Object.keys(streamFields), 'event']);
    const values = this.#values(entries, path, streamFields, offsetOf(node));
    const event = this.#fields(entries.get('event'), `${path}.event`, eventFields);
    const team = String(values['team']);
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
    return {
      team,
      app,
      name: `${team}/${app}`,
      kinesisStream: String(values['kinesis_stream'] || physical),
      kafkaTopic: String(values['kafka_topic'] || physical),
      envelope: values['envelope'] as StreamConfig['envelope'],
      event: Object.fromEntries(given) as EventPointers,
      ack: 'replicated',
    };
  }

  #lookups(node: Node | undefined): SluiceConfig['lookups'] {
    const read = ([key, definition]: readonly [string, Node | undefined]): readonly [string, HttpLookupConfig] => {
      const path = `lookups.${key}`;
      const entries = this.#entries(definition, path, [...Object.keys(lookupFields), 'headers']);
      const { url } = this.#values(entries, path, lookupFields, offsetOf(definition));
      const headers = this.#named(entries.get('headers'), `${path}.headers`, isHeaderName, headerNameExpected).map(
        ([header, value]) => [header.toLowerCase(), String(this.#value(value, `${path}.headers.${header}`, headerField))] as const,
      );
      return [key, { url: String(url), headers: Object.fromEntries(headers) }];
    };
    return Object.fromEntries(this.#named(node, 'lookups', isName, nameExpected).map(read));
  }

  #combinations(config: SluiceConfig, root: ReadonlyMap<string, Node | undefined>): void {
    const streams = root.get('streams');
    const at = (index: number): number => (isSeq(streams) ? offsetOf(streams.items[index] as Node) : 0);
    for (const [key, what] of [
      ['name', 'team and app'],
      ['kinesisStream', 'kinesis_stream'],
      ['kafkaTopic', 'kafka_topic'],
    ] as const) {
      const first = new Map<string, number>();
      for (const [index, stream] of config.streams.entries()) {
        const before = first.get(stream[key]);
        if (before === undefined) first.set(stream[key], index);
        else
          this.#problem(at(index), `streams[${index}]`, `${what} '${stream[key]}' is already that of streams[${before}]`, 'one of its own');
      }
    }
    const { largeMessageThresholdBytes } = config.routing;
    const routing = offsetOf(root.get('routing'));
    if (largeMessageThresholdBytes + limits.recordHeadMaxBytes > limits.kinesisRecordMaxBytes) {
      const most = (limits.kinesisRecordMaxBytes - limits.recordHeadMaxBytes) / 1_024;
      this.#problem(
        routing,
        'routing.large_message_threshold_kb',
        'such an event does not fit a record of the small path',
        `at most ${most}`,
      );
    }
    const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = config.ingress;
    const ingress = offsetOf(root.get('ingress'));
    if (bodyDecodedMaxBytes < bodyMaxBytes)
      this.#problem(ingress, 'ingress.body_decoded_max_mb', 'it is below body_max_mb', 'at least as much');
    if (inFlightMaxBytes < bodyDecodedMaxBytes)
      this.#problem(ingress, 'ingress.in_flight_max_mb', 'one body alone would not be admitted', 'at least body_decoded_max_mb');
  }

  #fields(node: Node | undefined, path: string, fields: Readonly<Record<string, Field>>): Record<string, string | number> {
    return this.#values(this.#entries(node, path, Object.keys(fields)), path, fields, offsetOf(node));
  }

  #values(
    entries: ReadonlyMap<string, Node | undefined>,
    path: string,
    fields: Readonly<Record<string, Field>>,
    at: number,
  ): Record<string, string | number> {
    const values: Record<string, string | number> = {};
    for (const [key, field] of Object.entries(fields)) {
      const full = `${path}.${key}`;
      if (entries.has(key)) values[key] = this.#value(entries.get(key), full, field);
      else if (field.default === undefined) this.#problem(at, full, 'it is missing', expectedOf(field));
      else {
        values[key] = field.default;
        if (field.default !== '') this.#origins.push({ path: full, value: field.default, from: 'default' });
      }
    }
    return values;
  }

  #value(node: Node | undefined, path: string, field: Field): string | number {
    const at = offsetOf(node);
    if (!isScalar(node) || node.value === null) {
      this.#problem(at, path, isScalar(node) || node === undefined ? 'it has no value' : 'it is a list or a map', expectedOf(field));
      return field.type === 'integer' ? 0 : '';
    }
    const { value, variable } = this.#interpolate(node, path);
    const found =
      field.type === 'integer' && typeof value === 'string' && variable !== undefined && /^-?\d+$/.test(value) ? Number(value) : value;
    const problem = problemOf(found, field);
    const shown = shownOf(found, variable === undefined ? undefined : node.value, field);
    if (problem !== undefined) this.#problem(at, path, problem, expectedOf(field));
    const { line } = this.#lines.linePos(at);
    const where = `${this.#file}:${line}`;
    this.#origins.push({
      path,
      value: shown as string | number,
      from: variable === undefined ? where : `environment ${variable} (${where})`,
    });
    return found as string | number;
  }

  /** `${NAME}` and `${NAME:-default}` inside a string. */
  #interpolate(node: Scalar, path: string): { value: unknown; variable?: string } {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return { value: node.value };
    let variable = '';
    const value = node.value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g, (_whole, key: string, fallback?: string) => {
      variable = key;
      const found = this.#env[key] ?? fallback;
      if (found === undefined)
        this.#problem(offsetOf(node), path, `the environment has no ${key}`, `${key} in the environment, or \${${key}:-default}`);
      return found ?? '';
    });
    return variable === '' ? { value } : { value, variable };
  }

  #entries(node: Node | null | undefined, path: string, known: readonly string[]): ReadonlyMap<string, Node | undefined> {
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
        const hint = near === undefined ? `one of ${known.join(', ')}` : `'${near}' (did you mean that?) or another of ${known.join(', ')}`;
        this.#problem(offsetOf(pair.key as Node), path === '' ? key : `${path}.${key}`, 'the key is unknown', hint);
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
      else if (taken.has(key.toLowerCase())) this.#problem(at, `${path}.${key}`, 'it is there already', 'each name once, in any case');
      taken.add(key.toLowerCase());
    }
    return node.items.map(({ value }, index) => [keys[index] as string, (value as Node | null) ?? undefined]);
  }

  #items(node: Node | undefined, path: string): readonly Node[] {
    if (node === undefined) return [];
    if (isSeq(node)) return node.items as Node[];
    this.#problem(offsetOf(node), path, 'it is no list', 'a list');
    return [];
  }

  #problem(offset: number, path: string, message: string, expected: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#problems.push({ file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), path, message, expected });
  }
}

function offsetOf(node: Node | undefined): number {
  return node?.range?.[0] ?? 0;
}
