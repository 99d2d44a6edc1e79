/**
 * A reverse proxy on the server's own machine hands everything on, so that every request comes from
 * loopback: it asks for the status, for metrics, and gives commands, in its own name and in the
 * name of the server, while the other tenant sends.
 */
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsOf } from '../../../tools/instance-asked.ts';
import type { Attack, Door } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const asked: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/_sluice/status'],
  ['POST', '/_sluice/drain'],
  ['POST', '/_sluice/graph'],
  ['GET', '/metrics'],
  ['HEAD', '/metrics'],
  ['GET', '//_sluice/status'],
  ['GET', '/_sluice/./status'],
  ['GET', '/%5fsluice/status'],
  ['GET', '/metrics/'],
];
/** What each request claims beside: nothing, to be from here, to be the server's own name. */
const claims = (port: number): readonly Readonly<Record<string, string>>[] => [
  {},
  { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' },
  { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` },
];
const inside = /"pid"|startedAt|"topologies"|sluice_ingress_|topology|statement/;

/** Hands a request on as it is, but for nothing. */
function proxyOf(port: number): ReturnType<typeof createServer> {
  return createServer((from, to) => {
    const { method, url, headers } = from;
    const on = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    on.once('error', () => to.destroy());
    from.pipe(on);
  });
}

function ask(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<readonly [number, string]> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.once('response', (answer: IncomingMessage) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.once('end', () => resolve([answer.statusCode ?? 0, text]));
    });
    sent.once('error', reject);
    sent.end(method === 'POST' ? '{"topology":"t","statement":"RETURN 1"}' : '');
  });
}

async function attack(
  door: Door,
  proxyPort: number,
  rounds: number,
): Promise<{ readonly sent: number; readonly told: readonly string[] }> {
  const told: string[] = [];
  let sent = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [method, path] of asked) {
      for (const claim of claims(door.port)) {
        const [status, text] = await ask(proxyPort, method, path, claim);
        sent++;
        if (status < 300 || inside.test(text)) told.push(`${method} ${path} ${status}`);
      }
    }
  }
  return { sent, told };
}

export const behindAProxy: Attack = {
  name: 'behind-a-proxy',
  what: 'a reverse proxy on the same machine asks for status, metrics and commands',
  async run(scale) {
    const door = await openDoor();
    const proxy = proxyOf(door.port);
    try {
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      const other = otherTenant(door);
      const { sent, told } = await attack(
        door,
        (proxy.address() as AddressInfo).port,
        Math.max(1, Math.round(20 * scale)),
      );
      const { errors, p99Ms } = await other.stop();
      const [status, metrics] = [await door.service.status(), await metricsOf(door.dir)];
      return {
        tally: {
          asked: sent,
          told: told.join(', ') || 'nothing',
          errors,
          p99Ms,
          peakMb: door.memory().peakMb,
        },
        checks: [
          ['nothing of the inside is told', sent > 0 && told.length === 0],
          ['the other tenant has no error', errors === 0],
          [
            'the owner is still answered',
            status?.instance.pid === door.service.pid && metrics.includes('sluice_ingress_'),
          ],
        ],
      };
    } finally {
      proxy.close();
      await door.close();
    }
  },
};
