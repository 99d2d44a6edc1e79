/**
 * Says when a secret goes over a network as it is.
 */
import type { Output } from './output.ts';

/** `what`: the secret, such as 'the key'. On this machine nobody listens. */
export function noteOfPlain(
  what: string,
  { protocol, hostname, host }: URL,
  { note }: Pick<Output, 'note'>,
): void {
  const isLoopback = /^(?:127\.[\d.]+|localhost|\[::1\])$/.test(hostname);
  if (protocol === 'http:' && !isLoopback)
    note(`${what} is sent to ${host} without TLS; use https:// where others can listen`);
}
