/**
 * What docs/operating/kubernetes.md says of the chart: its values are values, its commands render a
 * release, a change of keys, quotas or origins replaces no pod, and what watches it watches its own.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { commandsOf, root } from '../../repo/support.ts';
import type { Helm } from '../../servers/helm.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { chartDir, oldestKubernetes, render, stringsIn, valueSet } from './chart.ts';
import { titleOf, workloadsOf } from './manifest.ts';

const page = readFileSync(join(root, 'docs', 'operating', 'kubernetes.md'), 'utf8');
const fences = [...page.matchAll(/^```yaml\n(# values\.yaml\n.*?)^```$/gms)].map(
  ([, text = '']) => text,
);
/** A file as the page's first values need it. */
const sluiceYaml = `
streams: [{team: shop, app: clicks}]
kinesis: {region: eu-central-1}
kafka: {brokers: '\${KAFKA_BROKERS}'}
s3: {bucket: shop-events, region: eu-central-1}
lookups: {prices: {url: 'https://prices.example/{key}', headers: {authorization: '\${NEO4J_PASSWORD}'}}}
topologies: [topologies/orders.ts]
`;

function folder(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-page-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

describe.skipIf(helmMissing() !== undefined)('the page of the chart', { timeout: 60_000 }, () => {
  let helm: Helm;
  beforeAll(async () => {
    helm = await openHelm();
  }, 300_000);

  it.each(fences.map((text) => [Object.keys(parse(text) as object), text]))(
    'shows values of %j',
    async (_, text) => {
      const dir = folder({
        'values.yaml': text,
        'minimal.yaml': readFileSync(valueSet('minimal').file, 'utf8'),
      });
      const args = ['--values', join(dir, 'minimal.yaml'), '--values', join(dir, 'values.yaml')];
      const { code, err } = await helm([
        'template',
        'sluice',
        chartDir,
        ...args,
        '--kube-version',
        `${oldestKubernetes}.0`,
      ]);
      expect(err).toBe('');
      expect(code).toBe(0);
    },
  );

  it('shows an install and an upgrade that render the same release', async () => {
    const dir = folder({ 'values.yaml': fences[0] ?? '', 'sluice.yaml': sluiceYaml });
    const shown = commandsOf(page).filter((command) => /^helm (?:install|upgrade) /.test(command));
    expect(shown).toHaveLength(2);
    for (const command of shown) {
      const [, , ...args] = command
        .replace('deploy/helm/sluice', chartDir)
        .replace(/(?<= |=)(?:values|sluice)\.yaml/g, (file) => join(dir, file))
        .split(' ');
      const { code, out, err } = await helm([
        'template',
        ...args,
        '--kube-version',
        `${oldestKubernetes}.0`,
      ]);
      expect(err).toBe('');
      expect(code).toBe(0);
      expect(out).toContain('name: "sluice-enrich-orders"\n');
      expect(out).toContain('- /etc/sluice/topologies/orders.ts\n');
    }
  });

  it('says which changes replace pods', async () => {
    const { values } = valueSet('production-aws');
    const config = values['config'] as { readonly streams: readonly object[] };
    const [stream] = config.streams;
    const checksums = async (changed: object): Promise<ReadonlyMap<string, string | undefined>> => {
      const set = { config: { ...config, ...changed } };
      const objects = await render(helm, valueSet('production-aws'), { set });
      return new Map(
        workloadsOf(objects).map(({ object }) => [
          titleOf(object),
          object.spec?.template?.metadata?.annotations?.['checksum/config'],
        ]),
      );
    };
    const before = await checksums({});
    const taken = await checksums({
      keys: [{ name: 'other', streams: ['*/*'], sha256: 'a'.repeat(64) }],
      ingress: { host: '0.0.0.0', address_requests_per_second: 5, address_burst: 9 },
      streams: [{ ...stream, quota: { events_per_second: 7 } }],
    });
    expect(taken).toEqual(before);
    const replaced = async (changed: object): Promise<readonly string[]> =>
      [...(await checksums(changed))]
        .filter(([title, sum]) => before.get(title) !== sum)
        .map(([title]) => title);
    expect(await replaced({ routing: { failover: true } })).toEqual([
      'Deployment shop-sluice-ingest',
    ]);
    expect(
      await replaced({ keys: [], jwt: [{ issuer: 'a', audience: 'b', jwks_file: 'c' }] }),
    ).toContain('Deployment shop-sluice-ingest');
  });

  it('has alerts and dashboards of the pods of its release, with pages that are there', async () => {
    const objects = await render(helm, valueSet('outside-aws'));
    const texts = objects.flatMap((object) => stringsIn(object));
    const pods = texts.flatMap((text) => [...text.matchAll(/\bpod=~\\?"([^"\\]*)/g)]);
    expect(new Set(pods.map(([, pattern]) => pattern))).toEqual(new Set(['events-.*']));
    expect(pods.length).toBeGreaterThan(2);
    const linked = (await render(helm, valueSet('production-aws'))).flatMap((object) =>
      stringsIn(object).filter((text) => /^\S*docs\/operating\/runbook\//.test(text)),
    );
    const base = 'https://git.shop.example/sluice/';
    const wrong = linked.filter(
      (url) => !url.startsWith(base) || !existsSync(join(root, url.slice(base.length))),
    );
    expect(wrong).toEqual([]);
    expect(linked.length).toBeGreaterThan(30);
  });

  it('has the accounts, and the time before an end, that the stacks of AWS rely on', async () => {
    const source = (file: string): string =>
      readFileSync(join(root, 'deploy', 'aws', 'src', file), 'utf8');
    const [, name = ''] = /serviceAccount: `(.*)`/.exec(source('stacks/cluster.ts')) ?? [];
    const [, list = ''] = /services = \[(.*)\]/.exec(source('rights.ts')) ?? [];
    const services = [...list.matchAll(/'(\w+)'/g)].map(([, service = '']) => service);
    const objects = await render(helm, valueSet('minimal'));
    const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount');
    expect(accounts.map(({ metadata }) => metadata.name).sort()).toEqual(
      services.map((service) => name.replace('${service}', service)).sort(),
    );
    const [, seconds] =
      /deregistration = Duration\.seconds\((\d+)\)/.exec(source('stacks/load-balancer.ts')) ?? [];
    const production = (preStopSeconds: number): Promise<unknown> =>
      render(helm, valueSet('production-aws'), {
        set: { 'ingest.preStopSeconds': preStopSeconds },
      });
    await expect(production(Number(seconds))).rejects.toThrow(/expected more than 30/);
    await production(Number(seconds) + 1);
  });

  it('leaves the values to their own file, which has a comment for each', () => {
    const lines = readFileSync(join(chartDir, 'values.yaml'), 'utf8').split('\n');
    const places = lines.flatMap((line, at) => {
      const [, indent = '', name] = /^( *)([A-Za-z]+):/.exec(line) ?? [];
      return name === undefined ? [] : [{ at, depth: indent.length, name }];
    });
    // What is inside of these is Kubernetes' own.
    const isInside = (index: number): boolean => {
      const { at, depth } = places[index] ?? { at: 0, depth: 0 };
      const parent = places.findLast((each) => each.at < at && each.depth < depth);
      return (
        parent !== undefined &&
        (['behavior', 'resources'].includes(parent.name) || isInside(places.indexOf(parent)))
      );
    };
    const bare = places.filter(
      ({ at }, index) => !isInside(index) && !/^ *#/.test(lines[at - 1] ?? ''),
    );
    expect(bare.map(({ name }) => name)).toEqual([]);
    expect(places.length).toBeGreaterThan(100);
  });

  it('is of a chart that has the version of the package', () => {
    const chart = parse(readFileSync(join(chartDir, 'Chart.yaml'), 'utf8')) as Record<
      string,
      string
    >;
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect([chart['version'], chart['appVersion']]).toEqual([version, version]);
  });
});
