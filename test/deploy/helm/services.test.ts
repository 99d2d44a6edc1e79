/**
 * What the pods of the chart run, asked of Sluice itself: their commands are commands, their
 * configurations are read and have all their variables, and their probes ask what is served.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsPorts } from '../../../deploy/host/metrics-server.ts';
import { watchProcess } from '../../../deploy/host/process-metrics.ts';
import { topologyMetrics } from '../../../deploy/host/topology-metrics.ts';
import { healthRoutes } from '../../../deploy/services/enrich.ts';
import { IngressMetrics } from '../../../ingest/telemetry/metrics.ts';
import { pythonMissing } from '../../servers/cache.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { metricsIn } from '../../tools/metrics-reference.ts';
import { sluice, startSluice } from '../support.ts';
import { render, stringsIn, valueSets } from './chart.ts';
import type { Manifest, Metadata } from './manifest.ts';
import { titleOf } from './manifest.ts';
import type { PodProcess } from './pod-process.ts';
import { commandOf, probedPaths, processesOf } from './pod-process.ts';

const isMissing = helmMissing() !== undefined || pythonMissing() !== undefined;
const services = ['ingest', 'enrich', 'topics apply'];

let dir: string;
let objects: readonly Manifest[] = [];
let processes: readonly PodProcess[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
  if (isMissing) return;
  const helm = await openHelm();
  const rendered = await Promise.all(valueSets.map((values) => render(helm, values)));
  objects = rendered.flat();
  processes = (await Promise.all(rendered.map(processesOf))).flat();
}, 300_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** All that run one of Sluice's services. */
function serving(...names: readonly string[]): readonly PodProcess[] {
  const found = processes.filter(({ command }) => names.includes(command));
  expect(found.length).toBeGreaterThanOrEqual(names.length * valueSets.length);
  return found;
}

/** A file with its configuration: the image's folder is one of this machine, on loopback alone. */
function configFileOf({ config = '' }: PodProcess): string {
  const folder = join(dir, 'etc');
  const moved = config.replaceAll('/etc/sluice/', `${folder}/`).replaceAll('0.0.0.0', '127.0.0.1');
  for (const [, path = ''] of moved.matchAll(/^[ -]*schema: (\S+)$/gm)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '{"type": "object"}');
  }
  const file = join(dir, 'sluice.yaml');
  writeFileSync(file, moved);
  return file;
}

type Section = Readonly<Record<string, unknown>>;

/** As the sidecar of Grafana finds them. */
const isDashboard = ({ labels = {} }: Metadata): boolean =>
  labels['grafana_dashboard'] !== undefined;

describe.skipIf(isMissing)('pods of the chart', () => {
  it('run commands of Sluice', async () => {
    expect(serving(...services).length).toBeGreaterThan(services.length);
    await expect(commandOf(['ingest', '--key-fil', 'a'])).rejects.toThrow('unknown option');
    await expect(commandOf(['ingst'])).rejects.toThrow('unknown command');
  });

  it('have configurations that Sluice reads, with all variables', {
    timeout: 120_000,
  }, async () => {
    const read = new Set<string>();
    for (const each of serving(...services)) {
      const known = JSON.stringify([each.config, each.env]);
      if (read.has(known)) continue;
      read.add(known);
      const { code, out, err } = await sluice(
        ['config', 'check', configFileOf(each)],
        dir,
        each.env,
      );
      expect(code, `${each.title}: ${out}${err}`).toBe(0);
      expect(err, each.title).toBe('');
    }
    expect(read.size).toBeGreaterThanOrEqual(2 * valueSets.length);
    const [first] = serving('ingest') as [PodProcess];
    const text = `${first.config}\nrouting: {large_message_threshold_kb: \${NOT_SET}}\n`;
    const wrong = await sluice(['config', 'check', configFileOf({ ...first, config: text })], dir);
    expect(wrong.code).not.toBe(0);
  });

  it('of ingest are probed where it answers', { timeout: 120_000 }, async () => {
    for (const each of serving('ingest')) {
      const config = ['--config', configFileOf(each)];
      const options = ['--port', '0', '--key-file', join(dir, 'key')];
      const started = await startSluice(join(dir, 'data'), config, options, dir, each.env);
      try {
        for (const path of probedPaths(each))
          expect((await fetch(`${started.url}${path}`)).status, `${each.title}: ${path}`).toBe(200);
        expect((await fetch(`${started.url}/ready`)).status).not.toBe(200);
      } finally {
        await started.stop();
      }
    }
  });

  it('of enrich are probed where it answers', () => {
    const routes = Object.keys(healthRoutes(async () => undefined));
    for (const each of serving('enrich'))
      for (const path of probedPaths(each)) expect(routes, each.title).toContain(path);
  });

  it('listen on the ports that they name', () => {
    for (const [service, name] of [
      ['ingest', 'ingress'],
      ['enrich', 'enrich'],
    ] as const)
      for (const each of serving(service)) {
        const sections = parse(each.config ?? '') as Readonly<Record<string, Section | undefined>>;
        const portOf = (port: string): number | undefined =>
          each.container.ports?.find((found) => found.name === port)?.containerPort;
        expect(portOf('http'), each.title).toBe(sections[name]?.['port']);
        expect(sections[name]?.['host'], each.title).toBe('0.0.0.0');
        const metrics = sections['metrics'];
        expect(portOf('metrics'), each.title).toBe(metrics?.['port'] ?? metricsPorts[service]);
        expect(metrics?.['host'], each.title).toMatch(/^\$\{POD_IP(:-127\.0\.0\.1)?\}$/);
      }
  });

  it('are watched by metrics that are exported', async () => {
    const ofProcess = watchProcess({});
    const text = [
      await new IngressMetrics().text(),
      (await topologyMetrics([], 0)).text,
      (await ofProcess.text()).text,
    ].join('\n');
    ofProcess.stop();
    const names = metricsIn(text).flatMap(({ name }) =>
      ['', '_bucket', '_sum', '_count'].map((end) => `${name}${end}`),
    );
    const watched = objects.filter(
      ({ kind, metadata }) => kind === 'PrometheusRule' || isDashboard(metadata),
    );
    for (const object of watched) {
      const asked = stringsIn(object).flatMap((each) => each.match(/\bsluice_\w+/g) ?? []);
      expect(asked.length, titleOf(object)).toBeGreaterThan(0);
      expect(
        asked.filter((name) => !names.includes(name)),
        titleOf(object),
      ).toEqual([]);
    }
  });
});
