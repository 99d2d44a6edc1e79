/**
 * Without keys an ingress takes events of whoever reaches it. So nobody but this machine may:
 * another address is refused at the start, and a person is told which pages may send.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isLoopback } from '../../ingest/http/listen.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';

type Reach = Pick<SluiceConfig, 'access' | 'file' | 'ingress'>;

const isOpen = ({ access }: Reach): boolean => access.keys.length === 0 && access.jwt.length === 0;

/**
 * Throws `SluiceError` `open-to-all`: without keys the address must be of loopback, and so must
 * everything that a host name resolves to.
 */
export async function refuseOpenToAll(config: Reach): Promise<void> {
  const { host } = config.ingress;
  if (!isOpen(config) || (isIP(host) === 0 ? await isLoopbackName(host) : isLoopback(host))) return;
  throw new SluiceError(
    'open-to-all',
    `${host} can be reached from other machines, and there are no keys: anybody could write`,
    {
      fix: `make a key with \`sluice key new --name NAME --stream TEAM/APP\` and put its entry into ${config.file}, or set ingress.host to 127.0.0.1`,
    },
  );
}

async function isLoopbackName(host: string): Promise<boolean> {
  const addresses = await lookup(host, { all: true }).catch(() => []);
  return addresses.length > 0 && addresses.every(({ address }) => isLoopback(address));
}

/** Which pages may send, where there are no keys; else undefined. */
export function openNotice(config: Reach): string | undefined {
  if (!isOpen(config)) return undefined;
  const { openOrigins } = config.access;
  const pages =
    openOrigins === undefined
      ? 'localhost'
      : openOrigins.length === 0
        ? 'no origin'
        : openOrigins.join(', ');
  return `no keys: programs on this machine and pages of ${pages} may send (\`sluice key new\` makes a key)`;
}
