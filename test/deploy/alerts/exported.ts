/**
 * All that instances export, each metric with a series at least: what alerts and dashboards may
 * name. It is printed by the code that prints it in production; only what it is told is made up.
 */
import { watchProcess } from '../../../deploy/host/process-metrics.ts';
import { topologyMetrics } from '../../../deploy/host/topology-metrics.ts';
import type { FirehoseCount } from '../../../enrich/firehose/deliver-call.ts';
import { IngressMetrics } from '../../../ingest/telemetry/metrics.ts';
import type { NodeStatus, SplitStatus } from '../../../topology/index.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import { hostStatus, jobStatus } from '../host/host-status.ts';

export interface Series {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

const inPod = { namespace: 'prod', pod: 'sluice-0', container: 'ingest' };

/** Of other exporters, as their pages list them. */
const others: readonly Series[] = [
  // https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md
  { metric: 'kube_pod_container_status_ready', labels: inPod },
  // https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
  { metric: 'container_cpu_cfs_throttled_periods_total', labels: inPod },
  { metric: 'container_cpu_cfs_periods_total', labels: inPod },
  // https://cert-manager.io/docs/devops-tips/prometheus-metrics/
  {
    metric: 'certmanager_certificate_expiration_timestamp_seconds',
    labels: { namespace: 'prod', name: 'sluice-tls' },
  },
  // https://github.com/prometheus/blackbox_exporter/blob/master/prober/http.go
  { metric: 'probe_ssl_earliest_cert_expiry', labels: { job: 'sluice-edge', instance: 'x' } },
];

/** What Prometheus adds to each series of a target. */
export const targetLabels = { job: 'sluice', instance: '10.0.0.1:9464', namespace: 'prod' };

export async function exportedSeries(): Promise<readonly Series[]> {
  const ofProcess = watchProcess({ data: '.', state: '.' });
  const texts = [await ingressText(), await topologiesText(), (await ofProcess.text()).text];
  ofProcess.stop();
  return [...texts.flatMap(seriesIn), ...others];
}

/** The series of a text in Prometheus' format. */
function seriesIn(text: string): readonly Series[] {
  return [...text.matchAll(/^([a-z_:]+)(?:\{(.*)\})? \S+$/gm)].map(
    ([, metric = '', labels = '']) => ({
      metric,
      labels: {
        ...targetLabels,
        pod: 'sluice-0',
        ...Object.fromEntries(
          [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [
            label,
            value,
          ]),
        ),
      },
    }),
  );
}

async function ingressText(): Promise<string> {
  const metrics = new IngressMetrics();
  const stream = 'shop/clicks';
  metrics.request('json', 10);
  for (const status of [200, 401, 429, 503]) metrics.answered(status);
  metrics.accepted(stream, 'replicated', 'kinesis', 10);
  metrics.refused(stream, 'schema-invalid');
  metrics.warned(stream);
  metrics.dropped(stream);
  const message = 'too much for the shard';
  metrics.batch(
    stream,
    'kinesis',
    [
      { kind: 'applied', split: 'shardId-1', position: '7' },
      { kind: 'refused', code: 'throughput-exceeded', message, retryable: true },
    ],
    10,
    1,
  );
  metrics.gauges(() => ({
    inFlightBytes: 1,
    bufferedBytes: 1,
    webSockets: 1,
    repeats: { size: 1, bytes: 1, evicted: 1 },
    spoolMaxBytes: 10,
    routes: [
      {
        stream,
        path: 'kinesis',
        breaker: 'open',
        queueBytes: 1,
        spoolBytes: 1,
        spoolRecords: 1,
        spoolAgeMs: 1,
      },
    ],
    reloads: { taken: 1, refused: 1, refusal: { sinceMs: 1, why: 'x' } },
    happened: { 'kafka-reconnected': 1 },
  }));
  return metrics.text();
}

const split: SplitStatus = {
  source: 'clicks',
  stream: 'shop/clicks',
  path: 'kinesis',
  split: 'shardId-1',
  position: '7',
  lag: 1,
  behindMs: 1,
  eventLagMs: 1,
  watermark: 1,
  idle: false,
  hearing: 'unreadable',
  unheardSinceMs: 1,
};

const nodes: readonly NodeStatus[] = [
  {
    ...noCounts(),
    id: 'hourly',
    kind: 'window',
    time: { watermark: 1, open: 1, next: null, heldBy: null },
  },
  {
    ...noCounts(),
    id: 'prices',
    kind: 'lookup',
    asked: { calls: 2, failed: 1, p50Ms: 1, p99Ms: 1, maxMs: 1, waiting: 0 },
  },
  { ...noCounts(), id: 'table', kind: 'sink', lateSince: 1 },
];

const state = {
  entries: 1,
  fileBytes: 1,
  runs: 1,
  changedBytes: 1,
  writtenEntries: 1,
  writtenBytes: 1,
  stallMs: 1,
  restoreMs: 1,
  damage: null,
  restingRecords: 1,
  restingBytes: 1,
  folder: null,
};

async function topologiesText(): Promise<string> {
  const count: FirehoseCount = 'throttled';
  const job = jobStatus([split], { state, nodes });
  const status = hostStatus({ job, happened: { [`firehose-${count}`]: 1 } });
  return (await topologyMetrics([status], 1_000)).text;
}
