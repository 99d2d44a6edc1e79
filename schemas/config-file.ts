/**
 * From YAML text to the effective configuration: interpolation, types, defaults and combinations.
 * It reports all problems at once, with their lines. Pure except `readConfig`, which reads the
 * file.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { issuerOf, keyOf } from './config/access.ts';
import { configCheck } from './config/check.ts';
import type { Environment, Fault } from './config/document.ts';
import { ConfigDocument } from './config/document.ts';
import { ingressOf } from './config/ingress.ts';
import { lookupOf } from './config/lookups.ts';
import { pathOf } from './config/path.ts';
import type { Finding } from './config/rule.ts';
import { configRules, findEntries } from './config/rules.ts';
import { kafkaOf } from './config/services.ts';
import { streamOf } from './config/streams.ts';
import type { ConfigValues } from './config/table.ts';
import { configTable } from './config/table.ts';
import type { ConfigOrigin, ExplainedSetting } from './config/values.ts';
import { effectiveValues } from './config/values.ts';
import type { SluiceConfig } from './config.ts';
import { maskAddresses } from './config-secrets.ts';
import { messageOf, SluiceError } from './kernel/errors.ts';
import { sinkConfigsOf } from './sinks/sinks.ts';

export type { Environment } from './config/document.ts';

export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `streams[0].team` */
  readonly path: string;
  readonly message: string;
  readonly expected: string;
}

export type ConfigResult =
  | {
      readonly ok: true;
      readonly config: SluiceConfig;
      readonly origins: readonly ConfigOrigin[];
      /** Every setting, those without a value too. */
      readonly settings: readonly ExplainedSetting[];
      /** What is shown in place of values that must not be, by value. */
      readonly masked: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

interface ParseOptions {
  readonly file: string;
  readonly env: Environment;
  /** What paths in the configuration are relative to. */
  readonly baseDir: string;
}

const checkValues = configCheck(configTable);

export function parseConfig(text: string, options: ParseOptions): ConfigResult {
  const document = new ConfigDocument(text, configTable, options);
  const { faults } = document;
  const refused = (all: readonly Fault[]): ConfigResult => ({
    ok: false,
    problems: all.toSorted(byPlace).map((fault) => problemOf(fault, options.file)),
  });
  const located = ({ at, ...finding }: Finding): Fault => ({
    ...finding,
    segments: finding.path,
    place: document.placeOf(at ?? finding.path),
  });
  // Text that is no YAML has no values.
  const found =
    faults.length > 0 && faults.every(({ segments }) => segments.length === 0)
      ? []
      : [...checkValues(document), ...Array.from(findEntries(document.values), located)];
  const all = [...faults, ...onePerSetting(found)];
  if (all.length > 0) return refused(all);
  const { values, settings } = effectiveValues(configTable, document, options.baseDir);
  const config = configOf(values, document, text.endsWith('\n'), options.file);
  const combined = configRules.flatMap((rule) => Array.from(rule(config), located));
  if (combined.length > 0) return refused(combined);
  const origins = settings.flatMap(({ origin }) => (origin === undefined ? [] : [origin]));
  return { ok: true, config, origins, settings, masked: document.masked };
}

/** Throws `SluiceError` `config-missing`, `config-invalid`; the message has one line a problem. */
export function loadConfig(file: string, env: Environment): SluiceConfig {
  const result = readConfig(file, env);
  if (result.ok) return result.config;
  throw new SluiceError('config-invalid', result.problems.map(problemLine).join('\n'), {
    fix: `fix ${file}, then run \`sluice config check ${file}\``,
  });
}

/** Throws `SluiceError` `config-missing`. */
export function readConfig(file: string, env: Environment): ConfigResult {
  const text = readConfigText(file, 'name another with --config');
  return parseConfig(text, { file, env, baseDir: dirname(resolve(file)) });
}

/** Throws `SluiceError` `config-missing`, with `fix`. */
export function readConfigText(file: string, fix: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'config-missing',
      `the configuration ${file} cannot be read: ${messageOf(cause)}`,
      { cause, fix, details: { file } },
    );
  }
}

export function problemLine(problem: ConfigProblem): string {
  const { file, line, column, path, message, expected } = problem;
  const where = path === '' ? '' : `${path}: `;
  return `${file}:${line}:${column}: ${where}${message}; expected ${expected}`;
}

/** What is said of a setting first is enough. */
function onePerSetting(faults: readonly Fault[]): readonly Fault[] {
  const first = new Map<string, Fault>();
  for (const fault of faults) {
    const key = JSON.stringify(fault.segments);
    if (!first.has(key)) first.set(key, fault);
  }
  return [...first.values()];
}

function problemOf({ segments, place, message, expected }: Fault, file: string): ConfigProblem {
  const { line, column } = place;
  return {
    file,
    line,
    column,
    path: maskAddresses(pathOf(segments)),
    message: maskAddresses(message),
    expected,
  };
}

/** Faults at one place stay in the order in which they were found. */
function byPlace(one: Fault, other: Fault): number {
  const [{ line, column }, next] = [one.listedAt ?? one.place, other.listedAt ?? other.place];
  return line - next.line || column - next.column;
}

/** The values in the form in which the code wants them. */
function configOf(
  values: ConfigValues,
  document: ConfigDocument,
  endsInLineBreak: boolean,
  file: string,
): SluiceConfig {
  const { routing, ingress, local, metrics, kinesis, enrich, topologies } = values;
  return {
    file,
    endsInLineBreak,
    streams: values.streams.map(streamOf),
    routing,
    ingress: ingressOf(ingress),
    local,
    metrics,
    kinesis,
    kafka: kafkaOf(values.kafka),
    s3: { ...values.s3, prefix: values.s3.prefix ?? '' },
    sinks: sinkConfigsOf(values),
    enrich,
    access: {
      keys: values.keys.map(keyOf),
      jwt: values.jwt.map(issuerOf),
      sections: { keys: document.has(['keys']), jwt: document.has(['jwt']) },
      openOrigins: ingress.origins,
      openSegmentStream: ingress.segmentStream,
    },
    lookups: Object.fromEntries(
      Object.entries(values.lookups).map(([name, lookup]) => [name, lookupOf(lookup)]),
    ),
    topologies,
  };
}
