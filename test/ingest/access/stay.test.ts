/**
 * Who was let in is judged again while it stays: on an open WebSocket, in a long upload, in a body
 * that comes slowly. What a reload leaves as it was does not notice.
 *
 * The first form asked only at the next message whether anything at all had been reloaded: an idle
 * connection of a key that was taken out stayed, and every reload ended the connections of all
 * keys.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { accessRecheckMs } from '../../../ingest/access/rechecks.ts';
import { tokenSkewSeconds } from '../../../ingest/access/tokens.ts';
import type { AccessConfig, JwtConfig, KeyConfig } from '../../../schemas/config.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { limits } from '../../../schemas/limits.ts';
import { until } from '../../deploy/support.ts';
import type { Rig } from '../support.ts';
import { issuerConfig, keyConfig, openAccess, rig, settings, streamConfig } from '../support.ts';

const access = (keys: readonly KeyConfig[], jwt: readonly JwtConfig[] = []): AccessConfig => ({
  ...openAccess,
  keys,
  jwt,
});

const clock = manualClock(Date.parse('2026-01-01T00:00:00Z'));
let made: Rig;
const sockets: WebSocket[] = [];
const begin = async (config: AccessConfig): Promise<void> => {
  made = await rig({}, 1_000, clock, { access: config });
};
const reload = (config: AccessConfig): void =>
  made.ingress.reload(settings([streamConfig('a', 'plain')], {}, 1_000, { access: config }));
const applied = (): number => made.kinesis.applied.length;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  const drained = made.ingress.shutDown();
  let done = false;
  void drained.finally(() => (done = true));
  while (!done) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

interface Open {
  readonly socket: WebSocket;
  readonly messages: string[];
  closed: { readonly code: number; readonly reason: string } | undefined;
}

/**
 * Open, with its hello read. The credential is met before: an upgrade that waits for a token's
 * first verification is, now and then, closed by uWebSockets.js right after (it looks for the state
 * of a response where its WebSocket is already).
 */
