/**
 * The numbers of the ingress as Prometheus text
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Histogram } from './histogram.ts';
import { histogramBoundsMs } from './histogram.ts';
import type { IngressGauges, Measured } from './metrics.ts';

export const metricsContentType: string = new Registry().contentType;

const breakerLevels = { closed: 0, 'half-open': 1, open: 2 } as const;

/** What makes the metrics of one text. */
interface Make {
  readonly counter: (name: string, help: string, ...labelNames: string[]) => Counter;
  readonly gauge: (name: string, help: string, ...labelNames: string[]) => Gauge;
}

export async function metricsText(measured: Measured): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const make: Make = {
    counter: (name, help, ...labelNames) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, ...labelNames) => new Gauge({ name, help, labelNames, registers }),
  };
  tellRequests(make, measured);
  tellEvents(make, measured);
  tellWarnings(make, measured);
  tellWrites(make, measured);
  tellConnections(make, measured.gauges);
  tellMemory(make, measured.gauges);
  tellReloads(make, measured.gauges);
  tellRoutes(make, measured.gauges);
  return `${await registry.metrics()}${histogramsText(measured)}`;
}

function tellRequests(make: Make, { requests, bodyBytes, statuses }: Measured): void {
  const requestsTotal = make.counter(
    'sluice_ingress_requests_total',
    'Requests and messages that carried events',
    'protocol',
  );
  for (const [protocol, count] of requests) requestsTotal.inc({ protocol }, count);
  make.counter('sluice_ingress_body_bytes_total', 'Bytes of bodies as they arrived').inc(bodyBytes);
  const answers = make.counter('sluice_ingress_answers_total', 'Answers by status', 'status');
  for (const [status, count] of statuses) answers.inc({ status }, count);
}

function tellEvents(make: Make, { total, byStream }: Measured): void {
  const accepted = make.counter(
    'sluice_ingress_events_accepted_total',
    'Events accepted, by the route they take',
    'stream',
    'route',
  );
  const weaker = make.counter(
    'sluice_ingress_events_local_total',
    'Accepted events that only this machine had when answered',
    'stream',
    'ack',
  );
  const repeated = make.counter(
    'sluice_ingress_events_repeated_total',
    'Events answered as the first of their identity',
    'stream',
  );
  const refused = make.counter(
    'sluice_ingress_events_refused_total',
    'Events, and requests without, that were refused',
    'stream',
    'code',
  );
  const eventBytes = make.counter(
    'sluice_ingress_event_bytes_total',
    'Bytes of the data of accepted events',
    'stream',
  );
  for (const [stream, counts] of byStream) {
    for (const [route, count] of Object.entries(counts.accepted))
      accepted.inc({ stream, route }, count);
    weaker.inc({ stream, ack: 'spooled' }, counts.spooled);
    weaker.inc({ stream, ack: 'buffered' }, counts.buffered);
    repeated.inc({ stream }, counts.repeated);
    eventBytes.inc({ stream }, counts.bytes);
    for (const [code, count] of Object.entries(counts.refused))
      refused.inc({ stream, code }, count);
  }
  for (const [code, count] of Object.entries(total.refused)) {
    let placed = 0;
    for (const counts of byStream.values()) placed += counts.refused[code] ?? 0;
    if (count > placed) refused.inc({ stream: '', code }, count - placed);
  }
}

/** Events taken with a warning, and events lost. */
function tellWarnings(make: Make, { warned: warnedBy, dropped: droppedBy }: Measured): void {
  const warned = make.counter(
    'sluice_ingress_events_warned_total',
    'Events taken although they do not fit the schema of their stream',
    'stream',
  );
  for (const [stream, count] of warnedBy) warned.inc({ stream }, count);
  const dropped = make.counter(
    'sluice_ingress_events_dropped_total',
    'Events answered from memory that were lost',
    'stream',
  );
  for (const [stream, count] of droppedBy) dropped.inc({ stream }, count);
}

function tellWrites(make: Make, { writes }: Measured): void {
  const batches = make.counter(
    'sluice_ingress_batches_total',
    'Writes to a stream',
    'stream',
    'path',
  );
  const batchRecords = make.counter(
    'sluice_ingress_batch_records_total',
    'Records of these writes: their ratio is the fill',
    'stream',
    'path',
  );
  const batchBytes = make.counter(
    'sluice_ingress_batch_bytes_total',
    'Bytes of these writes',
    'stream',
    'path',
  );
  const splitRecords = make.counter(
    'sluice_ingress_split_records_total',
    'Records written, by shard or partition',
    'stream',
    'path',
    'split',
  );
  const failures = make.counter(
    'sluice_ingress_write_failures_total',
    'Records that a write failed for, by code',
    'stream',
    'path',
    'code',
  );
  for (const { stream, route: path, bySplit, byFailure, ...counts } of writes) {
    batches.inc({ stream, path }, counts.batches);
    batchRecords.inc({ stream, path }, counts.records);
    batchBytes.inc({ stream, path }, counts.bytes);
    for (const [split, count] of bySplit) splitRecords.inc({ stream, path, split }, count);
    for (const [code, count] of byFailure) failures.inc({ stream, path, code }, count);
  }
}

