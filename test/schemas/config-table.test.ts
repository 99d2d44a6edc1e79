/**
 * The table of the configuration: it is a JSON Schema, says of each setting what it is, gives
 * editors what a configuration may be, and reads YAML's traps as text, or refuses them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { fitsSetting } from '../../schemas/config/check.ts';
import { editorSchema } from '../../schemas/config/editor-schema.ts';
import type { SettingSchema } from '../../schemas/config/setting.ts';
import { factors, nameOf, settingsOf } from '../../schemas/config/setting.ts';
import { configTable } from '../../schemas/config/table.ts';
import type { ConfigResult } from '../../schemas/config-file.ts';
import { parseConfig } from '../../schemas/config-file.ts';
import { root } from '../repo/support.ts';

const settings = [...settingsOf(configTable)].map(
  ([place, schema]) => [place.join('.'), schema] as const,
);
const parse = (text: string, env: Record<string, string> = {}): ConfigResult =>
  parseConfig(text, { file: 'sluice.yaml', env, baseDir: '/base' });
const editor = editorSchema(configTable);
const acceptsInEditor = new Ajv2020({ strict: false }).compile(editor);

describe('the table', () => {
  it('is a JSON Schema of draft 2020-12, for us and for editors', () => {
    for (const schema of [configTable, editor])
      expect(new Ajv2020({ strict: false }).validateSchema(schema), JSON.stringify(schema)).toBe(
        true,
      );
    expect(settings.length).toBeGreaterThan(80);
  });

  it.each(settings)('says what %s is; its default and its examples fit', (_name, schema) => {
    expect(schema.description).toMatch(/^[A-Z`].*\.$/);
    for (const example of schema.examples ?? [])
      if (!String(example).includes('${')) expect(fitsSetting(schema, example)).toBe(true);
    if (schema.default !== undefined) expect(fitsSetting(schema, schema.default)).toBe(true);
  });

  it.each(settings.filter(([, { type }]) => type === 'integer'))(
    'the name of %s in the code has the unit that it has there',
    (path, schema) => {
      const unit = schema.unit ?? '';
      const name = nameOf(path.split('.').at(-1) ?? '', schema);
      if (unit === 'KiB' || unit === 'MiB') expect(name).toMatch(/Bytes$/);
      else if (unit === 'ms' || factors[schema.unit ?? 'ms'] !== undefined)
        expect(name.endsWith('Ms')).toBe(['ms', 's', 'h'].includes(unit));
    },
  );

  it('a unit is taken over: kilobytes are bytes, seconds milliseconds', () => {
    const result = parse(
      'streams: [{team: a, app: b}]\nrouting: {large_message_threshold_kb: 2}\ningress: {body_max_mb: 3, repeat_window_s: 4}\nlocal: {retention_hours: 5, checkpoint_ms: 600}',
    );
    expect(result).toMatchObject({
      config: {
        routing: { largeMessageThresholdBytes: 2_048 },
        ingress: { bodyMaxBytes: 3_145_728, repeatWindowMs: 4_000 },
        local: { retentionMaxMs: 18_000_000, checkpointIntervalMs: 600 },
      },
    });
  });
});

describe('the schema for editors', () => {
  it.each([
    'topology/examples/flights/sluice.yaml',
    'topology/examples/flights/services.yaml',
    'deploy/cli/template/sluice.yaml',
  ])('accepts %s', (file) => {
    acceptsInEditor(parseYaml(readFileSync(join(root, file), 'utf8')));
    expect(acceptsInEditor.errors ?? []).toEqual([]);
  });

  it.each([
    ['a variable for any value', 'ingress: {port: "${PORT}", log_level: "${LEVEL:-warn}"}', true],
    ['a section without a value', 'ingress:', true],
    ['an unknown key', 'ingress: {prot: 1}', false],
    ['a number out of bounds', 'ingress: {port: 65536}', false],
    ['a word that is none of the choices', 'ingress: {log_level: loud}', false],
  ])('%s: %s', (_what, section, accepted) => {
    expect(acceptsInEditor(parseYaml(`streams: [{team: a, app: b}]\n${section}`))).toBe(accepted);
  });

  it('has no word of our own but the unit', () => {
    const own = new Set<string>();
    const walk = (schema: unknown): void => {
      if (typeof schema !== 'object' || schema === null) return;
      for (const [key, member] of Object.entries(schema)) {
        if (['as', 'expected', 'shown', 'unit'].includes(key) && typeof member === 'string')
          own.add(key);
        walk(member);
      }
    };
    walk(editor);
    expect([...own]).toEqual([]);
    expect(JSON.stringify(editor)).toContain('"x-unit":"MiB"');
  });
});

describe("YAML's traps", () => {
  const stream = 'streams: [{team: a, app: b}]\n';
  const linesOf = (text: string): readonly string[] => {
    const result = parse(text);
    return result.ok
      ? []
      : result.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  };

  it.each([
    ['a key twice', `${stream}ingress: {port: 1}\ningress: {port: 2}`, /^3 : .*unique/],
    ['an alias', 'streams: [&one {team: a, app: b}, *one]', /^1 streams\[1\]: got an alias/],
    ['an alias of a text', 'streams: [{team: &t a, app: *t}]', /streams\[0\]\.app: got an alias/],
    ['a merge key', `${stream}ingress: {<<: {port: 1}}`, /^2 ingress\.\*\*\*: unknown key/],
    ['yes for a truth', `${stream}kafka: {tls: yes}`, /kafka\.tls: invalid value 'yes'/],
    ['a number for a name', 'streams: [{team: 1, app: b}]', /streams\[0\]\.team: invalid value 1/],
    [
      'digits that are lost',
      `${stream}keys: [{name: k, sha256: ${'1'.repeat(64)}, streams: [a/b]}]`,
      /keys\[0\]\.sha256: invalid value 1\.1/,
    ],
    ['a number that is none', `${stream}ingress: {port: .nan}`, /ingress\.port: invalid value NaN/],
    ['__proto__', `${stream}__proto__: {a: 1}`, /^2 __proto__: unknown key/],
    [
      '__proto__ as a name',
      `${stream}lookups: {__proto__: {}}`,
      /lookups\.__proto__: invalid name/,
    ],
    ['a key that is a list', `${stream}? [a]\n: b`, /^2 undefined: unknown key/],
    ['bytes', `${stream}lookups: !!binary aGk=`, /^2 lookups: got a value with the tag/],
    ['two documents', `${stream}---\na: b`, /multiple documents/],
  ])('%s is refused, once', (_what, text, expected) => {
    const lines = linesOf(text);
    expect(lines).toHaveLength(lines[0]?.includes('__proto__: invalid name') ? 2 : 1);
    expect(lines[0]).toMatch(expected);
  });

  it('octal and hexadecimal numbers are read as YAML 1.2 says', () => {
    expect(
      parse(`${stream}local: {kinesis_shards: 0o17, kafka_partitions: 017}\nenrich: {port: 0x1F}`),
    ).toMatchObject({
      config: { local: { kinesisShards: 15, kafkaPartitions: 17 }, enrich: { port: 31 } },
    });
  });

  it('what every object inherits is a name like any other', () => {
    const result = parse(
      `${stream}lookups: {constructor: {url: 'http://h/{key}', headers: {__proto__: a, toString: b}}}`,
    );
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(Object.entries(result.config.lookups['constructor']?.headers ?? {})).toEqual([
      ['__proto__', 'a'],
      ['tostring', 'b'],
    ]);
  });
});

it('a setting that is left out has the type that the table says', () => {
  const schema: SettingSchema = configTable.properties.metrics.properties.port;
  expect(schema.default).toBeUndefined();
  const result = parse('streams: [{team: a, app: b}]');
  // A compile error here is a type that is not derived any more.
  const port: number | undefined = result.ok ? result.config.metrics.port : 0;
  const level: 'silent' | 'error' | 'warn' | 'info' | 'debug' = result.ok
    ? result.config.ingress.logLevel
    : 'error';
  expect([port, level]).toEqual([undefined, 'info']);
});
