/**
 * The numbers of topologies for Prometheus, made of what they say of themselves at the time of the
 * scrape. Names: `sluice_<what>_<unit>`; counters end in `_total`.
 *
 * Invariants:
 * 1. Every metric is in one table, and in the text in its order, also while nothing has it.
 * 2. A registry lives for one scrape: a topology, node or split that is gone leaves no series.
 */
import { Registry } from 'prom-client';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { JobStatus, NodeStatus, SplitStatus } from '../../topology/index.ts';
import type { TopologyHostStatus } from './hosted-topology.ts';
import type { MetricDefinition, MetricsOf } from './metric-table.ts';
import { registerMetrics } from './metric-table.ts';

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

const ofTopology = ['topology'];
const ofNode = ['topology', 'node'];
const ofSplit = ['topology', 'source', 'stream', 'path', 'split'];

function gauge(name: string, help: string, labels = ofTopology) {
  return { kind: 'gauge', name, help, labels } as const satisfies MetricDefinition;
}

function counter(name: string, help: string, labels = ofTopology) {
  return { kind: 'counter', name, help, labels } as const satisfies MetricDefinition;
}

const table = {
  running: gauge('sluice_topology_running', '1 while the topology runs'),
  restarts: counter('sluice_topology_restarts_total', 'Starts after a fault'),
  checkpoint: gauge('sluice_checkpoint_id', 'The last completed checkpoint'),
  age: gauge('sluice_checkpoint_age_seconds', 'Since the last completed checkpoint'),
  stall: gauge(
    'sluice_checkpoint_stall_seconds',
    'The longest time that the last checkpoint kept events waiting at once while it encoded the state',
  ),
  writtenBytes: gauge(
    'sluice_checkpoint_written_bytes',
    'What the last checkpoint encoded of the state, before it was compressed',
  ),
  stateEntries: gauge('sluice_state_entries', 'Entries of the state: keys, windows, rows'),
  stateFileBytes: gauge(
    'sluice_state_file_bytes',
    'Bytes of the files of state that the last checkpoint names',
  ),
  stateRuns: gauge('sluice_state_runs', 'Sorted runs that these files are parts of'),
  stateChanged: gauge(
    'sluice_state_changed_bytes',
    'About what changed in the state and is in no checkpoint yet',
  ),
  stateResting: gauge(
    'sluice_state_resting_bytes',
    'What state that was not used for a while takes, in memory or on disk',
  ),
  restored: gauge(
    'sluice_state_restore_seconds',
    'How long the state took to be restored when the topology was started',
  ),
  failures: counter('sluice_checkpoint_failures_total', 'Tries of a checkpoint that failed'),
  inARow: gauge(
    'sluice_checkpoint_failures_in_a_row',
    'Of those, the ones since the last completed checkpoint',
  ),
  alarm: gauge(
    'sluice_checkpoint_alarm',
    '1 while so many failed in a row that somebody has to look',
  ),
  silent: gauge(
    'sluice_topology_silent_seconds',
    'For how long its thread has not answered; 0 while it does',
  ),
  uncommitted: gauge(
    'sluice_uncommitted_rows',
    'Rows that sinks took and no completed checkpoint made visible yet',
  ),
  rejected: counter('sluice_rejected_events_total', 'Rejected events since the first start'),
  losses: counter('sluice_losses_total', 'Ranges of records that were gone before they were read'),
  lost: counter('sluice_lost_records_total', 'Records of those whose number is known'),
  elements: counter('sluice_node_elements_total', 'Elements of a node by what became of them', [
    'topology',
    'node',
    'outcome',
  ]),
  late: gauge(
    'sluice_sink_late_seconds',
    'For how long a sink has been behind its checkpoints; 0 while it is not',
    ofNode,
  ),
  watermarkLag: gauge(
    'sluice_node_watermark_lag_seconds',
    'How far the watermark of a node that waits for time is behind processing time, while it has anything open',
    ofNode,
  ),
  lookups: counter('sluice_lookup_calls_total', 'Calls of a look-up that have ended', [
    'topology',
    'node',
    'outcome',
  ]),
  took: gauge(
    'sluice_lookup_seconds',
    'What that part of the last calls of a look-up took at most',
    ['topology', 'node', 'quantile'],
  ),
  lag: gauge(
    'sluice_split_lag_records',
    'Records in the stream that are not in the state',
    ofSplit,
  ),
  behind: gauge(
    'sluice_split_behind_seconds',
    'How far the last read was behind the end of the stream',
    ofSplit,
  ),
  eventLag: gauge(
    'sluice_split_event_lag_seconds',
    'How far the latest event time is behind processing time',
    ofSplit,
  ),
  unheard: gauge(
    'sluice_split_unheard',
    '1 while a split cannot be read, is slow or paused, and so holds the watermark',
    ofSplit,
  ),
  idle: gauge(
    'sluice_split_idle',
    '1 while a split is idle, so that it holds no watermark',
    ofSplit,
  ),
  connector: counter(
    'sluice_connector_events_total',
    'What happened to the connections of a topology',
    ['topology', 'event'],
  ),
};

