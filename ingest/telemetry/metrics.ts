/**
 * What the ingress counts. Plain numbers on the hot path; Prometheus text
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) is made when somebody asks.
 *
 * Invariants:
 * 1. Conservation, at rest: received = accepted by route + repeated + refused by code.
 * 2. Labels come from closed sets: configured streams, paths, their shards and partitions, codes of
 *    the source.
 */

import { Counter, Gauge, Registry } from 'prom-client';
import type { Ack } from '../../schemas/config.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import type { Path } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { StreamPathState } from '../delivery/path-delivery.ts';
import type { RepeatsState } from '../delivery/repeats.ts';
import type { Histogram } from './histogram.ts';
import { createHistogram, histogramBoundsMs } from './histogram.ts';
import type { ReloadState } from './reloads.ts';
import { noReloads } from './reloads.ts';

export type Protocol = 'http' | 'ndjson' | 'ws' | 'segment' | 'pixel';

/**
 * `network`: client to first byte; `processing`: body whole to events found; `bus`: from then to
 * settled; `end_to_end`: first byte to answer.
 */
export type LatencyStage = 'network' | 'processing' | 'bus' | 'end_to_end';

export interface EventCounts {
  /** Events that were found in bodies, and requests that were refused before any was. */
  readonly received: number;
  /** By the path that they took, or wait to take. */
  readonly accepted: Readonly<Record<Path, number>>;
  /** Of the accepted: those that only this machine had when they were answered. */
  readonly spooled: number;
  readonly buffered: number;
  /** Answered as what became of the first of their identity. */
  readonly repeated: number;
  /** By code. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface IngressCounts extends EventCounts {
  readonly requests: number;
  readonly bytes: number;
  readonly inFlightBytes: number;
  /** By `team/app`; what was refused before its stream was known is in none. */
  readonly byStream: Readonly<Record<string, EventCounts>>;
}

export interface IngressGauges {
  /** What happened to connections to the streams, by name. */
  readonly happened?: Readonly<Record<string, number>>;
  readonly inFlightBytes: number;
  readonly bufferedBytes: number;
  readonly webSockets: number;
  readonly repeats: RepeatsState;
  readonly paths: readonly StreamPathState[];
  readonly reloads: ReloadState;
}

/** The answer to a scrape. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface IngressMetrics {
  /** A request that carried a body, or a message. */
  request(protocol: Protocol, bytes: number): void;
  answered(status: number): void;
  accepted(stream: string, outcome: Ack | 'repeated', route: Path, bytes: number): void;
  /**
   * An event, or a request before its events were found. `stream` only when it is a configured one.
   */
  refused(stream: string | undefined, code: RefusedCode): void;
  /** An event that does not fit its stream's schema and was taken all the same. */
  warned(stream: string): void;
  /** An event that was answered from memory and is lost. */
  dropped(stream: string): void;
  /** One write to a stream, and what became of its records. */
  batch(
    stream: string,
    path: Path,
    outcomes: readonly WriteOutcome[],
    bytes: number,
    tookMs: number,
  ): void;
  latency(stage: LatencyStage, ms: number): void;
  /** Where the gauges are read from. */
  gauges(read: () => IngressGauges): void;
  counts(): IngressCounts;
  text(): Promise<string>;
  readonly contentType: string;
}

type Mutable<T> = { -readonly [P in keyof T]: T[P] };
type Tally = Mutable<Omit<EventCounts, 'accepted' | 'refused'>> & {
  accepted: Record<Path, number>;
  refused: Record<string, number>;
  bytes: number;
};
interface Writes {
  readonly stream: string;
  readonly path: Path;
  batches: number;
  records: number;
  bytes: number;
  /** Records that are in the stream, by shard or partition. */
  readonly bySplit: Map<string, number>;
  /** The others, by code: each may be tried again. */
  readonly byFailure: Map<string, number>;
}

const stages: readonly LatencyStage[] = ['network', 'processing', 'bus', 'end_to_end'];
const breakerLevels = { closed: 0, 'half-open': 1, open: 2 } as const;
const nothing: IngressGauges = {
  inFlightBytes: 0,
  bufferedBytes: 0,
  webSockets: 0,
  repeats: { size: 0, bytes: 0, evicted: 0 },
  paths: [],
  reloads: noReloads,
};

