/**
 * What the client was, by every protocol: from the request or the handshake, the address as trusted
 * proxies say it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Rig } from '../support.ts';
import { openAccess, post, rig, streamConfig } from '../support.ts';

const asking = { context: { ip: 'truncated', userAgent: true, referer: true } } as const;
let made: Rig;
beforeAll(async () => {
  made = await rig({ trustedProxies: 1 }, 500, undefined, {
    streams: [streamConfig('a', 'kept', asking), streamConfig('a', 'plain')],
    access: { ...openAccess, openSegmentStream: 'a/kept' },
  });
});
afterAll(() => made.ingress.shutDown());

const headers = {
  'user-agent': 'agent "1"',
  referer: 'https://shop.example/p',
  'x-forwarded-for': '6.6.6.6, 203.0.113.77',
};
const expected = {
  clientip: '203.0.113.0',
  useragent: 'agent "1"',
  referer: 'https://shop.example/p',
};
const url = (app: string): string => `${made.ingress.url}/v1/a/${app}`;
const last = () =>
  (made.kafka.applied.at(-1) ?? made.kinesis.applied.at(-1))?.attributes.extensions;
const ofKinesis = () => made.kinesis.applied.at(-1)?.attributes.extensions;

describe('what the client was is kept', () => {
  it.each<[string, string, Record<string, string>]>([
    ['a value', '1', {}],
    ['an array', '[1]', {}],
    ['lines', '1\n', { 'content-type': 'application/x-ndjson' }],
    [
      'a CloudEvent that says so itself',
      '{"specversion":"1.0","id":"s","source":"/s","type":"t","clientip":"9.9.9.9","useragent":"forged","data":1}',
      { 'content-type': 'application/cloudevents+json' },
    ],
    [
      'a CloudEvent in headers that say so',
      '1',
      {
        'ce-specversion': '1.0',
        'ce-id': 'b',
        'ce-source': '/s',
        'ce-type': 't',
        'ce-clientip': '9.9.9.9',
        'ce-referer': 'forged',
      },
    ],
  ])('of %s', async (_name, body, more) => {
    expect((await post(url('kept'), body, { ...headers, ...more })).status).toBe(200);
    expect(ofKinesis()).toEqual(expected);
  });

  it('on both paths', async () => {
    expect(
      (await post(url('kept'), JSON.stringify('x'.repeat(1_000)), headers)).json,
    ).toMatchObject({ route: 'kafka' });
    expect(last()).toEqual(expected);
  });

  it('of a Segment message and a pixel', async () => {
    await post(`${made.ingress.url}/v1/p`, '{"userId":"u"}', headers);
    expect(ofKinesis()).toEqual(expected);
    await fetch(`${url('kept')}/pixel.gif?a=1`, { headers: { ...headers, 'user-agent': 'pixel' } });
    expect(ofKinesis()).toMatchObject({ clientip: '203.0.113.0', useragent: 'pixel' });
  });

  it('of a WebSocket, from its handshake', async () => {
    const socket = new WebSocket(`${url('kept').replace('http', 'ws')}/ws`, { headers });
    await new Promise<void>((resolve, reject) => {
      let messages = 0;
      socket.on('message', () => (messages++ === 0 ? socket.send('{"data":"w"}') : resolve()));
      socket.once('error', reject);
    });
    socket.close();
    expect(ofKinesis()).toEqual(expected);
  });

  it('and forged names are taken away where the request has no such header', async () => {
    const event =
      '{"specversion":"1.0","id":"f","source":"/s","type":"t","referer":"forged","useragent":"forged","data":1}';
    const { referer: _referer, ...without } = headers;
    await post(url('kept'), event, { ...without, 'content-type': 'application/cloudevents+json' });
    expect(ofKinesis()).toEqual({ clientip: '203.0.113.0', useragent: 'agent "1"' });
  });

  it('only where the stream asks: elsewhere the names are like any other', async () => {
    await post(url('plain'), '1', headers);
    expect(ofKinesis()).toBeUndefined();
    const event =
      '{"specversion":"1.0","id":"o","source":"/s","type":"t","clientip":"own","data":1}';
    await post(url('plain'), event, { ...headers, 'content-type': 'application/cloudevents+json' });
    expect(ofKinesis()).toEqual({ clientip: 'own' });
  });
});
