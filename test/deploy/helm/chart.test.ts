/**
 * The Helm chart as it renders: by Helm itself, for the oldest and the newest version of
 * Kubernetes, against the schemas of Kubernetes; and values that it must refuse.
 *
 * `npm run chart:test` asks every version between, and Helm 3 as well; `npm run chart:apiserver`
 * installs it at a real API server.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { SettingSchema } from '../../../schemas/config/setting.ts';
import { configTable } from '../../../schemas/config/table.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { Helm } from '../../servers/helm.ts';
import { helmMissing, helmVersions, newestHelm, openHelm } from '../../servers/helm.ts';
import { newestKubernetes, validateObjects } from '../../servers/kube-schemas.ts';
import {
  changedConfig,
  chartDir,
  kindsOfOperators,
  namespace,
  oldestKubernetes,
  outsideOf,
  render,
  setArguments,
  stringsIn,
  valueSet,
  valueSets,
} from './chart.ts';
import { titles } from './cluster.ts';
import type { Manifest } from './manifest.ts';
import { containersOf, lasting, titleOf, workloadsOf } from './manifest.ts';
import { findUnsafePods } from './pods.ts';
import { findLooseEnds } from './references.ts';

const isFull = process.env['CHART_TEST'] === 'full';
const minors = (version: string): number => Number(version.split('.')[1]);
const versions = isFull
  ? Array.from(
      { length: minors(newestKubernetes) - minors(oldestKubernetes) + 1 },
      (_, at) => `1.${minors(oldestKubernetes) + at}`,
    )
  : [oldestKubernetes, newestKubernetes];
const helms = isFull ? helmVersions : [newestHelm];
const setupMaxMs = 300_000;
const isMissing = helmMissing() !== undefined || pythonMissing() !== undefined;

let helm: Helm;
beforeAll(async () => {
  if (!isMissing) helm = await openHelm();
}, setupMaxMs);

describe.skipIf(isMissing)('the chart', () => {
  it('has values to try it with: the least, and those of production', () => {
    const names = valueSets.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['minimal', 'production-aws']));
    expect(names.length).toBeGreaterThanOrEqual(3);
  });

  it.each(helms)(
    'renders what the schemas of Kubernetes accept, by Helm %s',
    { timeout: setupMaxMs },
    async (version) => {
      const own = await openHelm(version);
      const lists = await Promise.all(
        valueSets.flatMap((values) =>
          versions.map(
            async (kubernetes) => [kubernetes, await render(own, values, { kubernetes })] as const,
          ),
        ),
      );
      const faults = await validateObjects(lists, kindsOfOperators);
      expect(faults).toEqual(lists.map(() => []));
      for (const [, objects] of lists) expect(objects.length).toBeGreaterThan(5);
    },
  );

  it('would be refused by the schemas with a field or a type that is wrong', async () => {
    const objects = await render(helm, valueSet('production-aws'));
    const change = (kind: string, spec: object): readonly Manifest[] =>
      objects.filter((each) => each.kind === kind).map((each) => ({ ...each, spec }) as Manifest);
    const [unknown, type, kind] = await validateObjects(
      [
        [newestKubernetes, change('PodDisruptionBudget', { maxUnavailabel: 1 })],
        [oldestKubernetes, change('HorizontalPodAutoscaler', { maxReplicas: 'many' })],
        [newestKubernetes, [{ apiVersion: 'v1', kind: 'Pot', metadata: { name: 'a' } }]],
      ],
      kindsOfOperators,
    );
    expect(unknown?.[0]).toContain("'maxUnavailabel' was unexpected");
    expect(type?.[0]).toContain('many');
    expect(kind).toEqual([`Pot a: no schema in ${newestKubernetes}`]);
  });

  it.each(valueSets)('$name: is clean by the strict linter', async ({ file }) => {
    const { code, out, err } = await helm(['lint', '--strict', chartDir, '--values', file]);
    expect(`${out}${err}`).toContain('0 chart(s) failed');
    expect(code).toBe(0);
  });

  it.each(valueSets)('$name: its objects fit together', async (values) => {
    const objects = await render(helm, values);
    expect(findLooseEnds(objects, outsideOf(values))).toEqual([]);
    expect(findUnsafePods(objects)).toEqual([]);
  });

  it('has names that fit together with long names, too, and shares none with another release', async () => {
    const values = valueSet('minimal');
    const accounts = { 'serviceAccounts.ingest.name': 'a', 'serviceAccounts.enrich.name': 'b' };
    const set = { ...accounts, 'serviceAccounts.topics.name': 'c', 'topologies[0].name': 'a' };
    const name = 'a-release-with-as-many-characters-as-helm-lets-it-hav';
    const long = await render(helm, values, { release: name, set });
    expect(findLooseEnds(long, new Set())).toEqual([]);
    for (const { metadata } of long) {
      expect(metadata.name.length).toBeLessThanOrEqual(63);
      for (const value of Object.values(metadata.labels ?? {}))
        expect(value).toMatch(/^([A-Za-z0-9][A-Za-z0-9._-]{0,61})?[A-Za-z0-9]$/);
    }
    const other = titles(await render(helm, values));
    expect(titles(long).filter((title) => other.includes(title))).toEqual([]);
  });

  it.each(valueSets)('$name: has no value of a secret outside of Secrets', async (values) => {
    const objects = await render(helm, values);
    const secrets = objects
      .filter(({ kind }) => kind === 'Secret')
      .flatMap(({ data = {} }) => Object.values(data))
      .flatMap((text) => [text, Buffer.from(text, 'base64').toString()]);
    const others = objects.filter(({ kind }) => kind !== 'Secret').flatMap(stringsIn);
    expect(others.filter((text) => secrets.some((secret) => text.includes(secret)))).toEqual([]);
    const written = workloadsOf(objects)
      .flatMap(containersOf)
      .flatMap(({ env = [] }) => env)
      .filter(({ name, value }) => value !== undefined && /PASSWORD|SECRET|TOKEN|_KEY$/.test(name));
    expect(written).toEqual([]);
  });

  it('makes its key where there is none, by a hook that nothing removes, and in no manifest', async () => {
    const { file } = valueSet('minimal');
    const how = ['--namespace', namespace, '--values', file];
    const withoutHooks = await helm(['template', 'shop', chartDir, ...how, '--no-hooks']);
    expect(withoutHooks.code).toBe(0);
    expect(withoutHooks.out).toContain('kind: Deployment');
    expect(withoutHooks.out).not.toContain('kind: Secret');
    const objects = await render(helm, valueSet('minimal'));
    const [secret, ...others] = objects.filter(({ kind }) => kind === 'Secret');
    expect(others).toEqual([]);
    expect(secret?.metadata.annotations).toMatchObject({
      'helm.sh/hook': 'pre-install,pre-upgrade',
      'helm.sh/hook-delete-policy': 'before-hook-creation',
    });
  });

  it('gives ingest and the Job of topics nothing of the configuration that they do not read', async () => {
    const configs = new Map(
      (await render(helm, valueSet('production-aws')))
        .filter(({ kind, data }) => kind === 'ConfigMap' && data?.['sluice.yaml'] !== undefined)
        .map((object) => [
          object.metadata.name,
          Object.keys(parse(object.data?.['sluice.yaml'] ?? '') as object),
        ]),
    );
    expect(configs.get('shop-sluice-enrich-shop')).toEqual(
      expect.arrayContaining(['enrich', 'neo4j', 'topologies']),
    );
    for (const name of ['shop-sluice-ingest', 'shop-sluice-topics'])
      expect(configs.get(name)?.toSorted(), name).toEqual([
        'ingress',
        'kafka',
        'keys',
        'kinesis',
        'metrics',
        'routing',
        's3',
        'streams',
      ]);
  });

  it('lets pods ask DNS, and nobody else, by port 53', async () => {
    const dnsOf = async (set: object): Promise<readonly unknown[]> =>
      (await render(helm, valueSet('minimal'), { set: { ...set, ...loadOn } }))
        .filter(({ kind, spec }) => kind === 'NetworkPolicy' && spec?.egress !== undefined)
        .map(({ spec }) => {
          const rules = spec?.egress as readonly {
            ports: readonly { port: number }[];
            to: unknown;
          }[];
          const own = rules.filter(({ ports }) => ports.some(({ port }) => port === 53));
          expect(own).toHaveLength(1);
          return own[0]?.to;
        });
    const kubeSystem = { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } };
    const byDefault = [
      { namespaceSelector: kubeSystem },
      { ipBlock: { cidr: '169.254.20.10/32' } },
    ];
    // Of ingest, enrich, topics, the load and `helm test`.
    expect(await dnsOf({})).toEqual(Array(5).fill(byDefault));
    const other = [{ ipBlock: { cidr: '10.0.0.10/32' } }];
    expect(await dnsOf({ 'networkPolicy.dnsTo': other })).toEqual(Array(5).fill(other));
  });

  it('lets the pod of a test ask ingest alone', async () => {
    const objects = await render(helm, valueSet('minimal'));
    const own = objects.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'shop-sluice-test',
    );
    expect(own.map(({ metadata }) => metadata.annotations?.['helm.sh/hook'])).toEqual(['test']);
    const [, ...rules] = own[0]?.spec?.egress ?? [];
    expect(rules).toEqual([
      {
        ports: [{ port: 8080, protocol: 'TCP' }],
        to: [
          {
            podSelector: {
              matchLabels: expect.objectContaining({ 'app.kubernetes.io/component': 'ingest' }),
            },
          },
        ],
      },
    ]);
    expect(own[0]?.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    expect(own[0]?.spec?.ingress).toBeUndefined();
  });

  it('has a name with a wildcard, and names that are no text in YAML', async () => {
    const set = {
      'ingest.ingress': { enabled: true, host: '*.shop.example', className: 'true' },
      'config.ingress.trusted_proxies': 1,
      'ingest.priorityClassName': '1e3',
      'config.streams[0].team': '1e3',
      fullnameOverride: 'null',
    };
    const objects = await render(helm, valueSet('minimal'), { set });
    const ingress = objects.find(({ kind }) => kind === 'Ingress');
    expect(ingress?.spec).toMatchObject({
      ingressClassName: 'true',
      rules: [{ host: '*.shop.example' }],
    });
    const pods = workloadsOf(objects).map(({ pod }) => pod.priorityClassName);
    expect(pods).toContain('1e3');
    const test = workloadsOf(objects).find(({ object }) => object.kind === 'Pod');
    expect(test?.pod.containers[0]?.args).toContain('1e3/clicks');
    for (const { metadata } of objects) expect(typeof metadata.name).toBe('string');
  });

  it('pastes no text into YAML without quotes', () => {
    const folder = join(chartDir, 'templates');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.(yaml|tpl)$/.test(file),
    );
    /** What gives YAML or a number, and words of the template's own. */
    const isSafe = (action: string): boolean =>
      /\b(quote|toJson [.\w]+|int)$/.test(action) ||
      /^(toYaml|include "sluice\.(metricsPort|rollsOn)"|ternary "\w+" "\w+") ?/.test(action) ||
      /[.](replicas|port|min|max|cpuPercent|parts|backoffLimit|\w+Seconds)$/.test(action);
    const bare = files.flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .filter((line) => /^\s*(- |[\w."/{]+: )/.test(line))
        .flatMap((line) =>
          [...line.matchAll(/(?<=[:[,-] |[[=])\{\{ (.+?) \}\}/g)].flatMap(([, action = '']) =>
            isSafe(action) ? [] : [`${file}: ${line.trim()}`],
          ),
        ),
    );
    expect(bare).toEqual([]);
  });

  it.each(valueSets)('$name: other pods follow from another configuration', async (values) => {
    const [before, same, after] = await Promise.all([
      render(helm, values),
      render(helm, values),
      render(helm, values, { set: changedConfig(values) }),
    ]);
    const templates = (objects: readonly Manifest[]): Readonly<Record<string, string>> =>
      Object.fromEntries(
        objects
          .filter(({ kind }) => lasting.has(kind))
          .map((object) => [titleOf(object), JSON.stringify(object.spec?.template)]),
      );
    expect(templates(same)).toEqual(templates(before));
    const changed = templates(after);
    const still = Object.entries(templates(before)).filter(
      ([title, was]) => changed[title] === was,
    );
    expect(still.map(([title]) => title)).toEqual([]);
    expect(Object.keys(changed).length).toBeGreaterThanOrEqual(2);
  });
});

