/**
 * The numbers of topologies for Prometheus, made of what they say of themselves at the time of the
 * scrape. Names: `sluice_<what>_<unit>`; counters end in `_total`.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { TopologyHostStatus } from './topology-host.ts';

/** Outcomes of a node's elements, as they are counted. */
const outcomes = [
  'in',
  'passed',
  'filtered',
  'late',
  'deduplicated',
  'rejected',
  'emitted',
] as const;

export async function topologyMetrics(
  statuses: readonly TopologyHostStatus[],
  nowMs: number,
): Promise<MetricsText> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: readonly string[]): Gauge =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
    new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  const running = gauge('sluice_topology_running', '1 while the topology runs', ['topology']);
  const restarts = counter('sluice_topology_restarts_total', 'Starts after a fault', ['topology']);
  const checkpoint = gauge('sluice_checkpoint_id', 'The last completed checkpoint', ['topology']);
  const age = gauge('sluice_checkpoint_age_seconds', 'Since the last completed checkpoint', [
    'topology',
  ]);
  const failures = counter(
    'sluice_checkpoint_failures_total',
    'Tries of a checkpoint that failed',
    ['topology'],
  );
  const inARow = gauge(
    'sluice_checkpoint_failures_in_a_row',
    'Of those, the ones since the last completed checkpoint',
    ['topology'],
  );
  const alarm = gauge(
    'sluice_checkpoint_alarm',
    '1 while so many failed in a row that somebody has to look',
    ['topology'],
  );
  const silent = gauge(
    'sluice_topology_silent_seconds',
    'For how long its thread has not answered; 0 while it does',
    ['topology'],
  );
  const uncommitted = gauge(
    'sluice_uncommitted_rows',
    'Rows that sinks took and no completed checkpoint made visible yet',
    ['topology'],
  );
  const rejected = counter(
    'sluice_rejected_events_total',
    'Rejected events since the first start',
    ['topology'],
  );
  const losses = counter(
    'sluice_losses_total',
    'Ranges of records that were gone before they were read',
    ['topology'],
  );
  const lost = counter('sluice_lost_records_total', 'Records of those whose number is known', [
    'topology',
  ]);
  const elements = counter(
    'sluice_node_elements_total',
    'Elements of a node by what became of them',
    ['topology', 'node', 'outcome'],
  );
  const late = gauge(
    'sluice_sink_late_seconds',
    'For how long a sink has been behind its checkpoints; 0 while it is not',
    ['topology', 'node'],
  );
  const lookups = counter('sluice_lookup_calls_total', 'Calls of a look-up that have ended', [
    'topology',
    'node',
    'outcome',
  ]);
  const took = gauge(
    'sluice_lookup_seconds',
    'What that part of the last calls of a look-up took at most',
    ['topology', 'node', 'quantile'],
  );
  const split = ['topology', 'source', 'stream', 'path', 'split'];
  const lag = gauge(
    'sluice_split_lag_records',
    'Records in the stream that are not in the state',
    split,
  );
  const behind = gauge(
    'sluice_split_behind_seconds',
    'How far the last read was behind the end of the stream',
    split,
  );
  const eventLag = gauge(
    'sluice_split_event_lag_seconds',
    'How far the latest event time is behind processing time',
    split,
  );
  const unheard = gauge(
    'sluice_split_unheard',
    '1 while a split cannot be read, is slow or paused, and so holds the watermark',
    split,
  );
  const connector = counter(
    'sluice_connector_events_total',
    'What happened to the connections of a topology',
    ['topology', 'event'],
  );
  for (const {
    file,
    name,
    state,
    restarts: started,
    checkpoints,
    silentSinceMs,
    job,
    happened,
  } of statuses) {
    const topology = name ?? file;
    running.set({ topology }, state === 'running' || state === 'draining' ? 1 : 0);
    restarts.inc({ topology }, started);
    failures.inc({ topology }, checkpoints.failures);
    inARow.set({ topology }, checkpoints.inARow);
    alarm.set({ topology }, checkpoints.alarm ? 1 : 0);
    silent.set({ topology }, silentSinceMs === null ? 0 : (nowMs - silentSinceMs) / 1_000);
    for (const [event, count] of Object.entries(happened))
      connector.inc({ topology, event }, count);
    if (job === null) continue;
    if (job.checkpoint !== null) {
      checkpoint.set({ topology }, job.checkpoint.id);
      age.set({ topology }, (nowMs - job.checkpoint.completedAtMs) / 1_000);
    }
    uncommitted.set({ topology }, job.uncommittedRows);
    rejected.inc({ topology }, job.rejected);
    losses.inc({ topology }, job.losses.total);
    lost.inc({ topology }, job.losses.records);
    for (const node of job.nodes) {
      for (const outcome of outcomes)
        elements.inc({ topology, node: node.id, outcome }, node[outcome]);
      const { lateSince, asked } = node;
      if (asked !== undefined) {
        lookups.inc({ topology, node: node.id, outcome: 'answered' }, asked.calls - asked.failed);
        lookups.inc({ topology, node: node.id, outcome: 'failed' }, asked.failed);
        for (const [quantile, ms] of [
          ['0.5', asked.p50Ms],
          ['0.99', asked.p99Ms],
          ['1', asked.maxMs],
        ] as const)
          if (ms !== null) took.set({ topology, node: node.id, quantile }, ms / 1_000);
      }
      if (node.kind === 'sink')
        late.set(
          { topology, node: node.id },
          lateSince === undefined ? 0 : (nowMs - lateSince) / 1_000,
        );
    }
    for (const {
      source,
      stream,
      path,
      split: id,
      lag: records,
      behindMs,
      eventLagMs,
      hearing,
    } of job.splits) {
      const labels = { topology, source, stream, path, split: id };
      unheard.set(labels, hearing === 'caught-up' || hearing === 'behind' ? 0 : 1);
      if (records !== null) lag.set(labels, records);
      if (behindMs !== null) behind.set(labels, behindMs / 1_000);
      if (eventLagMs !== null) eventLag.set(labels, eventLagMs / 1_000);
    }
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** Several texts as one: their metrics have different names. */
export function joinMetrics(first: MetricsText, second: MetricsText): MetricsText {
  return { contentType: first.contentType, text: `${first.text.trimEnd()}\n${second.text}` };
}
