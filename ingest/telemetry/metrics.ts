/**
 * Counters of the ingress. Plain numbers on the hot path; Prometheus text is made when somebody asks.
 *
 * Invariant (conservation, at rest): received = accepted by route + refused by reason.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Path } from '../../schemas/ports/record.ts';

export interface IngressCounts {
  readonly requests: number;
  readonly bytes: number;
  /** Events that were found in bodies, and requests that were refused before any was. */
  readonly received: number;
  readonly accepted: Readonly<Record<Path, number>>;
  /** By code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly inFlightBytes: number;
}

export interface IngressMetrics {
  request(bytes: number): void;
  accepted(route: Path): void;
  refused(code: string): void;
  counts(inFlightBytes: number): IngressCounts;
  /** Prometheus text exposition format 0.0.4. */
  text(inFlightBytes: number): Promise<string>;
  readonly contentType: string;
}

export function ingressMetrics(): IngressMetrics {
  let requests = 0;
  let bytes = 0;
  let received = 0;
  const accepted: Record<Path, number> = { kinesis: 0, kafka: 0 };
  const refused: Record<string, number> = {};
  const registry = new Registry();
  const registers = [registry];
  const requestsTotal = new Counter({ name: 'sluice_ingress_requests_total', help: 'Requests that carried a body', registers });
  const bytesTotal = new Counter({ name: 'sluice_ingress_body_bytes_total', help: 'Bytes of bodies as they arrived', registers });
  const acceptedTotal = new Counter({
    name: 'sluice_ingress_events_accepted_total',
    help: 'Events that are durable',
    labelNames: ['route'],
    registers,
  });
  const refusedTotal = new Counter({
    name: 'sluice_ingress_events_refused_total',
    help: 'Events and requests refused',
    labelNames: ['code'],
    registers,
  });
  const inFlight = new Gauge({ name: 'sluice_ingress_in_flight_bytes', help: 'Bytes of requests that are not answered yet', registers });
  return {
    request(size) {
      requests++;
      bytes += size;
    },
    accepted(route) {
      received++;
      accepted[route]++;
    },
    refused(code) {
      received++;
      refused[code] = (refused[code] ?? 0) + 1;
    },
    counts: (inFlightBytes) => ({ requests, bytes, received, accepted: { ...accepted }, refused: { ...refused }, inFlightBytes }),
    async text(inFlightBytes) {
      registry.resetMetrics();
      requestsTotal.inc(requests);
      bytesTotal.inc(bytes);
      for (const [route, count] of Object.entries(accepted)) acceptedTotal.inc({ route }, count);
      for (const [code, count] of Object.entries(refused)) refusedTotal.inc({ code }, count);
      inFlight.set(inFlightBytes);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}
