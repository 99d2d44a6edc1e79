/**
 * A server that hangs up on whoever connects, as a broker does that is going down, and counts them.
 */
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

export interface HangingUp {
  readonly port: number;
  readonly connections: number;
  close(): Promise<void>;
}

/** On a port of its own when none is named. */
export async function startHangingUp(port = 0): Promise<HangingUp> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.once('error', () => undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
