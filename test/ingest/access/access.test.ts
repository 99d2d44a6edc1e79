/**
 * Who may send where: over HTTP against a real ingress, and the rules under it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { createAccess, refuseStream } from '../../../ingest/access/access.ts';
import { covers } from '../../../ingest/access/grant.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import type { Ingress } from '../../../ingest/ingress.ts';
import { createIngress } from '../../../ingest/ingress.ts';
import { silentLog } from '../../../ingest/telemetry/log.ts';
import type { KeyConfig } from '../../../schemas/config.ts';
import { manualClock, systemClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom, systemRandom } from '../../../schemas/kernel/random.ts';
import {
  issuerConfig,
  keyConfig,
  openAccess,
  post,
  settings,
  streamConfig,
  writerDouble,
} from '../support.ts';

const keyOf = (key: string, more: Partial<KeyConfig> = {}): KeyConfig =>
  keyConfig(key, { name: `name-${key}`, streams: ['a/x'], ...more });

const open: Ingress[] = [];
async function ingressWith(
  more: Parameters<typeof settings>[3],
  bounds: Parameters<typeof settings>[1] = {},
) {
  const actions: string[] = [];
  const writers = {
    kinesis: writerDouble('kinesis', actions),
    kafka: writerDouble('kafka', actions),
  };
  const streams = [
    streamConfig('a', 'x'),
    streamConfig('a', 'y'),
    streamConfig('b', 'z', { quota: { eventsPerSecond: 1, burst: 3 } }),
  ];
  const config = settings(streams, bounds, 1_000, more);
  const clock = manualClock(Date.parse('2026-01-01T00:00:00Z'));
  const ingress = await createIngress({
    config,
    writers,
    clock: { ...clock, setTimer: (ms, fire) => systemClock.setTimer(ms, fire) },
    random: systemRandom,
    log: silentLog,
  });
  open.push(ingress);
  return { ingress, config, clock, ...writers };
}
afterEach(async () => {
  for (const ingress of open.splice(0)) await ingress.shutDown();
});

describe('an API key', () => {
  it.each([
    ['Authorization: Bearer', { authorization: 'Bearer k1' }, ''],
    [
      'Authorization: Basic, as its user',
      { authorization: `Basic ${Buffer.from('k1:').toString('base64')}` },
      '',
    ],
    ['X-Api-Key', { 'x-api-key': 'k1' }, ''],
    ['the query', {}, '?key=k1'],
  ])('is taken from %s', async (_where, headers, query) => {
    const { ingress } = await ingressWith({ access: { ...openAccess, keys: [keyOf('k1')] } });
    expect(
      (await post(`${ingress.url}/v1/a/x${query}`, '1', headers as Record<string, string>)).status,
    ).toBe(200);
  });

  it('that is missing or unknown is 401, whatever the stream', async () => {
    const { ingress, kinesis } = await ingressWith({
      access: { ...openAccess, keys: [keyOf('k1')] },
    });
    for (const stream of ['a/x', 'b/z', 'no/where']) {
      expect(await post(`${ingress.url}/v1/${stream}`, '1')).toMatchObject({
        status: 401,
        json: { error: { code: 'key-missing' } },
      });
      expect(await post(`${ingress.url}/v1/${stream}`, '1', { 'x-api-key': 'k2' })).toMatchObject({
        status: 401,
        json: { error: { code: 'key-unknown' } },
      });
    }
    expect(kinesis.applied).toEqual([]);
  });

  it('is told the same of a stream that is not its own and of one that does not exist', async () => {
    const { ingress } = await ingressWith({
      access: { ...openAccess, keys: [keyOf('k1'), keyOf('team', { streams: ['a/*'] })] },
    });
    const told = async (stream: string, key: string) => {
      const { status, text } = await post(`${ingress.url}/v1/${stream}`, '1', { 'x-api-key': key });
      return [status, text.replaceAll(stream, 'S')];
    };
    expect(await told('b/z', 'k1')).toEqual(await told('b/nothing', 'k1'));
    expect((await told('b/z', 'k1'))[0]).toBe(403);
    expect((await told('a/y', 'team'))[0]).toBe(200);
    expect((await told('a/nothing', 'team'))[0]).toBe(404);
    expect((await told('sluice/ledger', 'team'))[0]).toBe(403);
  });

  it('never covers another team, nor the ledger, whatever its patterns', () => {
    const name = fc.stringMatching(/^[a-z]{1,3}$/);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.oneof(name, fc.constant('*')))),
        name,
        name,
        (patterns, team, app) => {
          const texts = patterns.map(([one, other]) => `${one}/${other}`);
          const mine = patterns.some(
            ([one, other]) => one === team && (other === app || other === '*'),
          );
          expect(covers(texts, `${team}/${app}`)).toBe(mine);
          expect(covers([...texts, '*/*', 'sluice/*', 'sluice/ledger'], 'sluice/ledger')).toBe(
            false,
          );
        },
      ),
    );
  });

  it('for servers is of no use to a page, and one for pages only to those it names', async () => {
    const page = keyOf('page', { origins: ['https://shop.example'] });
    const { ingress } = await ingressWith({
      access: { ...openAccess, keys: [keyOf('server'), page] },
    });
    const send = (key: string, origin: string) =>
      post(`${ingress.url}/v1/a/x`, '1', { 'x-api-key': key, origin });
    expect(await send('server', 'https://shop.example')).toMatchObject({
      status: 403,
      json: { error: { code: 'origin-not-allowed' } },
    });
    expect(await send('page', 'https://evil.example')).toMatchObject({ status: 403 });
    const taken = await send('page', 'https://shop.example');
    expect([
      taken.status,
      taken.headers['access-control-allow-origin'],
      taken.headers['vary'],
    ]).toEqual([200, 'https://shop.example', 'Origin']);
    const preflight = await post(
      `${ingress.url}/v1/a/x`,
      '',
      { origin: 'https://shop.example' },
      'OPTIONS',
    );
    expect([
      preflight.status,
      preflight.headers['access-control-allow-origin'],
      preflight.headers['access-control-max-age'],
    ]).toEqual([204, 'https://shop.example', '7200']);
    expect(
      (await post(`${ingress.url}/v1/a/x`, '', { origin: 'https://evil.example' }, 'OPTIONS'))
        .headers['access-control-allow-origin'],
    ).toBeUndefined();
  });

  it('that is taken out of the configuration stops at once, and the others go on', async () => {
    const { ingress, config } = await ingressWith({
      access: { ...openAccess, keys: [keyOf('old'), keyOf('kept')] },
    });
    const send = async (key: string) =>
      (await post(`${ingress.url}/v1/a/x`, '1', { 'x-api-key': key })).status;
    expect([await send('old'), await send('kept'), await send('new')]).toEqual([200, 200, 401]);
    ingress.reload({ ...config, access: { ...openAccess, keys: [keyOf('kept'), keyOf('new')] } });
    expect([await send('old'), await send('kept'), await send('new')]).toEqual([401, 200, 200]);
  });
});

describe('quotas', () => {
  it('of a key and of a stream answer 429 with Retry-After and what is left, and charge neither when one refuses', async () => {
    const quota = { eventsPerSecond: 2, burst: 4 };
    const { ingress, clock, kinesis } = await ingressWith({
      access: { ...openAccess, keys: [keyOf('k', { streams: ['*/*'], quota })] },
    });
    const send = (stream: string, body: string) =>
      post(`${ingress.url}/v1/${stream}`, body, { 'x-api-key': 'k' });
    const first = await send('b/z', '[1,2]');
    expect(first.headers['ratelimit-policy']).toBe('"key";q=4;w=2, "stream";q=3;w=3');
    expect(first.headers['ratelimit']).toBe('"key";r=2;t=1, "stream";r=1;t=2');
    expect((await send('b/z', '1')).status).toBe(200);
    const over = await send('b/z', '1');
    expect(over).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      json: { error: { code: 'quota-stream' } },
    });
    // The key still has one: the refusal cost it nothing.
    expect((await send('a/x', '1')).status).toBe(200);
    expect(await send('a/x', '1')).toMatchObject({
      status: 429,
      json: { error: { code: 'quota-key' } },
    });
    clock.advance(1_000);
    expect((await send('a/x', '1')).status).toBe(200);
    expect(kinesis.applied).toHaveLength(5);
  });

  it('of an address count its requests before anything else is looked at', async () => {
    const { ingress } = await ingressWith(
      { access: { ...openAccess, keys: [keyOf('k')] } },
      { addressQuota: { eventsPerSecond: 1, burst: 2 }, trustedProxies: 1 },
    );
    const guess = (address: string) =>
      post(`${ingress.url}/v1/a/x`, '1', {
        'x-api-key': 'wrong',
        'x-forwarded-for': `9.9.9.9, ${address}`,
      });
    expect([(await guess('1.1.1.1')).status, (await guess('1.1.1.1')).status]).toEqual([401, 401]);
    expect(await guess('1.1.1.1')).toMatchObject({
      status: 429,
      json: { error: { code: 'quota-address' } },
    });
    expect((await guess('2.2.2.2')).status).toBe(401);
  });
});