function tellConnections(make: Make, gauges: IngressGauges): void {
  const connections = make.counter(
    'sluice_ingress_connection_events_total',
    'What happened to connections to the streams',
    'event',
  );
  for (const [event, count] of Object.entries(gauges.happened ?? {}))
    connections.inc({ event }, count);
}

function tellMemory(make: Make, gauges: IngressGauges): void {
  make
    .gauge('sluice_ingress_in_flight_bytes', 'Bytes of requests that are not answered yet')
    .set(gauges.inFlightBytes);
  make
    .gauge(
      'sluice_ingress_buffered_bytes',
      'Bytes of events answered from memory that are on their way',
    )
    .set(gauges.bufferedBytes);
  make.gauge('sluice_ingress_websockets_open', 'WebSockets that are open').set(gauges.webSockets);
  make
    .gauge('sluice_ingress_repeats_remembered', 'Identities that are remembered for their repeats')
    .set(gauges.repeats.size);
  make
    .gauge('sluice_ingress_repeats_bytes', 'What they take of ingress.repeat_window_mb')
    .set(gauges.repeats.bytes);
  make
    .counter(
      'sluice_ingress_repeats_evicted_total',
      'Identities that made room for others before ingress.repeat_window_s',
    )
    .inc(gauges.repeats.evicted);
}

function tellReloads(make: Make, { reloads }: IngressGauges): void {
  const { taken, refused: notTaken, refusal } = reloads;
  const outcomes = make.counter(
    'sluice_ingress_config_reloads_total',
    'Changes of the configuration while it ran, by outcome',
    'outcome',
  );
  for (const [outcome, count] of Object.entries({ taken, refused: notTaken }))
    outcomes.inc({ outcome }, count);
  make
    .gauge(
      'sluice_ingress_config_refused_since_seconds',
      'Since when (epoch) the configuration file is refused and an older one in force; 0: it is in force',
    )
    .set((refusal?.sinceMs ?? 0) / 1_000);
}

/** Queue, breaker and spool of each stream and route. */
function tellRoutes(make: Make, gauges: IngressGauges): void {
  const queue = make.gauge(
    'sluice_ingress_queue_bytes',
    'Bytes that wait to be written or are under way',
    'stream',
    'path',
  );
  const breaker = make.gauge(
    'sluice_ingress_breaker_state',
    '0 closed, 1 half open, 2 open',
    'stream',
    'path',
  );
  const spoolBytes = make.gauge(
    'sluice_ingress_spool_bytes',
    'Bytes on the disk that wait for the stream',
    'stream',
    'path',
  );
  const spoolRecords = make.gauge(
    'sluice_ingress_spool_records',
    'Records on the disk that wait for the stream',
    'stream',
    'path',
  );
  const spoolAge = make.gauge(
    'sluice_ingress_spool_age_seconds',
    'Age of the oldest of them',
    'stream',
    'path',
  );
  make
    .gauge('sluice_ingress_spool_max_bytes', 'What the spool of one stream and path may take')
    .set(gauges.spoolMaxBytes);
  for (const { stream, path, ...state } of gauges.routes) {
    const labels = { stream, path };
    queue.set(labels, state.queueBytes);
    breaker.set(labels, breakerLevels[state.breaker]);
    spoolBytes.set(labels, state.spoolBytes);
    spoolRecords.set(labels, state.spoolRecords);
    spoolAge.set(labels, state.spoolAgeMs / 1_000);
  }
}

function histogramsText({ latencies, writeTimes }: Measured): string {
  const stages = [...latencies].map(([stage, times]) =>
    histogramText('sluice_ingress_latency_seconds', 'stage', stage, times),
  );
  return [
    histogramHead('sluice_ingress_latency_seconds', 'Latency of requests by stage'),
    ...stages,
    histogramHead('sluice_ingress_write_seconds', 'Time of one write to a stream'),
    histogramText('sluice_ingress_write_seconds', '', '', writeTimes),
  ].join('');
}

function histogramHead(name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
}

function histogramText(
  name: string,
  label: string,
  value: string,
  { counts, sumMs }: Histogram,
): string {
  const own = label === '' ? '' : `${label}="${value}"`;
  const comma = own === '' ? '' : ',';
  const braces = own === '' ? '' : `{${own}}`;
  let cumulated = 0;
  let text = '';
  for (const [index, count] of counts.entries()) {
    cumulated += count;
    const bound = histogramBoundsMs[index];
    text += `${name}_bucket{${own}${comma}le="${bound === undefined ? '+Inf' : bound / 1_000}"} ${cumulated}\n`;
  }
  return `${text}${name}_sum${braces} ${sumMs / 1_000}\n${name}_count${braces} ${cumulated}\n`;
}
