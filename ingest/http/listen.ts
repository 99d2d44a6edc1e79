/**
 * Listens on a port that is free, or says that it is taken; and who is on the same machine.
 */
import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createServer } from 'node:net';
import { SluiceError } from '../../schemas/kernel/errors.ts';

const loopback =
  /^(?:(?:::ffff:)?127(?:\.\d{1,3}){3}|(?:0{4}:){5}ffff:7f[\da-f]{2}:[\da-f]{4}|(?:0{4}:){7}0001|::1)$/;

/**
 * Whether an address is this machine. It says nothing of who asks: a proxy here connects from
 * loopback for everybody.
 */
export function isLoopback(address: string): boolean {
  return loopback.test(address);
}

/**
 * Where programs of this machine reach a listener: one on all addresses is on that of loopback too.
 */
export function urlOf(host: string, port: number): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

/** Throws `SluiceError` `port-taken`, naming the setting. Port 0 takes any free one. */
export async function listen(
  app: TemplatedApp,
  host: string,
  port: number,
): Promise<us_listen_socket> {
  const taken = (): SluiceError =>
    new SluiceError('port-taken', `port ${port} of ${host} is taken`, {
      fix: `stop the process that listens there, or set ingress.port to another (0 means any free port)`,
    });
  // uWebSockets.js shares ports with its like (SO_REUSEPORT) when it is given a host; a plain
  // listener says whether somebody is there.
  if (port !== 0) await probe(host, port).catch(() => Promise.reject(taken()));
  return new Promise((resolve, reject) => {
    app.listen(host, port, (socket) => {
      if (socket === false) reject(taken());
      else resolve(socket);
    });
  });
}

function probe(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}
