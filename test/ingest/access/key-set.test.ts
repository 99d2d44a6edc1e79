/**
 * The keys of an issuer, fetched from a real server on loopback, with time moved by hand.
 *
 * The first form asked a server that failed once for every request.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CryptoKey, JWK } from 'jose';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../../../ingest/access/access.ts';
import { createAccess } from '../../../ingest/access/access.ts';
import {
  jwksCooldownMs,
  jwksFreshMs,
  jwksMaxAgeMs,
  jwksMaxBytes,
  jwksRetryBaseMs,
  jwksRetryMaxMs,
  jwksTimeoutMs,
} from '../../../ingest/access/key-set.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { silentLog } from '../../../ingest/telemetry/log.ts';
import type { AccessConfig } from '../../../schemas/config.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { until } from '../../deploy/support.ts';
import { issuerConfig, openAccess } from '../support.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let url: string;
let answer: Answer;
let fetched: number;
let clock: ManualClock;
let access: Access;
let keys: Record<string, CryptoKey>;
let published: JWK[];

const good: Answer = (_request, response) => void response.end(JSON.stringify({ keys: published }));
const failing: Answer = (_request, response) => void response.writeHead(500).end();

async function addKey(kid: string): Promise<void> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  keys[kid] = privateKey;
  published.push({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' });
}

beforeEach(async () => {
  [answer, fetched, keys, published] = [good, 0, {}, []];
  server = createServer((request, response) => {
    fetched++;
    answer(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  clock = manualClock(Date.parse('2026-01-01T00:00:00Z'));
  await addKey('one');
  access = made(url);
});
afterEach(async () => {
  access.reload(openAccess);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const issuerAt = (address: string): AccessConfig => ({
  ...openAccess,
  jwt: [issuerConfig({ url: address })],
});
const made = (address: string): Access =>
  createAccess(issuerAt(address), { clock, random: seededRandom(1), log: silentLog });

let serial = 0;
/** A token that was not met before. */
const token = (kid = 'one', by = kid): Promise<string> =>
  new SignJWT({
    iss: 'https://login.example',
    aud: 'sluice',
    sub: 'u',
    exp: 4_000_000_000,
    jti: String(serial++),
    streams: ['a/*'],
  })
    .setProtectedHeader({ alg: 'ES256', kid })
    .sign(keys[by] as CryptoKey);
async function statusOf(text: string): Promise<number> {
  const grant = await access.identify({
    authorization: `Bearer ${text}`,
    apiKey: '',
    queryKey: '',
    origin: '',
  });
  return isRefusal(grant) ? grant.status : 200;
}
const status = async (kid?: string, by?: string): Promise<number> => statusOf(await token(kid, by));

it('are fetched once for all requests that wait for them', async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, () => token()));
  expect(new Set(await Promise.all(tokens.map(statusOf)))).toEqual(new Set([200]));
  expect(fetched).toBe(1);
});

it('that cannot be fetched are not asked for by every request: the others are told at once, and the pauses grow', async () => {
  answer = failing;
  const tokens = await Promise.all(Array.from({ length: 50 }, () => token()));
  expect(new Set(await Promise.all(tokens.map(statusOf)))).toEqual(new Set([503]));
  expect(fetched).toBe(1);
  for (let second = 0; second < 600; second++) {
    clock.advance(1_000);
    expect(await statusOf(tokens[second % 50] ?? '')).toBe(503);
  }
  // With a growing pause of at most a minute: fewer than one in five seconds, and no fewer than one
  // a minute.
  expect(fetched).toBeGreaterThanOrEqual(10);
  expect(fetched).toBeLessThan(120);
  answer = good;
  clock.advance(jwksRetryMaxMs);
  expect(await statusOf(tokens[0] ?? '')).toBe(200);
});

it('go on from the last good set while fetching fails, until that is too old', async () => {
  expect(await status()).toBe(200);
  answer = failing;
  for (let at = 0; at < jwksMaxAgeMs - jwksFreshMs; at += jwksFreshMs) {
    clock.advance(jwksFreshMs);
    expect(await status()).toBe(200);
  }
  clock.advance(2 * jwksFreshMs);
  expect(await status()).toBe(503);
  expect(fetched).toBeLessThan(2 + (jwksMaxAgeMs / jwksFreshMs) * 2);
});

it('that are not in the set are looked for once in a while, whoever sends what, and found after a rotation', async () => {
  expect(await status()).toBe(200);
  keys['stranger'] = keys['one'] as CryptoKey;
  const strangers = await Promise.all(Array.from({ length: 50 }, () => token('stranger')));
  expect(new Set(await Promise.all(strangers.map(statusOf)))).toEqual(new Set([401]));
  expect(fetched).toBe(1);
  await addKey('two');
  expect(await status('two')).toBe(401);
  clock.advance(jwksCooldownMs);
  expect(new Set(await Promise.all(strangers.map(statusOf)))).toEqual(new Set([401]));
  expect(fetched).toBe(2);
  expect(await status('two')).toBe(200);
});

