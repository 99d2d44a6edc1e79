/**
 * What only shows over HTTP: heads as they arrive, other media types, lines with one id for all.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preflightHeadersMax, preflightHeadersMaxChars } from '../../../ingest/http/cors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Rig } from '../support.ts';
import { post, rig, streamConfig } from '../support.ts';

let made: Rig;
const url = (): string => `${made.ingress.url}/v1/a/plain`;

beforeAll(async () => {
  made = await rig({}, 1_000, undefined, {
    streams: [streamConfig('a', 'plain'), streamConfig('a', 'buffered', { ack: 'buffered' })],
  });
});
afterAll(() => made.ingress.shutDown());

/** Sends bytes as they are and gives the whole answer. */
function raw(...parts: readonly (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(made.ingress.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(Buffer.concat(parts.map((part) => Buffer.from(part)))),
    );
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/\r\n\r\n[^]*\}\n?$/.test(text)) socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}

describe('a head', () => {
  it('whose id is not ASCII is refused: two ids must not become one', async () => {
    const answer = await raw(
      'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nX-Event-Id: gr',
      Buffer.from([0xfc]),
      'n\r\nContent-Length: 1\r\n\r\n1',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*"code":"attribute-invalid"/);
  });

  it('with a CloudEvent header twice is refused', async () => {
    const answer = await raw(
      'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nce-id: a\r\nCE-ID: b\r\nce-source: s\r\nce-type: t\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*ce-id appears twice/);
  });

  it('of a CloudEvent whose data is no JSON is not taken for an event without attributes', async () => {
    const before = made.kinesis.applied.length;
    const ce = {
      'ce-specversion': '1.0',
      'ce-id': 'a',
      'ce-source': 's',
      'ce-type': 't',
      'content-type': 'text/plain',
    };
    expect(await post(url(), '1', ce)).toMatchObject({
      status: 400,
      json: { error: { code: 'cloudevent-invalid' } },
    });
    expect(made.kinesis.applied).toHaveLength(before);
  });
});

describe('a pixel', () => {
  it('says what its image means, as every answer does', async () => {
    const image = await fetch(`${url()}/pixel.gif?id=p&a=1`);
    expect([
      image.status,
      image.headers.get('content-type'),
      image.headers.get('x-sluice-ack'),
      image.headers.get('cache-control'),
    ]).toEqual([...[200, 'image/gif', 'replicated', 'no-store']]);
    expect(Buffer.from(await image.arrayBuffer()).toString('latin1', 0, 6)).toBe('GIF89a');
    const buffered = await fetch(`${made.ingress.url}/v1/a/buffered/pixel.gif?a=1`);
    expect([buffered.status, buffered.headers.get('x-sluice-ack')]).toEqual([202, 'buffered']);
  });
});

describe('two events', () => {
  it('whose source and id only look alike when they are put together are two', async () => {
    const send = async (source: string, id: string) =>
      (
        await post(url(), JSON.stringify({ specversion: '1.0', source, id, type: 't', data: 1 }), {
          'content-type': 'application/cloudevents+json',
        })
      ).json['repeated'];
    expect([
      await send('a b', 'c'),
      await send('a', ' bc'),
      await send('a ', 'bc'),
      await send('a', ' bc'),
    ]).toEqual([undefined, undefined, undefined, true]);
  });
});

describe('a preflight', () => {
  const preflight = async (requested: string) => {
    const headers = {
      origin: 'https://shop.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': requested,
    };
    const answer = await post(url(), '', headers, 'OPTIONS');
    return [
      answer.status,
      String(answer.headers['access-control-allow-headers']).toLowerCase().split(', '),
    ] as const;
  };

  it('allows the headers of events, and whatever else the page is about to send', async () => {
    const [status, allowed] = await preflight(
      'ce-campaign, content-type,CE-Sequence, x-other, traceparent,baggage',
    );
    expect(status).toBe(204);
    expect(allowed).toEqual(
      expect.arrayContaining([
        'content-type',
        'authorization',
        'x-event-id',
        'ce-campaign',
        'ce-sequence',
      ]),
    );
    expect(allowed).toEqual(expect.arrayContaining(['x-other', 'traceparent', 'baggage']));
    expect(new Set(allowed).size).toBe(allowed.length);
  });

  it('does not repeat what is no header name, or what a page cannot send', async () => {
    const [, allowed] = await preflight(
      'x<bad>,"x", x y,,host,cookie,sec-fetch-site,proxy-authorization,content-length',
    );
    expect(allowed.filter((name) => /bad|"| |^$|host|cookie|sec-|proxy|length/.test(name))).toEqual(
      [],
    );
  });

  it('allows within a bound', async () => {
    const [, many] = await preflight(
      Array.from({ length: 300 }, (_, index) => `x-${index}`).join(','),
    );
    expect(many.length).toBeLessThan(preflightHeadersMax + 20);
    const [, long] = await preflight(
      Array.from({ length: 60 }, (_, index) => `x-${'n'.repeat(100)}${index}`).join(','),
    );
    expect(long.join(', ').length).toBeLessThanOrEqual(preflightHeadersMaxChars);
  });
});

describe('lines with one id for all', () => {
  it.each([2, limits.requestEventsMax + 5])('are refused: %d', async (count) => {
    const before = made.kinesis.applied.length;
    const headers = { 'content-type': 'application/x-ndjson', 'x-event-id': 'one' };
    const answer = await post(url(), '1\n'.repeat(count), headers);
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'id-for-many' } } });
    expect(made.kinesis.applied).toHaveLength(before);
  });
});
