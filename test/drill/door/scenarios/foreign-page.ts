/**
 * A first trial without keys, on a machine whose browser is open: pages of elsewhere try to write
 * and to read, by every way that a page has. And the same server is told to listen where others can
 * reach it.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../servers/free-port.ts';
import { runSluice, serviceProcess } from '../../../tools/service-process.ts';
import type { Attack } from '../rig.ts';

type Headers = Readonly<Record<string, string>>;
type Try = readonly [method: string, path: string, headers: Headers];

const text = { 'content-type': 'text/plain' };
const event = '/v1/a/events';
const origins = [
  'https://evil.example',
  'null',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'http://localhost:80@evil.example',
];
const hosts = [
  'evil.example',
  'evil.example:8080',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '192.0.2.1',
  '0.0.0.0',
];

const tries: readonly Try[] = [
  ...origins.map((origin): Try => ['POST', event, { ...text, origin }]),
  ...origins.map((origin): Try => ['GET', `${event}/pixel.gif?v=1`, { origin }]),
  ...origins.map((origin): Try => ['POST', '/v1/track', { ...text, origin }]),
  ...hosts.map((host): Try => ['POST', event, { ...text, host, origin: `http://${host}` }]),
  ...hosts.map((host): Try => ['POST', event, { ...text, host }]),
  ...hosts.map((host): Try => ['GET', `${event}/pixel.gif?v=1`, { host }]),
  ...hosts.map((host): Try => ['GET', `${event}/warnings`, { host }]),
  ...hosts.map((host): Try => ['GET', '/openapi.json', { host }]),
  [
    'GET',
    `${event}/pixel.gif?v=1`,
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
  ],
  ['GET', `${event}/warnings`, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
];
const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const sockets: readonly Try[] = [
  ...origins.map((origin): Try => ['GET', `${event}/ws`, { ...upgrade, origin }]),
  ...hosts.map(
    (host): Try => ['GET', `${event}/ws`, { ...upgrade, host, origin: `http://${host}` }],
  ),
];
const own: readonly Try[] = [
  ['POST', event, text],
  ['POST', event, { ...text, origin: 'http://localhost:3000' }],
  ['POST', event, { ...text, origin: 'http://[::1]:3000', 'sec-fetch-site': 'cross-site' }],
  ['GET', `${event}/pixel.gif?v=1`, { 'sec-fetch-site': 'same-site' }],
];

interface Answered {
  readonly status: number;
  readonly readable: boolean;
}

function ask(port: number, [method, path, headers]: Try): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers });
    const done = (status: number, allowed: unknown): void =>
      resolve({ status, readable: allowed !== undefined });
    sent.once(
      'upgrade',
      (answer, socket) => (socket.destroy(), done(answer.statusCode ?? 0, undefined)),
    );
    sent.once('response', (answer) => {
      answer
        .resume()
        .once('end', () =>
          done(answer.statusCode ?? 0, answer.headers['access-control-allow-origin']),
        );
    });
    sent.once('error', reject);
    sent.end(method === 'POST' ? '{"v":1}' : '');
  });
}

export const foreignPage: Attack = {
  name: 'foreign-page',
  what: 'without keys, pages of elsewhere try to write and to read, and the server is told to listen to everybody',
  async run(scale) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-trial-'));
    const config = join(folder, 'sluice.yaml');
    const streams = 'streams:\n  - {team: a, app: events}\n';
    writeFileSync(config, `${streams}ingress: {segment_stream: a/events}\n`);
    const port = await freePort();
    const service = serviceProcess('start', config, port, {});
    try {
      await service.start();
      const answers: Answered[] = [];
      for (let round = 0; round < Math.max(1, Math.round(10 * scale)); round++) {
        for (const one of [...tries, ...sockets]) answers.push(await ask(port, one));
      }
      const accepted = (await service.status())?.ingress?.accepted.kinesis;
      const mine = await Promise.all(own.map((one) => ask(port, one)));
      const refusedStarts: boolean[] = [];
      for (const host of ['0.0.0.0', "'::'", "'0'"]) {
        writeFileSync(config, `${streams}ingress: {host: ${host}}\n`);
        const { code, said } = await runSluice([
          '--dir',
          join(folder, 'other'),
          '--config',
          config,
          'start',
          '--port',
          '0',
        ]);
        refusedStarts.push(code === 1 && said.includes('sluice key new'));
      }
      const key = createHash('sha256').update('slc_k').digest('hex');
      writeFileSync(
        config,
        `${streams}ingress: {host: 0.0.0.0}\nkeys:\n  - {name: k, sha256: ${key}, streams: [a/events]}\n`,
      );
      const { code: checked } = await runSluice(['config', 'check', config]);
      const letIn = answers.filter(({ status }) => status < 300).length;
      return {
        tally: {
          requests: answers.length,
          letIn,
          readable: answers.filter(({ readable }) => readable).length,
          stored: accepted ?? -1,
        },
        checks: [
          [
            'every request of a page of elsewhere was refused',
            answers.every(({ status }) => [400, 403, 421].includes(status)),
          ],
          ['none was stored', accepted === 0],
          ['no answer could be read by such a page', answers.every(({ readable }) => !readable)],
          [
            'programs and pages of this machine were let in',
            mine.every(({ status }) => status === 200),
          ],
          [
            'an address of others is refused without keys, with the way out',
            refusedStarts.every(Boolean),
          ],
          ['and is right with a key', checked === 0],
        ],
      };
    } finally {
      await service.end('SIGTERM');
      service.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
