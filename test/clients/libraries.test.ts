/**
 * Clients that others wrote, against a real ingress: what they send lands, and they understand the
 * answers.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { Analytics } from '@segment/analytics-node';
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { RealInstance } from './support.ts';
import { realInstance } from './support.ts';

const run = promisify(execFile);
const key = 'slc_librarylibrarylibrarylibrarylibr';
let instance: RealInstance;
let before: number;
const fresh = async (count: number) => (await instance.landedAtLeast(before + count)).slice(before);

beforeAll(async () => {
  instance = await realInstance(`streams: [{team: t, app: web}, {team: u, app: other}]
ingress: {port: 0}
keys: [{name: library, sha256: ${createHash('sha256').update(key).digest('hex')}, streams: [t/web]}]
`);
});
afterAll(() => instance.stop());
beforeEach(async () => {
  before = (await instance.landed()).length;
});

describe('the CloudEvents SDK', () => {
  const event = (n: number) =>
    new CloudEvent({
      id: `ce${n}`,
      source: '/sdk',
      type: 'com.example.sold',
      subject: `s${n}`,
      time: '2026-01-02T03:04:05.000Z',
      partitionkey: `p${n}`,
      campaign: 'spring',
      data: { n, text: 'grün' },
    });

  it.each([
    ['structured', Mode.STRUCTURED, 1],
    ['binary', Mode.BINARY, 4],
  ])('emits in %s mode', async (_name, mode, n) => {
    const emit = emitterFor(httpTransport(`${instance.url}/v1/t/web`), { mode });
    await emit(event(n), { headers: { authorization: `Bearer ${key}` } });
    const [landed] = await fresh(1);
    expect(landed?.attributes).toMatchObject({
      id: `ce${n}`,
      source: '/sdk',
      type: 'com.example.sold',
      subject: `s${n}`,
      time: '2026-01-02T03:04:05.000Z',
      partitionkey: `p${n}`,
      team: 't',
      app: 'web',
      extensions: { campaign: 'spring' },
    });
    expect(landed?.data).toEqual({ n, text: 'grün' });
  });

  it('has its batches taken', async () => {
    const messages = [2, 3].map((n) => HTTP.structured(event(n)).body as string);
    const response = await fetch(`${instance.url}/v1/t/web`, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents-batch+json', 'x-api-key': key },
      body: `[${messages.join(',')}]`,
    });
    expect(response.status).toBe(200);
    expect((await fresh(2)).map(({ attributes }) => attributes.id)).toEqual(['ce2', 'ce3']);
  });
});

describe("Segment's library", () => {
  it('sends all its calls with no change but the host', async () => {
    const analytics = new Analytics({
      writeKey: key,
      host: instance.url,
      flushAt: 6,
      maxRetries: 0,
    });
    const errors: unknown[] = [];
    analytics.on('error', (error) => errors.push(error));
    analytics.track({ userId: 'u1', event: 'Bought', properties: { price: 3.5 } });
    analytics.identify({ userId: 'u1', traits: { plan: 'free' } });
    analytics.page({ anonymousId: 'a1', name: 'Home' });
    analytics.screen({ userId: 'u1', name: 'Start' });
    analytics.group({ userId: 'u1', groupId: 'g1' });
    analytics.alias({ userId: 'u1', previousId: 'a1' });
    await analytics.closeAndFlush();
    expect(errors).toEqual([]);
    const landed = await fresh(6);
    expect(landed.map(({ attributes }) => [attributes.type, attributes.partitionkey])).toEqual([
      ['segment.track', 'u1'],
      ['segment.identify', 'u1'],
      ['segment.page', 'a1'],
      ['segment.screen', 'u1'],
      ['segment.group', 'u1'],
      ['segment.alias', 'u1'],
    ]);
    expect(landed[0]?.data).toMatchObject({
      event: 'Bought',
      properties: { price: 3.5 },
      userId: 'u1',
    });
    expect(landed[0]?.attributes.id).toBe(
      (landed[0]?.data as { messageId: string } | undefined)?.messageId,
    );
  });
});

describe('ws', () => {
  it('is slowed beyond its credit, and loses nothing', async () => {
    const socket = new WebSocket(`${instance.url.replace('http', 'ws')}/v1/t/web/ws`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const acks = await new Promise<number[]>((resolve, reject) => {
      const got: number[] = [];
      socket.once('error', reject);
      socket.on('message', (message: Buffer) => {
        const frame = JSON.parse(message.toString()) as {
          hello?: { credit: number };
          ref: number;
          status: number;
        };
        if (frame.hello !== undefined)
          for (let n = 0; n < frame.hello.credit + 100; n++)
            socket.send(`{"ref":${n},"data":${n}}`);
        else if (frame.status !== 200) reject(new Error(message.toString()));
        else if (got.push(frame.ref) === 356) resolve(got);
      });
    });
    socket.close();
    expect(acks.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 356 }, (_, n) => n));
    expect(await fresh(356)).toHaveLength(356);
  });
});

describe('curl', () => {
  const curl = async (...args: string[]) =>
    (await run('curl', ['-sS', '-i', '-H', `X-Api-Key: ${key}`, ...args])).stdout;

  it('sends a value, and lines of unknown length', async () => {
    expect(
      await curl(
        '-d',
        '{"by":"curl"}',
        '-H',
        'content-type: application/json',
        `${instance.url}/v1/t/web`,
      ),
    ).toMatch(/^HTTP\/1.1 200 OK/);
    const lines = run('sh', [
      '-c',
      `printf '{"n":1}\\n{"n":2}\\n' | curl -sS -H 'X-Api-Key: ${key}' -H 'content-type: application/x-ndjson' -T - -X POST ${instance.url}/v1/t/web`,
    ]);
    expect(JSON.parse((await lines).stdout)).toMatchObject({ accepted: 2, refused: 0 });
    expect((await fresh(3)).map(({ text }) => text)).toEqual([
      '{"by":"curl"}',
      '{"n":1}',
      '{"n":2}',
    ]);
  });

  it.each([
    ['gzip', gzipSync('{"z":"gzip"}'), '{"z":"gzip"}'],
    ['deflate', deflateSync('{"z":"zlib"}'), '{"z":"zlib"}'],
    ['deflate', deflateRawSync('{"z":"raw"}'), '{"z":"raw"}'],
    ['br', brotliCompressSync('{"z":"br"}'), '{"z":"br"}'],
  ])('sends a body in %s', async (encoding, body, text) => {
    const child = run('curl', [
      ...[
        '-sS',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-H',
        `X-Api-Key: ${key}`,
        '-H',
        'content-type: application/json',
      ],
      ...['-H', `content-encoding: ${encoding}`, '--data-binary', '@-', `${instance.url}/v1/t/web`],
    ]);
    child.child.stdin?.end(body);
    expect((await child).stdout).toBe('200');
    expect((await fresh(1))[0]?.text).toBe(text);
  });

  it('is told the same of a stream of another team and of one that is not there', async () => {
    const [other, none] = [
      await curl('-d', '1', `${instance.url}/v1/u/other`),
      await curl('-d', '1', `${instance.url}/v1/u/nothing`),
    ];
    const told = (answer: string): string =>
      answer.split('\r\n\r\n')[1]?.replaceAll(/other|nothing/g, 'x') ?? '';
    expect(other).toMatch(/^HTTP\/1.1 403/);
    expect(told(other)).toBe(told(none));
  });
});

describe('a client of HTTP/1.0', () => {
  it('is told 505', async () => {
    const { hostname, port } = new URL(instance.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write('POST /v1/t/web HTTP/1.0\r\nContent-Length: 1\r\n\r\n1'),
      );
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 505 /);
    expect(await instance.landed()).toHaveLength(before);
  });
});