describe('a token', () => {
  it('of a configured issuer opens the streams that it lists, until it expires; anything else is 401, an unreachable issuer 503', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const other = await generateKeyPair('ES256');
    let up = true;
    const server = createServer((_request, response) => {
      if (!up) return void response.writeHead(500).end();
      void exportJWK(publicKey).then((jwk) =>
        response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'one', alg: 'ES256' }] })),
      );
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    const issuer = issuerConfig(
      { url },
      { issuer: 'https://login.example/', streamsClaim: 'sluice_streams' },
    );
    const clock = manualClock(Date.parse('2026-01-01T00:00:00Z'));
    const now = clock.now() / 1_000;
    const sign = (claims: object, key = privateKey) =>
      new SignJWT({
        iss: issuer.issuer,
        aud: issuer.audience,
        sub: 'u',
        exp: now + 60,
        sluice_streams: ['a/*'],
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .sign(key);
    const access = createAccess(
      { ...openAccess, jwt: [issuer] },
      { clock, random: seededRandom(1), log: silentLog },
    );
    const identify = async (token: string) => {
      const grant = await access.identify({
        authorization: `Bearer ${token}`,
        apiKey: '',
        queryKey: '',
        origin: '',
      });
      return isRefusal(grant)
        ? `${grant.status} ${grant.code}`
        : [grant.allows('a/x'), grant.allows('b/z'), refuseStream(grant, 'b/z')?.status];
    };
    up = false;
    expect(await identify(await sign({}))).toBe('503 issuer-unreachable');
    up = true;
    // It is left alone for a while first.
    expect(await identify(await sign({}))).toBe('503 issuer-unreachable');
    clock.advance(1_000);
    const good = await sign({});
    expect(await identify(good)).toEqual([true, false, 403]);
    expect(await identify(await sign({ sluice_streams: 'b/z a/y' }))).toEqual([
      false,
      true,
      undefined,
    ]);
    for (const claims of [
      { sub: 12 },
      { sub: '' },
      { sub: undefined },
      { aud: 'other' },
      { iss: 'https://other.example/' },
      { exp: now - 60 },
      { exp: undefined },
    ]) {
      expect(await identify(await sign(claims))).toBe('401 token-invalid');
    }
    expect(await identify(await sign({}, other.privateKey))).toBe('401 token-invalid');
    const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`;
    expect(await identify(forged)).toBe('401 token-invalid');
    clock.advance(120_000);
    expect(await identify(good)).toBe('401 token-invalid');
    server.close();
  });
});
