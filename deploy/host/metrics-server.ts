/**
 * `GET /metrics` for Prometheus, on a listener of its own: the numbers name the streams of every team, so they are on no port that senders reach.
 *
 * Invariants:
 * 1. A request whose Host is a name that is not this listener's gets 421 and nothing else: a web page whose name was bound to this address
 *    (DNS rebinding) reads nothing. An address in Host is no such name.
 * 2. Only GET and HEAD, and only this path.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { isLoopback } from '../../ingest/http/listen.ts';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { MetricsConfig } from '../../schemas/config.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

/** Where each command has its metrics unless the configuration says; `start` takes any free port, as several may run on one machine. */
export const metricsPorts = { start: 0, ingest: 9_464, enrich: 9_465 } as const;

export interface MetricsServer {
  /** `http://127.0.0.1:9464/metrics` */
  readonly url: string;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  readonly config: MetricsConfig;
  readonly defaultPort: number;
  readonly read: () => Promise<MetricsText>;
}

/** Throws `SluiceError` `port-taken`, `address-unusable`. */
export async function serveMetrics({ config, defaultPort, read }: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port = defaultPort } = config;
  const server = createServer(
    { headersTimeout: limits.metricsRequestMaxMs, requestTimeout: limits.metricsRequestMaxMs },
    (request, response) => void answer(config, read, request, response),
  );
  server.maxConnections = limits.metricsConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown) => reject(listenFault(thrown, host, port)));
    server.listen({ host, port }, resolve);
  });
  const shown = isIP(host) === 6 ? `[${host}]` : host;
  return {
    url: `http://${shown}:${(server.address() as AddressInfo).port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether a Host header is one of a listener on `config.host`. Pure. */
export function isOwnHost(header: string, { host, hosts }: MetricsConfig): boolean {
  const [, name = ''] = /^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+)(?::\d{0,5})?$/.exec(header) ?? [];
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || hosts.some((known) => known.toLowerCase() === bare)) return true;
  if (isIP(bare) === 0) return bare !== '' && bare === host.toLowerCase();
  return isLoopback(bare) || !(host === 'localhost' || isLoopback(host));
}

async function answer(config: MetricsConfig, read: MetricsServerOptions['read'], request: IncomingMessage, response: ServerResponse) {
  const { method, url } = request;
  if (!isOwnHost(request.headers.host ?? '', config)) {
    say(request, response, 421, 'this name is not one of the metrics listener: list it in metrics.hosts\n');
  } else if (url?.split('?', 1)[0] !== '/metrics') {
    say(request, response, 404, 'there is nothing at this path: metrics are at /metrics\n');
  } else if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    say(request, response, 405, 'metrics are read with GET\n');
  } else {
    const found = await read().catch((thrown: unknown) => thrown);
    if (isText(found)) say(request, response, 200, found.text, found.contentType);
    else say(request, response, 503, `${String(found)}\n`);
  }
}

const isText = (found: unknown): found is MetricsText => typeof found === 'object' && found !== null && 'contentType' in found;

function say(request: IncomingMessage, response: ServerResponse, status: number, body: string, contentType = 'text/plain'): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function listenFault(thrown: unknown, host: string, port: number): unknown {
  if (systemCodeOf(thrown) === 'EADDRINUSE') {
    return new SluiceError('port-taken', `port ${port} of ${host} is taken`, {
      fix: 'stop what listens there, or choose another with metrics.port (0 takes any free one)',
    });
  }
  return new SluiceError('address-unusable', `metrics cannot be served on port ${port} of ${host}: ${messageOf(thrown)}`, {
    cause: thrown,
    fix: 'name an address of this machine and a port that its user may use, with metrics.host and metrics.port',
  });
}