export function ingressMetrics(): IngressMetrics {
  const total = tally();
  const byStream = new Map<string, Tally>();
  const requests = new Map<Protocol, number>();
  const statuses = new Map<number, number>();
  const writes = new Map<string, Writes>();
  const droppedBy = new Map<string, number>();
  const warnedBy = new Map<string, number>();
  const latencies = new Map<LatencyStage, Histogram>(
    stages.map((stage) => [stage, createHistogram()]),
  );
  const write = createHistogram();
  let bytes = 0;
  let readGauges = (): IngressGauges => nothing;

  const of = (stream: string): Tally => {
    let found = byStream.get(stream);
    if (found === undefined) byStream.set(stream, (found = tally()));
    return found;
  };

  const metrics: IngressMetrics = {
    request(protocol, size) {
      requests.set(protocol, (requests.get(protocol) ?? 0) + 1);
      bytes += size;
    },
    answered: (status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1),
    accepted(stream, outcome, route, size) {
      for (const counts of [total, of(stream)]) {
        counts.received++;
        if (outcome === 'repeated') counts.repeated++;
        else {
          counts.accepted[route]++;
          counts.bytes += size;
          if (outcome !== 'replicated') counts[outcome]++;
        }
      }
    },
    refused(stream, code) {
      for (const counts of stream === undefined ? [total] : [total, of(stream)]) {
        counts.received++;
        counts.refused[code] = (counts.refused[code] ?? 0) + 1;
      }
    },
    warned: (stream) => void warnedBy.set(stream, (warnedBy.get(stream) ?? 0) + 1),
    dropped: (stream) => void droppedBy.set(stream, (droppedBy.get(stream) ?? 0) + 1),
    batch(stream, path, outcomes, size, tookMs) {
      const name = `${stream} ${path}`;
      let found = writes.get(name);
      if (found === undefined) {
        writes.set(
          name,
          (found = {
            stream,
            path,
            batches: 0,
            records: 0,
            bytes: 0,
            bySplit: new Map(),
            byFailure: new Map(),
          }),
        );
      }
      found.batches++;
      found.records += outcomes.length;
      found.bytes += size;
      for (const outcome of outcomes) {
        if (outcome.kind === 'applied')
          found.bySplit.set(outcome.split, (found.bySplit.get(outcome.split) ?? 0) + 1);
        else found.byFailure.set(outcome.code, (found.byFailure.get(outcome.code) ?? 0) + 1);
      }
      write.observe(tookMs);
    },
    latency: (stage, ms) => latencies.get(stage)?.observe(ms),
    gauges(read) {
      readGauges = read;
    },
    counts: () => ({
      ...copyOf(total),
      requests: sumOf(requests),
      bytes,
      inFlightBytes: readGauges().inFlightBytes,
      byStream: Object.fromEntries(
        [...byStream].map(([stream, counts]) => [stream, copyOf(counts)]),
      ),
    }),
    text: async () => {
      const registry = new Registry();
      exportTo(registry);
      const histograms = [
        ...stages.map((stage) =>
          histogramText(
            'sluice_ingress_latency_seconds',
            'stage',
            stage,
            latencies.get(stage) as Histogram,
          ),
        ),
        histogramHead('sluice_ingress_write_seconds', 'Time of one write to a stream'),
        histogramText('sluice_ingress_write_seconds', '', '', write),
      ];
      const head = histogramHead('sluice_ingress_latency_seconds', 'Latency of requests by stage');
      return `${await registry.metrics()}${head}${histograms.join('')}`;
    },
    contentType: new Registry().contentType,
  };
  return metrics;

  function exportTo(registry: Registry): void {
    const registers = [registry];
    const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
      new Counter({ name, help, labelNames, registers });
    const gauge = (name: string, help: string, ...labelNames: string[]): Gauge =>
      new Gauge({ name, help, labelNames, registers });
    const requestsTotal = counter(
      'sluice_ingress_requests_total',
      'Requests and messages that carried events',
      'protocol',
    );
    for (const [protocol, count] of requests) requestsTotal.inc({ protocol }, count);
    counter('sluice_ingress_body_bytes_total', 'Bytes of bodies as they arrived').inc(bytes);
    const answers = counter('sluice_ingress_answers_total', 'Answers by status', 'status');
    for (const [status, count] of statuses) answers.inc({ status }, count);
    const accepted = counter(
      'sluice_ingress_events_accepted_total',
      'Events accepted, by the path they take',
      'stream',
      'route',
    );
    const weaker = counter(
      'sluice_ingress_events_local_total',
      'Accepted events that only this machine had when answered',
      'stream',
      'ack',
    );
    const repeated = counter(
      'sluice_ingress_events_repeated_total',
      'Events answered as the first of their identity',
      'stream',
    );
    const refused = counter(
      'sluice_ingress_events_refused_total',
      'Events, and requests without, that were refused',
      'stream',
      'code',
    );
    const eventBytes = counter(
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
    const warned = counter(
      'sluice_ingress_events_warned_total',
      'Events taken although they do not fit the schema of their stream',
      'stream',
    );
    for (const [stream, count] of warnedBy) warned.inc({ stream }, count);
    const dropped = counter(
      'sluice_ingress_events_dropped_total',
      'Events answered from memory that were lost',
      'stream',
    );
    for (const [stream, count] of droppedBy) dropped.inc({ stream }, count);
    const batches = counter('sluice_ingress_batches_total', 'Writes to a stream', 'stream', 'path');
    const batchRecords = counter(
      'sluice_ingress_batch_records_total',
      'Records of these writes: their ratio is the fill',
      'stream',
      'path',
    );
    const batchBytes = counter(
      'sluice_ingress_batch_bytes_total',
      'Bytes of these writes',
      'stream',
      'path',
    );
    const splitRecords = counter(
      'sluice_ingress_split_records_total',
      'Records written, by shard or partition',
      'stream',
      'path',
      'split',
    );
    const failures = counter(
      'sluice_ingress_write_failures_total',
      'Records that a write failed for, by code',
      'stream',
      'path',
      'code',
    );
    for (const { stream, path, bySplit, byFailure, ...counts } of writes.values()) {
      batches.inc({ stream, path }, counts.batches);
      batchRecords.inc({ stream, path }, counts.records);
      batchBytes.inc({ stream, path }, counts.bytes);
      for (const [split, count] of bySplit) splitRecords.inc({ stream, path, split }, count);
      for (const [code, count] of byFailure) failures.inc({ stream, path, code }, count);
    }
    const read = readGauges();
    const connections = counter(
      'sluice_ingress_connection_events_total',
      'What happened to connections to the streams',
      'event',
    );
    for (const [event, count] of Object.entries(read.happened ?? {}))
      connections.inc({ event }, count);
    gauge('sluice_ingress_in_flight_bytes', 'Bytes of requests that are not answered yet').set(
      read.inFlightBytes,
    );
    gauge(
      'sluice_ingress_buffered_bytes',
      'Bytes of events answered from memory that are on their way',
    ).set(read.bufferedBytes);
    gauge('sluice_ingress_websockets_open', 'WebSockets that are open').set(read.webSockets);
    gauge(
      'sluice_ingress_repeats_remembered',
      'Identities that are remembered for their repeats',
    ).set(read.repeats.size);
    gauge('sluice_ingress_repeats_bytes', 'What they take of ingress.repeat_window_mb').set(
      read.repeats.bytes,
    );
    counter(
      'sluice_ingress_repeats_evicted_total',
      'Identities that made room for others before ingress.repeat_window_s',
    ).inc(read.repeats.evicted);
    const { taken, refused: notTaken, refusal } = read.reloads;
    const reloads = counter(
      'sluice_ingress_config_reloads_total',
      'Changes of the configuration while it ran, by outcome',
      'outcome',
    );
    for (const [outcome, count] of Object.entries({ taken, refused: notTaken }))
      reloads.inc({ outcome }, count);
    gauge(
      'sluice_ingress_config_refused_since_seconds',
      'Since when (epoch) the configuration file is refused and an older one in force; 0: it is in force',
    ).set((refusal?.sinceMs ?? 0) / 1_000);
    const queue = gauge(
      'sluice_ingress_queue_bytes',
      'Bytes that wait to be written or are under way',
      'stream',
      'path',
    );
    const breaker = gauge(
      'sluice_ingress_breaker_state',
      '0 closed, 1 half open, 2 open',
      'stream',
      'path',
    );
    const spoolBytes = gauge(
      'sluice_ingress_spool_bytes',
      'Bytes on the disk that wait for the stream',
      'stream',
      'path',
    );
    const spoolRecords = gauge(
      'sluice_ingress_spool_records',
      'Records on the disk that wait for the stream',
      'stream',
      'path',
    );
    const spoolAge = gauge(
      'sluice_ingress_spool_age_seconds',
      'Age of the oldest of them',
      'stream',
      'path',
    );
    for (const { stream, path, ...state } of read.paths) {
      const labels = { stream, path };
      queue.set(labels, state.queueBytes);
      breaker.set(labels, breakerLevels[state.breaker]);
      spoolBytes.set(labels, state.spoolBytes);
      spoolRecords.set(labels, state.spoolRecords);
      spoolAge.set(labels, state.spoolAgeMs / 1_000);
    }
  }
}

function tally(): Tally {
  return {
    received: 0,
    accepted: { kinesis: 0, kafka: 0 },
    spooled: 0,
    buffered: 0,
    repeated: 0,
    refused: {},
    bytes: 0,
  };
}

function copyOf({ received, accepted, spooled, buffered, repeated, refused }: Tally): EventCounts {
  return {
    received,
    accepted: { ...accepted },
    spooled,
    buffered,
    repeated,
    refused: { ...refused },
  };
}

function sumOf(counts: ReadonlyMap<unknown, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
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
