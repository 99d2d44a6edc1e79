/**
 * Whether an ingress takes events of whoever can reach it.
 */
import { isLoopback } from '../../ingest/http/listen.ts';
import type { SluiceConfig } from '../../schemas/config.ts';

/** What a person should know then, or undefined. */
export function openToAll({ access, ingress: { host } }: SluiceConfig): string | undefined {
  if (access.keys.length > 0 || access.jwt.length > 0 || host === 'localhost' || isLoopback(host)) return undefined;
  return `${host} can be reached from elsewhere, and there are no keys: everybody may write (make one with \`sluice key new\`)`;
}
