/**
 * What a service without an ingress answers over HTTP: health and readiness. Metrics and the control plane are not here.
 */
import uws from 'uWebSockets.js';
import { listen } from './listen.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve } from './plain-answer.ts';

export interface AdminServerOptions {
  readonly host: string;
  readonly port: number;
  /** Why it is not ready, or undefined. */
  readonly notReady: () => Promise<string | undefined>;
}

export interface AdminServer {
  readonly url: string;
  close(): void;
}

/** Throws `SluiceError` `port-taken`. */
export async function adminServer({ host, port, notReady }: AdminServerOptions): Promise<AdminServer> {
  const app = uws.App();
  const text = (status: number, body: string): PlainAnswer => ({ status, contentType: 'text/plain', body: `${body}\n` });
  app.get('/healthz', (res) => serve(res, () => Promise.resolve(text(200, 'ok'))));
  app.get('/readyz', (res) =>
    serve(res, async () => {
      const why = await notReady();
      return why === undefined ? text(200, 'ready') : text(503, why);
    }),
  );
  app.any('/*', (res) => serve(res, () => Promise.resolve(text(404, 'there is nothing here'))));
  const socket = await listen(app, host, port, 'enrich.port');
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${uws.us_socket_local_port(socket)}`,
    close: () => app.close(),
  };
}
