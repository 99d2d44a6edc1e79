/**
 * What the ingress counts: plain numbers on the hot path. Text is made of them when somebody asks
 * (metrics-text.ts).
 *
 * Invariants:
 * 1. Conservation, at rest: received = accepted by route + repeated + refused by code.
 * 2. Labels come from closed sets: configured streams, routes, their shards and partitions, codes
 *    of the source.
 */
import type { Ack } from '../../schemas/config.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import type { Route } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { RepeatsState } from '../delivery/repeats.ts';
import type { StreamRouteState } from '../delivery/route-delivery.ts';
import type { Histogram } from './histogram.ts';
import { createHistogram } from './histogram.ts';
import { metricsContentType, metricsText } from './metrics-text.ts';
import type { ReloadState } from './reloads.ts';
import { noReloads } from './reloads.ts';

/**
 * `network`: client to first byte; `processing`: body whole to events found; `bus`: from then to
 * settled; `end_to_end`: first byte to answer.
 */
export type LatencyStage = 'network' | 'processing' | 'bus' | 'end_to_end';

export interface EventCounts {
  /** Events that were found in bodies, and requests that were refused before any was. */
  readonly received: number;
  /** By the route that they took, or wait to take. */
  readonly accepted: Readonly<Record<Route, number>>;
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
  /** What one spool may take. */
  readonly spoolMaxBytes: number;
  readonly routes: readonly StreamRouteState[];
  readonly reloads: ReloadState;
}

/** The answer to a scrape. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export type Mutable<T> = { -readonly [P in keyof T]: T[P] };

/** Events of one stream, or of all. */
export type Tally = Mutable<Omit<EventCounts, 'accepted' | 'refused'>> & {
  accepted: Record<Route, number>;
  refused: Record<string, number>;
  bytes: number;
};

/** Writes to one stream on one route. */
export interface Writes {
  readonly stream: string;
  /** Labels say `path` to those who ask. */
  readonly route: Route;
  batches: number;
  records: number;
  bytes: number;
  /** Records that are in the stream, by shard or partition. */
  readonly bySplit: Map<string, number>;
  /** The others, by code: each may be tried again. */
  readonly byFailure: Map<string, number>;
}

/** All that was counted, and the gauges as they are now. */
export interface Measured {
  readonly total: Tally;
  readonly byStream: ReadonlyMap<string, Tally>;
  readonly requests: ReadonlyMap<string, number>;
  readonly bodyBytes: number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly writes: readonly Writes[];
  readonly warned: ReadonlyMap<string, number>;
  readonly dropped: ReadonlyMap<string, number>;
  readonly latencies: ReadonlyMap<LatencyStage, Histogram>;
  readonly writeTimes: Histogram;
  readonly gauges: IngressGauges;
}

const stages: readonly LatencyStage[] = ['network', 'processing', 'bus', 'end_to_end'];
const nothing: IngressGauges = {
  inFlightBytes: 0,
  bufferedBytes: 0,
  webSockets: 0,
  repeats: { size: 0, bytes: 0, evicted: 0 },
  spoolMaxBytes: 0,
  routes: [],
  reloads: noReloads,
};

export class IngressMetrics {
  readonly contentType = metricsContentType;
  readonly #total = tally();
  readonly #byStream = new Map<string, Tally>();
  readonly #requests = new Map<string, number>();
  readonly #statuses = new Map<number, number>();
  readonly #writes = new Map<string, Writes>();
  readonly #dropped = new Map<string, number>();
  readonly #warned = new Map<string, number>();
  readonly #latencies = new Map<LatencyStage, Histogram>(
    stages.map((stage) => [stage, createHistogram()]),
  );
  readonly #writeTimes = createHistogram();
  #bodyBytes = 0;
  #readGauges = (): IngressGauges => nothing;

  /** A request that carried a body, or a message. `protocol`: one of a closed set of labels. */
  request(protocol: string, bytes: number): void {
    add(this.#requests, protocol, 1);
    this.#bodyBytes += bytes;
  }

  answered(status: number): void {
    add(this.#statuses, status, 1);
  }

  accepted(stream: string, outcome: Ack | 'repeated', route: Route, bytes: number): void {
    countAccepted(this.#total, outcome, route, bytes);
    countAccepted(this.#of(stream), outcome, route, bytes);
  }

  /**
   * An event, or a request before its events were found. `stream` only when it is a configured one.
   */
  refused(stream: string | undefined, code: RefusedCode): void {
    countRefused(this.#total, code);
    if (stream !== undefined) countRefused(this.#of(stream), code);
  }

  /** An event that does not fit its stream's schema and was taken all the same. */
  warned(stream: string): void {
    add(this.#warned, stream, 1);
  }

  /** An event that was answered from memory and is lost. */
  dropped(stream: string): void {
    add(this.#dropped, stream, 1);
  }

  /** One write to a stream, and what became of its records. */
  batch(
    stream: string,
    route: Route,
    outcomes: readonly WriteOutcome[],
    bytes: number,
    tookMs: number,
  ): void {
    const found = this.#writesOf(stream, route);
    found.batches++;
    found.records += outcomes.length;
    found.bytes += bytes;
    for (const outcome of outcomes) {
      if (outcome.kind === 'applied') add(found.bySplit, outcome.split, 1);
      else add(found.byFailure, outcome.code, 1);
    }
    this.#writeTimes.observe(tookMs);
  }

  latency(stage: LatencyStage, ms: number): void {
    this.#latencies.get(stage)?.observe(ms);
  }

  /** Where the gauges are read from. */
  gauges(read: () => IngressGauges): void {
    this.#readGauges = read;
  }

  counts(): IngressCounts {
    return {
      ...copyOf(this.#total),
      requests: sumOf(this.#requests),
      bytes: this.#bodyBytes,
      inFlightBytes: this.#readGauges().inFlightBytes,
      byStream: Object.fromEntries(
        [...this.#byStream].map(([stream, counts]) => [stream, copyOf(counts)]),
      ),
    };
  }

  text(): Promise<string> {
    return metricsText({
      total: this.#total,
      byStream: this.#byStream,
      requests: this.#requests,
      bodyBytes: this.#bodyBytes,
      statuses: this.#statuses,
      writes: [...this.#writes.values()],
      warned: this.#warned,
      dropped: this.#dropped,
      latencies: this.#latencies,
      writeTimes: this.#writeTimes,
      gauges: this.#readGauges(),
    });
  }

  #of(stream: string): Tally {
    let found = this.#byStream.get(stream);
    if (found === undefined) this.#byStream.set(stream, (found = tally()));
    return found;
  }

  #writesOf(stream: string, route: Route): Writes {
    const name = `${stream} ${route}`;
    const found = this.#writes.get(name);
    if (found !== undefined) return found;
    const fresh: Writes = {
      stream,
      route,
      batches: 0,
      records: 0,
      bytes: 0,
      bySplit: new Map(),
      byFailure: new Map(),
    };
    this.#writes.set(name, fresh);
    return fresh;
  }
}

function add<K>(counts: Map<K, number>, name: K, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function countAccepted(
  counts: Tally,
  outcome: Ack | 'repeated',
  route: Route,
  bytes: number,
): void {
  counts.received++;
  if (outcome === 'repeated') {
    counts.repeated++;
    return;
  }
  counts.accepted[route]++;
  counts.bytes += bytes;
  if (outcome !== 'replicated') counts[outcome]++;
}

function countRefused(counts: Tally, code: string): void {
  counts.received++;
  counts.refused[code] = (counts.refused[code] ?? 0) + 1;
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
