/**
 * What a service without an ingress answers over HTTP: health, readiness, metrics; and to this machine its status and commands.
 */
import uws from 'uWebSockets.js';
import { listen } from './listen.ts';
import type { LocalRoutes } from './local-routes.ts';
import { mountLocal } from './local-routes.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve } from './plain-answer.ts';

export interface AdminServerOptions {
  readonly host: string;
  readonly port: number;
  /** Why it is not ready, or undefined. */
  readonly notReady: () => Promise<string | undefined>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly local: LocalRoutes;
}

export interface AdminServer {
  readonly url: string;
  close(): void;
}

/** Throws `SluiceError` `port-taken`. */
export async function adminServer({ host, port, notReady, metrics, local }: AdminServerOptions): Promise<AdminServer> {
  const app = uws.App();
  const text = (status: number, body: string): PlainAnswer => ({ status, contentType: 'text/plain', body: `${body}\n` });
  app.get('/healthz', (res) => serve(res, () => Promise.resolve(text(200, 'ok'))));
  app.get('/readyz', (res) =>
    serve(res, async () => {
      const why = await notReady();
      return why === undefined ? text(200, 'ready') : text(503, why);
    }),
  );
  app.get('/metrics', (res) =>
    serve(res, async () => {
      const { contentType, text: body } = await metrics();
      return { status: 200, contentType, body };
    }),
  );
  mountLocal(app, local);
  app.any('/*', (res) => serve(res, () => Promise.resolve(text(404, 'there is nothing here'))));
  const socket = await listen(app, host, port, 'enrich.port');
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${uws.us_socket_local_port(socket)}`,
    close: () => app.close(),
  };
}