type Metrics = MetricsOf<typeof table>;

export async function topologyMetrics(
  statuses: readonly TopologyHostStatus[],
  nowMs: number,
): Promise<MetricsText> {
  const registry = new Registry();
  const metrics = registerMetrics(table, registry);
  for (const status of statuses) {
    const topology = status.name ?? status.file;
    setRun(metrics, topology, status, nowMs);
    if (status.job === null) continue;
    setJob(metrics, topology, status.job, nowMs);
    for (const node of status.job.nodes) setNode(metrics, topology, node, nowMs);
    for (const split of status.job.splits) setSplit(metrics, topology, split);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function setRun(
  metrics: Metrics,
  topology: string,
  { state, restarts, checkpoints, silentSinceMs, happened }: TopologyHostStatus,
  nowMs: number,
): void {
  metrics.running.set({ topology }, state === 'running' || state === 'draining' ? 1 : 0);
  metrics.restarts.inc({ topology }, restarts);
  metrics.failures.inc({ topology }, checkpoints.failures);
  metrics.inARow.set({ topology }, checkpoints.inARow);
  metrics.alarm.set({ topology }, checkpoints.alarm ? 1 : 0);
  metrics.silent.set({ topology }, silentSinceMs === null ? 0 : (nowMs - silentSinceMs) / 1_000);
  for (const [event, count] of Object.entries(happened))
    metrics.connector.inc({ topology, event }, count);
}

function setJob(metrics: Metrics, topology: string, job: JobStatus, nowMs: number): void {
  if (job.checkpoint !== null) {
    metrics.checkpoint.set({ topology }, job.checkpoint.id);
    metrics.age.set({ topology }, (nowMs - job.checkpoint.completedAtMs) / 1_000);
  }
  if (job.state !== null) setState(metrics, topology, job.state);
  metrics.uncommitted.set({ topology }, job.uncommittedRows);
  metrics.rejected.inc({ topology }, job.rejected);
  metrics.losses.inc({ topology }, job.losses.total);
  metrics.lost.inc({ topology }, job.losses.records);
}

function setState(
  metrics: Metrics,
  topology: string,
  state: NonNullable<JobStatus['state']>,
): void {
  metrics.stall.set({ topology }, state.stallMs / 1_000);
  metrics.writtenBytes.set({ topology }, state.writtenBytes);
  metrics.stateEntries.set({ topology }, state.entries);
  metrics.stateFileBytes.set({ topology }, state.fileBytes);
  metrics.stateRuns.set({ topology }, state.runs);
  metrics.stateChanged.set({ topology }, state.changedBytes);
  metrics.stateResting.set({ topology }, state.restingBytes);
  if (state.restoreMs !== null) metrics.restored.set({ topology }, state.restoreMs / 1_000);
}

function setNode(metrics: Metrics, topology: string, status: NodeStatus, nowMs: number): void {
  const { id: node, kind, lateSince, asked, time } = status;
  for (const outcome of outcomes)
    metrics.elements.inc({ topology, node, outcome }, status[outcome]);
  if (asked !== undefined) {
    metrics.lookups.inc({ topology, node, outcome: 'answered' }, asked.calls - asked.failed);
    metrics.lookups.inc({ topology, node, outcome: 'failed' }, asked.failed);
    for (const [quantile, ms] of [
      ['0.5', asked.p50Ms],
      ['0.99', asked.p99Ms],
      ['1', asked.maxMs],
    ] as const)
      if (ms !== null) metrics.took.set({ topology, node, quantile }, ms / 1_000);
  }
  if (time !== undefined && time.open > 0 && typeof time.watermark === 'number')
    metrics.watermarkLag.set({ topology, node }, (nowMs - time.watermark) / 1_000);
  if (kind !== 'sink') return;
  metrics.late.set({ topology, node }, lateSince === undefined ? 0 : (nowMs - lateSince) / 1_000);
}

function setSplit(metrics: Metrics, topology: string, status: SplitStatus): void {
  const { source, stream, path, split, lag, behindMs, eventLagMs, hearing, idle } = status;
  const labels = { topology, source, stream, path, split };
  metrics.unheard.set(labels, hearing === 'caught-up' || hearing === 'behind' ? 0 : 1);
  metrics.idle.set(labels, idle ? 1 : 0);
  if (lag !== null) metrics.lag.set(labels, lag);
  if (behindMs !== null) metrics.behind.set(labels, behindMs / 1_000);
  if (eventLagMs !== null) metrics.eventLag.set(labels, eventLagMs / 1_000);
}

/** Several texts as one: their metrics have different names. */
export function joinMetrics(first: MetricsText, second: MetricsText): MetricsText {
  return { contentType: first.contentType, text: `${first.text.trimEnd()}\n${second.text}` };
}