/** Paths of settings that are secrets, with a name in place of what the author chooses. */
function secretPaths(
  schema: SettingSchema = configTable,
  path: readonly string[] = [],
): readonly string[] {
  if (schema.writeOnly === true) return [path.join('.')];
  const { properties = {}, additionalProperties: one, items } = schema;
  return [
    ...Object.entries(properties).flatMap(([name, own]) => secretPaths(own, [...path, name])),
    ...(typeof one === 'object' ? secretPaths(one, [...path, 'some']) : []),
    ...(items === undefined ? [] : secretPaths(items, [...path, '0'])),
  ];
}

const loadOn = { 'load.enabled': true, 'load.startAt': '2026-01-02T09:00:00Z' };
const injected = 'x\nhostNetwork: true';

/** What is set above the least values, and what the refusal says. */
const refused: readonly (readonly [set: Readonly<Record<string, unknown>>, says: string])[] = [
  [{ imge: {} }, 'imge'],
  [{ 'image.name': 'sluice' }, 'name'],
  [{ 'image.repository': '' }, 'image.repository is empty'],
  [{ 'image.repository': 'registry.example/sluice:latest' }, '/image/repository'],
  [{ 'image.tag': 7 }, '/image/tag'],
  [{ 'image.pullPolicy': 'Sometimes' }, '/image/pullPolicy'],
  [{ config: 7 }, '/config'],
  [{ config: {} }, 'config has no streams'],
  [{ 'ingest.replicas': '2' }, '/ingest/replicas'],
  [{ 'ingest.autoscaling.max': 0 }, '/ingest/autoscaling/max'],
  [{ 'ingest.autoscaling': { min: 5, max: 4 } }, 'expected min to be at most max'],
  [{ 'ingest.terminationGracePeriodSeconds': 45 }, 'expected 25 seconds more at least'],
  [{ 'ingest.resources.limit': { memory: '1Gi' } }, 'limit'],
  [{ 'key.create': 'yes' }, '/key/create'],
  [{ 'key.create': false }, 'nobody could send'],
  [{ 'topologies[0].nam': 'orders' }, 'nam'],
  [{ 'networkPolicy.egressPorts': [443] }, 'config.kafka.brokers has port 9092'],
  [
    { 'config.lookups': { prices: { url: 'https://prices.example:8443/v1/{key}?at=10:45' } } },
    'config.lookups.prices.url has port 8443',
  ],
  [{ 'config.lookups': { prices: { url: 'http://prices.example/{key}' } } }, 'has port 80'],
  [{ 'config.lookups': ['prices'] }, 'config.lookups is slice: expected a map'],
  [
    { 'config.jwt': [{ issuer: 'a', audience: 'b', jwks_url: 'https://id.example:9443/keys' }] },
    'config.jwt[0].jwks_url has port 9443',
  ],
  [
    { 'ingest.spool.persistent': true },
    'ingest.autoscaling.behavior.scaleDown.selectPolicy to Disabled',
  ],
  [
    {
      'load.enabled': true,
      'load.startAt': '2026-01-02T09:00:00Z',
      'config.keys': [{ name: 'a', streams: ['*/*'], sha256: 'a'.repeat(64) }],
    },
    'load has no key: name a Secret with one in load.existingSecret',
  ],
  [{ 'config.ingress.host': '127.0.0.1' }, 'config.ingress.host is 127.0.0.1'],
  [{ nameOverride: injected }, '/nameOverride'],
  [{ fullnameOverride: injected }, '/fullnameOverride'],
  [{ folder: `/${injected}` }, '/folder'],
  [{ 'ingest.priorityClassName': injected }, '/ingest/priorityClassName'],
  [{ 'enrich.priorityClassName': injected }, '/enrich/priorityClassName'],
  [{ 'topologies[0].priorityClassName': injected }, '/topologies/0/priorityClassName'],
  [{ 'load.priorityClassName': injected }, '/load/priorityClassName'],
  [{ 'ingest.spool.storageClass': injected }, '/ingest/spool/storageClass'],
  [{ 'enrich.volume.storageClass': injected }, '/enrich/volume/storageClass'],
  [{ 'ingest.ingress.className': injected }, '/ingest/ingress/className'],
  [{ 'ingest.ingress.host': 'a.example]' }, '/ingest/ingress/host'],
  [{ 'ingest.autoscaling.requestsMetric': 'a, b: c' }, '/ingest/autoscaling/requestsMetric'],
  [{ 'config.streams[0].team': 'x], command: [sh, -c, id' }, 'config.streams[0].team: expected'],
  [{ 'config.streams[0].app': injected }, 'config.streams[0].app: expected'],
  [{ ...loadOn, 'load.url': 'http://other.example' }, 'load.existingSecret is not'],
  [{ 'ingest.service.type': 'LoadBalancer' }, 'it would take plain http from everybody'],
  [{ commonLabels: { 'app.kubernetes.io/name': 'a' } }, 'commonLabels has app.kubernetes.io/name'],
  [{ 'ingest.podLabels': { topology: 'orders' } }, 'ingest.podLabels has topology'],
  [{ 'enrich.podLabels': { topology: 'a' } }, 'enrich.podLabels has topology'],
  [{ 'topologies[0].podLabels': { topology: 'a' } }, 'podLabels of the topology orders has'],
  [
    { commonLabels: { a: 'b' }, 'ingest.podLabels': { a: 'c' } },
    'ingest.podLabels has a, and so has commonLabels',
  ],
];
/** By the path of a setting: its value in the text, also as a default of a variable. */
const secretsInText = secretPaths().flatMap((path) =>
  ['Bearer hunter2hunter2', '${A:-hunter2hunter2}'].map((value) => [path, value] as const),
);

