/**
 * The ingress as this process can serve it: by itself, or behind a strict front where the binary of
 * its HTTP server has known faults.
 */
// Before the ingress: its binary reads a bound when it is loaded.
import './http-server.ts';

import type { Ingress, IngressOptions } from '../../ingest/ingress.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { needsStrictFront } from './http-server.ts';
import { behindFront, openStrictFront } from './strict-front.ts';

/** Throws what `createIngress` throws, and `SluiceError` `address-unusable`. */
export async function openIngress(options: IngressOptions): Promise<Ingress> {
  if (!needsStrictFront()) return createIngress(options);
  const { config } = options;
  const ingress = await createIngress({
    ...options,
    config: { ...config, ingress: behindFront(config.ingress) },
  });
  const front = await openStrictFront(config.ingress, ingress.port).catch(
    async (thrown: unknown) => {
      await ingress.shutDown();
      throw thrown;
    },
  );
  return {
    port: front.port,
    url: front.url,
    counts: () => ingress.counts(),
    metrics: () => ingress.metrics(),
    routes: () => ingress.routes(),
    reload: (next) => ingress.reload(next),
    refuseReload: (why) => ingress.refuseReload(why),
    reloads: () => ingress.reloads(),
    async shutDown() {
      front.stopListening();
      await ingress.shutDown();
      await front.close();
    },
  };
}