it('that are withdrawn take their tokens with them, also those that were verified before', async () => {
  const before = await token();
  expect(await statusOf(before)).toBe(200);
  published.length = 0;
  await addKey('two');
  clock.advance(jwksFreshMs);
  // Stale, so it is fetched beside the answer.
  await statusOf(before);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await statusOf(before)).toBe(401);
  expect(await status('two')).toBe(200);
});

it('that are not in the set are fetched for the first token that names them, and while that fails nobody is told that the token is wrong', async () => {
  expect(await status()).toBe(200);
  await addKey('two');
  clock.advance(jwksCooldownMs);
  expect([await status('two'), fetched]).toEqual([200, 2]);
  await addKey('three');
  answer = failing;
  clock.advance(jwksCooldownMs);
  expect(await status('three')).toBe(503);
  expect(await status('one')).toBe(200);
});

describe('a connection that stays, though nobody else sends,', () => {
  const stays = async (): Promise<() => number> => {
    const grant = await access.identify({
      authorization: `Bearer ${await token()}`,
      apiKey: '',
      queryKey: '',
      origin: '',
    });
    if (isRefusal(grant)) throw new Error(grant.message);
    return () => {
      const found = access.again(grant, '');
      return isRefusal(found) ? found.status : found === grant ? 200 : 0;
    };
  };

  it('keeps its grant while its key is published, and loses it when the key is withdrawn', async () => {
    const now = await stays();
    expect(now()).toBe(200);
    clock.advance(jwksFreshMs);
    expect(now()).toBe(200);
    await until(() => fetched === 2);
    published.length = 0;
    await addKey('two');
    clock.advance(jwksFreshMs);
    await until(() => now() !== 200);
    expect([now(), fetched]).toEqual([401, 3]);
  });

  it('is told to come again when the last good set is too old', async () => {
    const now = await stays();
    answer = failing;
    clock.advance(jwksMaxAgeMs - 1);
    expect(now()).toBe(200);
    clock.advance(1);
    expect(now()).toBe(503);
  });
});

it('are not waited for any more when their issuer is gone from the configuration', async () => {
  let ended = false;
  answer = (_request, response) => void response.once('close', () => (ended = true));
  const waits = status();
  await until(() => fetched === 1);
  access.reload(openAccess);
  await until(() => ended);
  expect(await waits).toBe(503);
});

it.each<[string, Answer]>([
  [
    'too large',
    (_request, response) =>
      void response.end(JSON.stringify({ keys: published, pad: 'x'.repeat(jwksMaxBytes) })),
  ],
  [
    'a redirect',
    (_request, response) => void response.writeHead(302, { location: `${url}/elsewhere` }).end(),
  ],
  [
    'an error, though there are keys in it',
    (_request, response) => void response.writeHead(500).end(JSON.stringify({ keys: published })),
  ],
  ['no JSON', (_request, response) => void response.end('<html>')],
  ['no key', (_request, response) => void response.end('{"keys":[]}')],
  ['a list', (_request, response) => void response.end('[]')],
  ['null', (_request, response) => void response.end('null')],
  [
    'cut off',
    (_request, response) =>
      void response.writeHead(200, { 'content-length': '10' }).end('{').destroy(),
  ],
])('are not taken from an answer that is %s', async (_what, bad) => {
  answer = bad;
  expect([await status(), fetched]).toEqual([503, 1]);
});

it('that do not come in time end the wait of those who began it, and nobody else waits', async () => {
  answer = () => undefined;
  const first = status();
  while (fetched === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  clock.advance(jwksTimeoutMs);
  expect(await first).toBe(503);
  clock.advance(jwksRetryBaseMs);
  const tries = status();
  while (fetched === 1) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await status()).toBe(503);
  clock.advance(jwksTimeoutMs);
  expect(await tries).toBe(503);
  expect(fetched).toBe(2);
});

it('are asked for with the user information of their address as Basic (RFC 7617)', async () => {
  let authorization: string | undefined;
  answer = (request, response) => {
    ({ authorization } = request.headers);
    good(request, response);
  };
  access = made(url.replace('http://', 'http://me:s%3Acret@'));
  expect(await status()).toBe(200);
  expect(authorization).toBe(`Basic ${Buffer.from('me:s:cret').toString('base64')}`);
});

it('stay where a reload leaves their address as it was', async () => {
  expect(await status()).toBe(200);
  access.reload({
    ...issuerAt(url),
    jwt: issuerAt(url).jwt.map((issuer) => ({ ...issuer, origins: ['https://shop.example'] })),
  });
  expect([await status(), fetched]).toEqual([200, 1]);
});
