/**
 * The chart as the tests use it: where it is, its sets of values, and what it renders of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { root } from '../../repo/files.ts';
import type { Helm } from '../../servers/helm.ts';
import type { Manifest } from './manifest.ts';

export const chartDir = join(root, 'deploy', 'helm', 'sluice');
const valuesDir = join(root, 'test', 'deploy', 'helm', 'values');

/** The oldest version of Kubernetes that the chart is for. */
export const oldestKubernetes = '1.29';
export const release = 'shop';
export const namespace = 'events';

/** Kinds that come with an operator: Kubernetes itself knows none of them. */
export const kindsOfOperators = [
  'PodMonitor',
  'PrometheusRule',
  'ServiceMonitor',
  'TargetGroupBinding',
] as const;

/** Their groups and versions, which a cluster tells the chart that it has. */
const capabilities = [
  'monitoring.coreos.com/v1',
  'monitoring.coreos.com/v1/ServiceMonitor',
  'monitoring.coreos.com/v1/PodMonitor',
  'monitoring.coreos.com/v1/PrometheusRule',
  'eks.amazonaws.com/v1',
  'eks.amazonaws.com/v1/TargetGroupBinding',
];

export interface ValueSet {
  readonly name: string;
  readonly file: string;
  /** As the file has them. */
  readonly values: Readonly<Record<string, unknown>>;
}

export const valueSets: readonly ValueSet[] = readdirSync(valuesDir)
  .filter((file) => file.endsWith('.yaml'))
  .sort()
  .map((file) => ({
    name: basename(file, '.yaml'),
    file: join(valuesDir, file),
    values: parse(readFileSync(join(valuesDir, file), 'utf8')) as Record<string, unknown>,
  }));

export function valueSet(name: string): ValueSet {
  const found = valueSets.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no values ${name} in ${valuesDir}`);
  return found;
}

export interface RenderOptions {
  readonly kubernetes?: string;
  readonly release?: string;
  /** As `helm --set-json` has it: a path and the JSON of its value. */
  readonly set?: Readonly<Record<string, unknown>>;
}

/** What `helm template` makes of it. Rejects with what Helm says when it refuses. */
export async function render(
  helm: Helm,
  { file }: Pick<ValueSet, 'file'>,
  options: RenderOptions = {},
): Promise<readonly Manifest[]> {
  const { kubernetes = oldestKubernetes, set = {} } = options;
  const { code, out, err } = await helm([
    'template',
    options.release ?? release,
    chartDir,
    ...['--namespace', namespace, '--kube-version', `${kubernetes}.0`, '--values', file],
    ...capabilities.flatMap((each) => ['--api-versions', each]),
    ...setArguments(set),
  ]);
  if (code !== 0) throw new Error(err);
  return manifestsIn(out);
}

export const setArguments = (set: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.entries(set).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ]);

/** Throws where a document has a key twice, or is no YAML. */
function manifestsIn(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [wrong] = document.errors;
    if (wrong !== undefined) throw wrong;
    const object = document.toJS() as Manifest | null;
    return object === null ? [] : [object];
  });
}

/** Strings anywhere in `value`. */
export function stringsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(stringsIn);
}

/**
 * Names of what is not the chart's: Secrets, ConfigMaps and accounts of an operator are the ones
 * that the values name.
 */
export const outsideOf = ({ values }: ValueSet): ReadonlySet<string> => new Set(stringsIn(values));

/** What to set so that every service has another configuration from its start on. */
export function changedConfig({ values }: ValueSet): Readonly<Record<string, unknown>> {
  const { config } = values;
  const given = (typeof config === 'string' ? parse(config) : config) as Record<string, unknown>;
  const kinesis = given['kinesis'] as Record<string, unknown>;
  return { config: { ...given, kinesis: { ...kinesis, region: 'us-west-2' } } };
}
