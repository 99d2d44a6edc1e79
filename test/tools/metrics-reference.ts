/**
 * The page docs/reference/metrics.md, made of what the services export: name, type and help of each
 * metric. `npm run docs:reference` writes it; a test compares.
 */
import { join } from 'node:path';
import { watchProcess } from '../../deploy/host/process-metrics.ts';
import { topologyMetrics } from '../../deploy/host/topology-metrics.ts';
import { IngressMetrics } from '../../ingest/telemetry/metrics.ts';
import { root } from '../repo/files.ts';

export const metricsPage = join(root, 'docs/reference/metrics.md');

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/: the lines HELP and TYPE. */
export function metricsIn(text: string): readonly Metric[] {
  const typeOf = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  return [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name = '', help = '']) => ({
    name,
    type: typeOf.get(name) ?? 'untyped',
    help,
  }));
}

const tableOf = (metrics: readonly Metric[]): string =>
  [
    '| metric | type | meaning |',
    '|---|---|---|',
    ...metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`),
  ].join('\n');

export async function metricsReference(): Promise<string> {
  const ingress = metricsIn(await new IngressMetrics().text());
  const topologies = metricsIn((await topologyMetrics([], 0)).text);
  const ofProcess = watchProcess({});
  const processes = metricsIn((await ofProcess.text()).text);
  ofProcess.stop();
  return `# Metrics

Generated from what is exported; \`npm run docs:reference\` writes it. Names are \`sluice_<area>_<noun>_<unit>\`; counters end in
\`_total\`. [Monitor](../operating/monitor.md) has alerts and dashboards of them.

## Ingress

${tableOf(ingress)}

## Topologies

${tableOf(topologies)}

## Process

Of every process that serves metrics.

${tableOf(processes)}
`;
}
