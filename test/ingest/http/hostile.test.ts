/**
 * What a hostile or broken client may do: no process ends by it, and what it makes the ingress hold
 * stays bounded and is counted once.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../../schemas/limits.ts';
import { until } from '../../deploy/support.ts';
import type { Rig } from '../support.ts';
import { issuerConfig, openAccess, post, rig } from '../support.ts';

let made: Rig;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await made.ingress.shutDown();
});

function open(
  ...parts: readonly (string | Buffer)[]
): Promise<{ readonly socket: Socket; text: string; closed: boolean }> {
  const { hostname, port } = new URL(made.ingress.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
      resolve(opened);
    });
    const opened = { socket, text: '', closed: false };
    sockets.push(socket);
    socket.on('data', (chunk: Buffer) => {
      opened.text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.once('close', () => {
      opened.closed = true;
    });
  });
}

const lineHead = (more: string): string =>
  `POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n${more}\r\n`;

describe('lines that are broken while it is not known who sends them', () => {
  it.each([
    [
      'that do not inflate',
      'gzip',
      (socket: Socket) => void socket.write('this is no gzip at all, whatever its head says'),
    ],
    ['whose client leaves', 'identity', (socket: Socket) => void socket.destroy()],
  ])('%s end nothing but their request', async (_name, encoding, breakOff) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' };
    let asked = 0;
    let answer = (): void => undefined;
    const issuer = createServer((_request, response) => {
      asked++;
      answer = () =>
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
    });
    await new Promise<void>((resolve) => void issuer.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`;
    made = await rig({}, 1_000, undefined, {
      access: {
        ...openAccess,
        jwt: [issuerConfig({ url }, { issuer: 'https://issuer.example', audience: 'a' })],
      },
    });
    const token = await new SignJWT({ streams: ['a/*'] })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('https://issuer.example')
      .setAudience('a')
      .setSubject('u')
      .setExpirationTime('1h')
      .sign(privateKey);
    const { socket } = await open(
      lineHead(
        `Authorization: Bearer ${token}\r\nContent-Encoding: ${encoding}\r\nContent-Length: 100000\r\n`,
      ),
      'not gzip',
    );
    await until(() => asked > 0);
    breakOff(socket);
    await sleep(50);
    answer();
    issuer.close();
    const after = await post(`${made.ingress.url}/v1/a/plain`, '1', {
      authorization: `Bearer ${token}`,
    });
    expect(after.status).toBe(200);
    // While its token was verified the connection was not read, so that its end is seen only now.
    await until(() => made.ingress.counts().inFlightBytes === 0);
  });
});

describe('what is held', () => {
  it('of bodies under way is bounded, however many come at once', async () => {
    made = await rig({ inFlightMaxBytes: 4_000_000 });
    const piece = Buffer.alloc(900_000, 0x20);
    const all = await Promise.all(
      Array.from({ length: 10 }, () =>
        open(
          'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n',
          piece,
        ),
      ),
    );
    await until(() => all.filter(({ text }) => text.startsWith('HTTP/1.1 503')).length >= 6);
    expect(made.ingress.counts().inFlightBytes).toBeLessThanOrEqual(4_000_000);
    for (const { socket, text } of all)
      if (text === '') socket.write(Buffer.alloc(99_999, 0x20).toString() + '1');
    await until(() => all.every(({ text }) => text !== ''));
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it('of a line under way counts, and past the bound it is refused, not kept', async () => {
    made = await rig({ inFlightMaxBytes: 8_000_000 });
    const all = await Promise.all(
      Array.from({ length: 4 }, () =>
        open(lineHead('Content-Length: 20000000\r\n'), '"', Buffer.alloc(5_000_000, 0x78)),
      ),
    );
    await sleep(300);
    expect(made.ingress.counts().inFlightBytes).toBeGreaterThan(3_000_000);
    expect(made.ingress.counts().inFlightBytes).toBeLessThanOrEqual(8_000_000);
    for (const { socket } of all) socket.destroy();
    await until(() => made.ingress.counts().inFlightBytes === 0);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('of bodies that inflate is bounded together: %s', async (encoding, pack) => {
    const most = 20_000_000;
    made = await rig({ inFlightMaxBytes: most });
    const bomb = pack(Buffer.alloc(15_000_000, 0x20));
    let highest = 0;
    const watch = setInterval(() => {
      highest = Math.max(highest, made.ingress.counts().inFlightBytes);
    }, 1);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        post(`${made.ingress.url}/v1/a/plain`, bomb, { 'content-encoding': encoding }),
      ),
    );
    clearInterval(watch);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 503]));
    expect(highest).toBeLessThanOrEqual(most + 1_000_000);
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it('of WebSocket messages beyond the credit counts, and past the bound the connection ends', async () => {
    made = await rig({ inFlightMaxBytes: 20_000_000 });
    let release = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      release = resolve;
    });
    const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`);
    const closed = new Promise<number>((resolve) => void socket.once('close', resolve));
    await new Promise((resolve) => void socket.once('message', resolve));
    for (let n = 0; n < limits.wsCreditEvents; n++) socket.send(`{"ref":${n},"data":${n}}`);
    for (let n = 0; n < 40; n++) socket.send(`{"ref":"x${n}","data":"${'x'.repeat(1_000_000)}"}`);
    expect(await closed).toBe(1013);
    expect(made.ingress.counts().inFlightBytes).toBeLessThanOrEqual(20_000_000);
    release();
    await until(() => made.ingress.counts().inFlightBytes === 0);
    const { received, accepted, refused } = made.ingress.counts();
    expect(received).toBe(
      accepted.kinesis +
        accepted.kafka +
        Object.values(refused).reduce((sum, count) => sum + count, 0),
    );
  });
});

describe('what is told', () => {
  it('of a member with a name of a megabyte is short', async () => {
    made = await rig();
    const answer = await post(
      `${made.ingress.url}/v1/a/wrapped`,
      JSON.stringify({ data: 1, ['x'.repeat(1_000_000)]: 1 }),
    );
    expect(answer.status).toBe(400);
    expect(answer.text.length).toBeLessThan(1_000);
    const cloudevents = { 'content-type': 'application/cloudevents+json' };
    const event = JSON.stringify({
      specversion: '1.0',
      id: '1',
      source: 's',
      type: 't',
      ['x'.repeat(1_000_000)]: {},
    });
    expect(
      (await post(`${made.ingress.url}/v1/a/plain`, event, cloudevents)).text.length,
    ).toBeLessThan(1_000);
  });

  it('of a request that is refused before anybody asks who sends it can be read by a page', async () => {
    made = await rig({ bodyMaxBytes: 1_000_000, inFlightMaxBytes: 1_200_000 });
    const origin = { origin: 'https://shop.example' };
    for (const address of ['/v1/a/plain', '/v1/track']) {
      const answer = await post(`${made.ingress.url}${address}`, 'x'.repeat(1_100_000), origin);
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([413, '*']);
    }
  });

  it('of times that cannot be does not spoil the figures', async () => {
    made = await rig();
    for (const at of ['-1e308', '1e308', '-5', '0x10', '1e400'])
      await post(`${made.ingress.url}/v1/a/plain`, '1', { 'x-client-timestamp': at });
    const metrics = (await made.ingress.metrics()).text;
    const sum =
      /network[a-z_]*_sum(?:\{[^}]*\})? (\S+)/.exec(metrics)?.[1] ??
      /_sum\{[^}]*network[^}]*\} (\S+)/.exec(metrics)?.[1];
    expect(Number(sum)).toBeLessThan(1e6);
  });
});
