/**
 * The Segment API over HTTP: the routes of browsers and mobiles, what they ask for before they
 * send, and where events of each kind of sender go.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JwtConfig, KeyConfig } from '../../../schemas/config.ts';
import type { Rig } from '../support.ts';
import { issuerConfig, keyConfig, openAccess, post, rig } from '../support.ts';

const origins = ['https://shop.example', 'http://127.0.0.1:3000'];
const key = (name: string, streams: readonly string[], segmentStream?: string): KeyConfig =>
  keyConfig(name, { streams, origins, segmentStream });

let keyed: Rig;
let open: Rig;
beforeAll(async () => {
  const keys = [key('many', ['a/*'], 'a/plain'), key('single', ['a/plain']), key('none', ['a/*'])];
  keyed = await rig({}, 100_000, undefined, { access: { ...openAccess, keys } });
  open = await rig({}, 100_000, undefined, {
    access: { ...openAccess, openSegmentStream: 'a/plain' },
  });
});
afterAll(() => Promise.all([keyed.ingress.shutDown(), open.ingress.shutDown()]));

const basic = (name: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:`).toString('base64')}`,
});
const get = async (made: Rig, path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${made.ingress.url}${path}`, { headers });
  return {
    status: answer.status,
    headers: answer.headers,
    json: (await answer.json()) as { error?: { code: string }; integrations?: unknown },
  };
};

describe('a message of Segment', () => {
  it.each([
    ['t', 'track', { event: 'e' }],
    ['i', 'identify', {}],
    ['p', 'page', {}],
    ['s', 'screen', {}],
    ['g', 'group', { groupId: 'g' }],
    ['a', 'alias', { previousId: 'p' }],
  ])('at /v1/%s is %s', async (route, type, own) => {
    const answer = await post(
      `${keyed.ingress.url}/v1/${route}`,
      JSON.stringify({ userId: 'u', ...own }),
      basic('many'),
    );
    expect([answer.status, answer.json]).toEqual([200, { success: true }]);
    expect(keyed.kinesis.applied.at(-1)?.attributes).toMatchObject({
      type: `segment.${type}`,
      team: 'a',
      app: 'plain',
    });
  });

  it.each(['b', 'batch', 'import'])('in a batch of a mobile lands, at /v1/%s', async (route) => {
    const message = (type: string, more: object): object => ({
      type,
      anonymousId: 'a',
      messageId: `${route}-${type}`,
      timestamp: '2024-05-06T07:08:09.123Z',
      context: {
        device: { manufacturer: 'Google', model: 'Pixel' },
        library: { name: 'analytics-kotlin', version: '1.19.1' },
      },
      integrations: {},
      _metadata: { bundled: [], unbundled: [], bundledIds: [] },
      ...more,
    });
    const batch = [
      message('screen', { name: 'Main' }),
      message('track', { event: 'Opened', userId: '' }),
    ];
    const body = gzipSync(
      JSON.stringify({ batch, sentAt: '2024-05-06T07:08:10.000Z', writeKey: 'many' }),
    );
    const from = keyed.kinesis.applied.length;
    const headers = {
      ...basic('many'),
      'content-type': 'application/json; charset=utf-8',
      'content-encoding': 'gzip',
    };
    expect(await post(`${keyed.ingress.url}/v1/${route}`, body, headers)).toMatchObject({
      status: 200,
      json: { success: true },
    });
    expect(
      keyed.kinesis.applied
        .slice(from)
        .map(({ attributes, data }) => [attributes.id, Buffer.from(data).toString()]),
    ).toEqual(batch.map((one) => [(one as { messageId: string }).messageId, JSON.stringify(one)]));
  });

  it('goes where its key says, to its only stream, or nowhere; without keys where the configuration says', async () => {
    const send = async (made: Rig, name: string) => {
      const answer = await post(`${made.ingress.url}/v1/p`, '{"userId":"u"}', basic(name));
      return [answer.status, answer.json.error?.['code']];
    };
    expect(await send(keyed, 'single')).toEqual([200, undefined]);
    expect(await send(keyed, 'none')).toEqual([404, 'segment-stream-unknown']);
    expect(await send(keyed, 'nobody')).toEqual([401, 'key-unknown']);
    expect(await send(open, 'anything')).toEqual([200, undefined]);
  });

  it.each([
    ['messageId', {}],
    ['userId', ['u']],
    ['anonymousId', true],
  ])('whose %s is %j is refused: it would be replaced without a word', async (name, value) => {
    const answer = await post(
      `${keyed.ingress.url}/v1/p`,
      JSON.stringify({ userId: 'u', [name]: value }),
      basic('many'),
    );
    expect([answer.status, answer.json.error?.['pointer']]).toEqual([400, `/${name}`]);
  });

  it('of a user who is not known yet has no userId, or null', async () => {
    for (const body of [
      '{"anonymousId":"a","userId":null}',
      '{"anonymousId":"a","userId":"","messageId":null}',
    ])
      expect(await post(`${keyed.ingress.url}/v1/p`, body, basic('many'))).toMatchObject({
        status: 200,
      });
    expect(keyed.kinesis.applied.at(-1)?.attributes.partitionkey).toBe('a');
  });
});

describe('the settings of a write key', () => {
  it('name this host as the only destination, to pages of its origins', async () => {
    const { host } = new URL(keyed.ingress.url);
    const answer = await get(keyed, '/v1/projects/many/settings', {
      origin: 'https://shop.example',
    });
    expect(answer).toMatchObject({
      status: 200,
      json: {
        integrations: { 'Segment.io': { apiKey: 'many', apiHost: `${host}/v1` } },
        metrics: { sampleRate: 0 },
      },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(JSON.stringify(answer.json)).not.toContain('protocol');
  });

  it('say http only to a page that came by http, with no proxy that says otherwise', async () => {
    const page = { origin: 'http://127.0.0.1:3000' };
    const protocol = async (headers: Record<string, string>) =>
      (
        (await get(keyed, '/v1/projects/many/settings', headers)).json.integrations as {
          'Segment.io': { protocol?: string };
        }
      )['Segment.io'].protocol;
    expect([
      await protocol(page),
      await protocol({ ...page, 'x-forwarded-proto': 'https' }),
      await protocol({}),
    ]).toEqual(['http', undefined, undefined]);
  });

  it('are refused for a key that is not known, has no stream, or is not for the page, and without keys are for anybody', async () => {
    const code = async (made: Rig, name: string, headers: Record<string, string> = {}) => {
      const { status, json } = await get(made, `/v1/projects/${name}/settings`, headers);
      return [status, json.error?.code];
    };
    expect(await code(keyed, 'slc_nobody')).toEqual([401, 'key-unknown']);
    // The path's key counts, whatever else the request presents.
    expect(await code(keyed, 'slc_nobody', basic('many'))).toEqual([401, 'key-unknown']);
    expect(await code(keyed, 'none')).toEqual([404, 'segment-stream-unknown']);
    expect(await code(keyed, 'many', { origin: 'https://other.example' })).toEqual([
      403,
      'origin-not-allowed',
    ]);
    expect(await code(open, 'any"key')).toEqual([200, undefined]);
  });
});

describe('a token as write key', () => {
  it('sends to the stream of its issuer, or to its only one', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const dir = mkdtempSync(join(tmpdir(), 'sluice-segment-'));
    const file = join(dir, 'jwks.json');
    writeFileSync(
      file,
      JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] }),
    );
    const issuer = (name: string): JwtConfig =>
      issuerConfig(
        { file },
        {
          issuer: `https://${name}.example/`,
          ...(name === 'named' ? { segmentStream: 'a/plain' } : {}),
        },
      );
    const made = await rig({}, 100_000, undefined, {
      access: { ...openAccess, jwt: [issuer('named'), issuer('unnamed')] },
    });
    const send = async (name: string, streams: readonly string[]) => {
      const token = await new SignJWT({ streams })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(`https://${name}.example/`)
        .setAudience('sluice')
        .setSubject('u')
        .setExpirationTime('1m')
        .sign(privateKey);
      const answer = await post(`${made.ingress.url}/v1/p`, '{"userId":"u"}', basic(token));
      return [answer.status, answer.json.error?.['code']];
    };
    expect(await send('named', ['a/*'])).toEqual([200, undefined]);
    expect(await send('named', ['a/wrapped'])).toEqual([404, 'segment-stream-unknown']);
    expect(await send('unnamed', ['a/plain'])).toEqual([200, undefined]);
    expect(await send('unnamed', ['a/*'])).toEqual([404, 'segment-stream-unknown']);
    await made.ingress.shutDown();
    rmSync(dir, { recursive: true });
  });
});

describe('what a library reports about itself', () => {
  it('is not waited for, and what follows on the connection is answered', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const send = (path: string, body: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'text/plain', ...basic('many') };
        const sent = request(
          `${keyed.ingress.url}${path}`,
          { method: 'POST', agent, headers },
          (answer) => {
            answer.resume();
            answer.once('end', () => resolve(answer.statusCode ?? 0));
          },
        );
        sent.once('error', reject);
        sent.end(body);
      });
    const long = JSON.stringify({ series: ['x'.repeat(1_000_000)] });
    expect([
      await send('/v1/m', long),
      await send('/v1/p', '{"userId":"u"}'),
      await send('/v1/m', '{}'),
    ]).toEqual([200, 200, 200]);
    agent.destroy();
  });

  it('is taken and not kept', async () => {
    const from = keyed.kinesis.applied.length;
    const answer = await post(`${keyed.ingress.url}/v1/m`, '{"series":[]}', {
      'content-type': 'text/plain',
      origin: 'https://shop.example',
    });
    expect([answer.status, answer.json, answer.headers['access-control-allow-origin']]).toEqual([
      200,
      { success: true },
      'https://shop.example',
    ]);
    expect(keyed.kinesis.applied).toHaveLength(from);
  });
});
