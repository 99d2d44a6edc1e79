/** A connection whose body was read by and by answers its next request. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { limits } from '../../../schemas/limits.ts';
import type { Rig } from '../support.ts';
import { rig } from '../support.ts';

let made: Rig;
beforeAll(async () => {
  made = await rig();
});
afterAll(() => made.ingress.shutDown());

it('after a body of lines that was paused while it was read', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const send = (body: string, type: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': type };
      const sent = request(
        `${made.ingress.url}/v1/a/plain`,
        { method: 'POST', agent, headers },
        (res) => {
          res.resume().once('end', () => resolve(res.statusCode ?? 0));
        },
      );
      sent.once('socket', (socket) => sockets.add(socket));
      sent.once('error', reject).end(body);
    });
  const line = `{"pad":"${'x'.repeat(100)}"}\n`;
  const lines = line.repeat(Math.ceil((2 * limits.ndjsonCollectedMaxBytes) / line.length));
  expect(await send(lines, 'application/x-ndjson')).toBe(207);
  expect(await send('1', 'application/json')).toBe(200);
  expect(await send('[2]', 'application/json')).toBe(200);
  expect(sockets.size).toBe(1);
  agent.destroy();
});
