/**
 * One request over a connection of its own, its segments apart; only the status of the first answer
 * counts.
 */
import { connect } from 'node:net';

/**
 * A status; `closed` when the connection ends before an answer; `silent` when nothing comes for so
 * long.
 */
export type Outcome = number | 'closed' | 'silent';

export function exchangeRaw(
  port: number,
  segments: readonly Uint8Array[],
  quietMs: number,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let heard = '';
    const leave = (status: Outcome): void => {
      clearTimeout(quiet);
      // Without waiting: so many connections that do would use up the ports of the machine.
      socket.resetAndDestroy();
      resolve(status);
    };
    let quiet = setTimeout(() => leave('silent'), quietMs);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      const interim = /^(?:HTTP\/1\.1 1\d\d[^\r]*\r\n\r\n)*/.exec(heard)?.[0].length ?? 0;
      const status = /^HTTP\/1\.1 (\d{3})[^]*?\r\n\r\n/.exec(heard.slice(interim))?.[1];
      if (status !== undefined) leave(Number(status));
    });
    socket.on('error', () => undefined);
    socket.once('close', () => leave('closed'));
    const send = (index: number): void => {
      const segment = segments[index];
      if (segment === undefined || socket.destroyed) return;
      clearTimeout(quiet);
      quiet = setTimeout(() => leave('silent'), quietMs);
      // A moment later, or the kernel would join them again.
      socket.write(segment, () => setTimeout(send, 2, index + 1));
    };
    socket.once('connect', () => send(0));
  });
}