async function openSocket(credential: string, origin?: string): Promise<Open> {
  await (
    await fetch(`${made.ingress.url}/v1/a/plain/warnings`, {
      headers: { authorization: `Bearer ${credential}` },
    })
  ).text();
  const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`, {
    headers: { authorization: `Bearer ${credential}`, ...(origin === undefined ? {} : { origin }) },
  });
  sockets.push(socket);
  const open: Open = { socket, messages: [], closed: undefined };
  socket.on('message', (data) => open.messages.push((data as Buffer).toString()));
  socket.on('close', (code, reason) => (open.closed = { code, reason: String(reason) }));
  socket.on('error', () => undefined);
  await until(() => open.messages.length === 1);
  return open;
}

/** An event that reaches the stream: the batcher waits on the clock. */
async function send(open: Open, data: unknown): Promise<void> {
  const before = open.messages.length;
  open.socket.send(JSON.stringify({ data }));
  await until(() => {
    clock.advance(1);
    return open.messages.length > before || open.closed !== undefined;
  });
}

describe('an open WebSocket', () => {
  it('is closed with 4401 when its key is taken out, though it is idle; those of other keys go on', async () => {
    await begin(access([keyConfig('gone'), keyConfig('kept')]));
    const [gone, kept] = [await openSocket('gone'), await openSocket('kept')];
    reload(access([keyConfig('kept'), keyConfig('new')]));
    await until(() => gone.closed !== undefined);
    expect(gone.closed).toEqual({ code: 4401, reason: 'the key is no longer valid' });
    await send(kept, 1);
    expect([applied(), kept.closed]).toEqual([1, undefined]);
  });

  it('sends nothing more into the stream once its key is gone, whatever is on its way', async () => {
    await begin(access([keyConfig('gone'), keyConfig('kept')]));
    const gone = await openSocket('gone');
    made.kinesis.gate = new Promise(() => undefined);
    for (let n = 0; n < limits.wsCreditEvents + 20; n++) gone.socket.send(`{"data":${n}}`);
    await until(() => made.ingress.counts().requests === limits.wsCreditEvents + 20);
    reload(access([keyConfig('kept')]));
    gone.socket.send('{"data":"late"}');
    await until(() => gone.closed !== undefined);
    expect(gone.closed?.code).toBe(4401);
    // What waited beyond the credit is refused for the same reason.
    expect(made.ingress.counts().refused['key-revoked']).toBe(20);
    made.kinesis.gate = undefined;
  });

  it('goes by the new streams, quota and origins of its key', async () => {
    await begin(access([keyConfig('k', { origins: ['https://a.example', 'https://b.example'] })]));
    const [a, b, server] = [
      await openSocket('k', 'https://a.example'),
      await openSocket('k', 'https://b.example'),
      await openSocket('k'),
    ];
    reload(
      access([
        keyConfig('k', { origins: ['https://b.example'], quota: { eventsPerSecond: 1, burst: 1 } }),
      ]),
    );
    await until(() => a.closed !== undefined);
    expect(a.closed?.code).toBe(4401);
    await send(b, 1);
    await send(server, 2);
    expect(applied()).toBe(1);
    expect(JSON.parse(server.messages[1] ?? '{}')).toMatchObject({
      status: 429,
      error: { code: 'quota-key' },
    });
    reload(access([keyConfig('k', { streams: ['a/other'], origins: ['https://b.example'] })]));
    await until(() => b.closed !== undefined && server.closed !== undefined);
    expect(b.closed?.reason).toContain('a/plain');
  });
});

describe('a WebSocket of a token', () => {
  let dir: string;
  let sign: (claims: object) => Promise<string>;
  let file: string;
  const issuer = (more: Partial<JwtConfig> = {}): JwtConfig => issuerConfig({ file }, more);
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-stay-'));
    file = join(dir, 'jwks.json');
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    writeFileSync(file, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    const exp = Math.floor(clock.now() / 1_000) + 60;
    sign = (claims) =>
      new SignJWT({
        iss: 'https://login.example',
        aud: 'sluice',
        sub: 'u',
        exp,
        streams: ['a/*'],
        ...claims,
      })
        .setProtectedHeader({ alg: 'RS256' })
        .sign(privateKey);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is closed within a bounded time after the token expired, the skew granted', async () => {
    await begin(access([], [issuer()]));
    const open = await openSocket(await sign({}));
    clock.advance((60 + tokenSkewSeconds) * 1_000 - accessRecheckMs - 1);
    await send(open, 1);
    expect([applied(), open.closed]).toEqual([1, undefined]);
    clock.advance(2 * accessRecheckMs);
    await until(() => open.closed !== undefined);
    expect(open.closed).toEqual({ code: 4401, reason: 'the token is not valid: it has expired' });
  });

  it.each([
    ['its issuer is configured no more', () => access([keyConfig('k')])],
    ['its audience is another', () => access([], [issuer({ audience: 'other' })])],
    [
      'it no longer says whom it speaks for',
      () => access([], [issuer({ identityClaim: 'client_id' })]),
    ],
    ['its claim of streams is another', () => access([], [issuer({ streamsClaim: 'other' })])],
  ])('is closed when %s', async (_why, next) => {
    await begin(access([], [issuer()]));
    const open = await openSocket(await sign({}));
    reload(next());
    await until(() => open.closed !== undefined);
    expect(open.closed?.code).toBe(4401);
  });

  it('is closed when the issuer withdraws the key that signed it, and stays when it only adds one', async () => {
    await begin(access([], [issuer()]));
    const open = await openSocket(await sign({}));
    const other = await exportJWK((await generateKeyPair('ES256')).publicKey);
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: object[] };
    writeFileSync(file, JSON.stringify({ keys: [...keys, other] }));
    reload(access([], [issuer()]));
    await send(open, 1);
    expect([applied(), open.closed]).toEqual([1, undefined]);
    writeFileSync(file, JSON.stringify({ keys: [other] }));
    reload(access([], [issuer()]));
    await until(() => open.closed !== undefined);
    expect(open.closed?.reason).toContain('withdrawn');
  });

  it('does not notice a reload that cannot be taken over: a key set that is half written', async () => {
    await begin(access([keyConfig('k')], [issuer()]));
    const [token, keyed] = [await openSocket(await sign({})), await openSocket('k')];
    for (const text of ['{"keys": [{"kty"', '{"keys": []}', '']) {
      writeFileSync(file, text);
      expect(() => reload(access([keyConfig('new')], [issuer()]))).toThrow('jwks.json');
    }
    await send(token, 1);
    await send(keyed, 2);
    expect([applied(), token.closed, keyed.closed]).toEqual([2, undefined, undefined]);
  });
});

describe('an upload', () => {
  interface Upload {
    readonly req: ClientRequest;
    status: number | undefined;
    text: string;
    ended: boolean;
  }

  function upload(contentType = 'application/x-ndjson', path = '/v1/a/plain'): Upload {
    const headers = { authorization: 'Bearer gone', 'content-type': contentType };
    const req = request(`${made.ingress.url}${path}`, { method: 'POST', headers });
    const open: Upload = { req, status: undefined, text: '', ended: false };
    req.on('error', () => (open.ended = true));
    req.on('response', (res) => {
      open.status = res.statusCode;
      res.on('data', (chunk: Buffer) => (open.text += chunk.toString()));
      res.on('end', () => (open.ended = true));
    });
    return open;
  }
  const settled = async (open: Upload): Promise<void> =>
    until(() => {
      clock.advance(1);
      return open.ended;
    });

  it('of many lines ends with a verdict of 401 when its key is gone, though nothing comes; what comes then is not stored', async () => {
    await begin(access([keyConfig('gone'), keyConfig('kept')]));
    const open = upload();
    const lines = Array.from({ length: 1_200 }, () => `{"pad":"${'x'.repeat(1_000)}"}\n`).join('');
    open.req.write(lines);
    await until(() => {
      clock.advance(1);
      return applied() + made.kafka.applied.length === 1_200;
    });
    reload(access([keyConfig('kept')]));
    await settled(open);
    open.req.end('{"late":true}\n');
    const verdict = open.text.trim().split('\n').at(-1) ?? '';
    expect(open.status).toBe(207);
    expect(JSON.parse(verdict)).toMatchObject({
      verdict: 401,
      accepted: 1_200,
      error: { code: 'key-revoked' },
    });
    expect(applied() + made.kafka.applied.length).toBe(1_200);
  });

  it.each([
    ['application/x-ndjson', '/v1/a/plain'],
    ['application/json', '/v1/a/plain'],
    ['application/json', '/v1/track'],
  ])(
    'that is short (%s to %s) is judged by its key when it is whole',
    async (contentType, path) => {
      await begin(access([keyConfig('gone', { segmentStream: 'a/plain' }), keyConfig('kept')]));
      const open = upload(contentType, path);
      open.req.write('{"a":');
      await until(() => made.ingress.counts().inFlightBytes > 0);
      reload(access([keyConfig('kept')]));
      open.req.end('1}\n');
      await settled(open);
      expect([open.status, applied()]).toEqual([401, 0]);
    },
  );
});

it('a request without a valid key is told the scheme (RFC 9110, section 11.6.1)', async () => {
  await begin(access([keyConfig('k')]));
  const socket = connect(made.ingress.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.write(
    'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer    \r\nContent-Length: 1\r\n\r\n1',
  );
  await until(() => text.includes('\r\n\r\n'));
  expect(text).toContain('401 Unauthorized');
  expect(text).toContain('WWW-Authenticate: Bearer realm="sluice"');
  socket.destroy();
});
