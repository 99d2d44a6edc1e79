/**
 * The sockets of kafkajs, whose own reconnecting knows no pause from one request to the next: a
 * broker that does not answer is tried less and less often, by all clients of one connection's
 * configuration together.
 *
 * Invariants:
 * 1. What is refused here was not tried: the error says so, and nothing was sent.
 * 2. A broker has answered once anything came from it; a connection that ends before failed,
 *    whoever accepted it.
 */
import { connect as connectNet, isIP, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectPace } from '../../../schemas/kernel/connect-pace.ts';

/** As kafkajs asks for one. */
export interface KafkaSocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null | undefined | false;
  readonly onConnect: () => void;
}

const keepAliveMs = 60_000;

/** In the message of the error for a broker that is not tried now. */
export const notTriedYet = 'not tried again yet';

/** A new one each time: kafkajs releases what it was given last once more with each failure. */
function unconnected(why: string): Socket {
  return new Socket().destroy(new Error(why));
}

/** A socket that fails at once, unconnected, when the broker is not to be tried now. */
export function pacedSockets(pace: ConnectPace): (request: KafkaSocketRequest) => Socket {
  return ({ host, port, ssl, onConnect }) => {
    const peer = `${host}:${port}`;
    const waitMs = pace.waitMs(peer);
    if (waitMs > 0)
      return unconnected(
        `broker ${peer} did not answer and is ${notTriedYet}: ${Math.ceil(waitMs)} ms are left`,
      );
    const socket = ssl
      ? connectTls(
          { host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl },
          onConnect,
        )
      : connectNet({ host, port }, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    // kafkajs releases a broken one with each failure after; Node would listen for it to connect.
    socket.once('close', () => Object.assign(socket, { unref: () => socket }));
    let isSettled = false;
    const settle = (act: () => void) => (): void => {
      if (isSettled) return;
      isSettled = true;
      act();
    };
    socket.once(
      'data',
      settle(() => pace.worked(peer)),
    );
    for (const ending of ['error', 'end', 'close'] as const)
      socket.once(
        ending,
        settle(() => pace.failed(peer)),
      );
    return socket;
  };
}
