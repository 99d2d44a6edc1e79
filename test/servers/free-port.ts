/**
 * A port of loopback that a server can be started on again and again.
 */
import { createServer } from 'node:net';

/** Processes that start together have neighbouring ids: each begins far enough from the other. */
let next = 20_000 + ((process.pid * 37) % 12_000);

/**
 * Not one of those that the system gives to clients: one that connects to a dead server could be
 * given the server's own port, and be connected to itself. Of one process each comes once.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next++;
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer().once('error', () => resolve(false));
      server.listen({ host: '127.0.0.1', port, exclusive: true }, () =>
        server.close(() => resolve(true)),
      );
    });
    if (free) return port;
  }
}
