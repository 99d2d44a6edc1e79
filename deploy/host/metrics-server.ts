/**
 * `GET /metrics` for Prometheus, on a listener of its own: the numbers name the streams of every
 * team, so they are on no port that senders reach.
 *
 * Invariant: a Host that is a name other than the listener's own is refused. A web page whose name
 * was bound to this address (DNS rebinding) reads nothing; an address in Host is no such name.
 */
import { isIP } from 'node:net';
import { isLoopback } from '../../ingest/http/listen.ts';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { MetricsConfig } from '../../schemas/config.ts';
import type { PlainServer } from './plain-server.ts';
import { servePlain } from './plain-server.ts';
import type { Disks } from './process-metrics.ts';
import { watchProcess } from './process-metrics.ts';
import { joinMetrics } from './topology-metrics.ts';

/**
 * Where each command has its metrics unless the configuration says; `start` takes any free port, as
 * several may run on one machine.
 */
export const metricsPorts = { start: 0, ingest: 9_464, enrich: 9_465 } as const;

const path = '/metrics';

export interface MetricsServerOptions {
  readonly config: MetricsConfig;
  readonly defaultPort: number;
  /** What this process runs; the numbers of the process itself are added. */
  readonly read: () => Promise<MetricsText>;
  /** Whose room is told. */
  readonly disks: Disks;
}

/** Its `url` is that of the metrics. Throws `SluiceError` `port-taken`, `address-unusable`. */
export async function serveMetrics({
  config,
  defaultPort,
  read,
  disks,
}: MetricsServerOptions): Promise<PlainServer> {
  const { host, port = defaultPort } = config;
  const ofProcess = watchProcess(disks);
  const server = await servePlain({
    host,
    port,
    section: 'metrics',
    isOwnHost: (header) => isOwnHost(header, config),
    routes: {
      [path]: async () => {
        const { contentType, text } = joinMetrics(await read(), await ofProcess.text());
        return { status: 200, contentType, body: text };
      },
    },
  }).catch((thrown: unknown) => {
    ofProcess.stop();
    throw thrown;
  });
  const close = (): Promise<void> => {
    ofProcess.stop();
    return server.close();
  };
  return { url: `${server.url}${path}`, close };
}

/** Whether a Host header is one of a listener on `config.host`. Pure. */
export function isOwnHost(header: string, { host, hosts }: MetricsConfig): boolean {
  const [, name = ''] = /^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+)(?::\d{0,5})?$/.exec(header) ?? [];
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || hosts.some((known) => known.toLowerCase() === bare)) return true;
  if (isIP(bare) === 0) return bare !== '' && bare === host.toLowerCase();
  return isLoopback(bare) || !(host === 'localhost' || isLoopback(host));
}