describe.skipIf(isMissing)('values that the chart refuses', () => {
  it.each(refused)('%j', async (set, says) => {
    const { file } = valueSet('minimal');
    const how = ['--namespace', namespace, '--values', file, ...setArguments(set)];
    const { code, err } = await helm(['template', 'shop', chartDir, ...how]);
    expect(err).toContain(says);
    expect(code).not.toBe(0);
  });

  it.each(secretsInText)('the secret config.%s in the text: %j', async (path, value) => {
    const set = { [`config.${path}`]: value };
    const refusal = await render(helm, valueSet('minimal'), { set }).catch(String);
    expect(refusal).toContain(`config.${path} has its value in the text`);
    expect(refusal).not.toContain('hunter2');
  });

  it('of a secret are of text alone: with a variable, it renders', async () => {
    expect(secretPaths().toSorted()).toEqual([
      'ingress.address_secret',
      'lookups.some.headers.some',
      'neo4j.password',
    ]);
    const paths = secretPaths().map((path) => [`config.${path}`, 'Bearer ${HELD}'] as const);
    const valueFrom = { secretKeyRef: { name: 'held', key: 'a' } };
    const set = { ...Object.fromEntries(paths), extraEnv: [{ name: 'HELD', valueFrom }] };
    expect((await render(helm, valueSet('minimal'), { set })).length).toBeGreaterThan(5);
    // Ingest reads neither the graph nor look-ups, and needs no variables of theirs.
    const own = {
      'config.neo4j.password': '${HELD}',
      'topics.enabled': false,
      'enrich.extraEnv': [{ name: 'HELD', valueFrom }],
    };
    expect((await render(helm, valueSet('minimal'), { set: own })).length).toBeGreaterThan(5);
  });

  it('are no more than they are meant to be: without them it renders', async () => {
    expect((await render(helm, valueSet('minimal'))).length).toBeGreaterThan(5);
    const lookups = { prices: { url: 'https://prices.example/{key}?at=10:45' } };
    const jwt = [{ issuer: 'a', audience: 'b', jwks_url: 'https://id.example:443/keys' }];
    const set = {
      'config.lookups': lookups,
      'config.jwt': jwt,
      'ingest.spool.persistent': true,
      'ingest.autoscaling.behavior.scaleDown.selectPolicy': 'Disabled',
      'load.enabled': true,
      'load.startAt': '2026-01-02T09:00:00Z',
      'load.existingSecret': 'shop-load-key',
    };
    const objects = await render(helm, valueSet('minimal'), { set });
    expect(objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler')).toHaveLength(1);
  });
});
