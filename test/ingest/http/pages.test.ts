/**
 * What a page sees of the ingress: every header of every answer can be read by one of an allowed
 * origin; paths say their methods, and where nothing is, what was probably meant.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exposedHeaders } from '../../../ingest/http/cors.ts';
import { likelyEndpoint } from '../../../ingest/protocols/likely-endpoint.ts';
import { segmentCalls } from '../../../ingest/protocols/segment/read.ts';
import type { Rig } from '../support.ts';
import { openAccess, post, rig } from '../support.ts';

const origin = 'https://shop.example';
let made: Rig;
beforeAll(async () => {
  made = await rig({}, 1_000, undefined, {
    access: { ...openAccess, openOrigins: [origin], openSegmentStream: 'a/plain' },
  });
});
afterAll(async () => {
  await made.ingress.shutDown();
});

/**
 * What a page reads anyway, and what is not for it:
 * https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
 */
const readAnyway =
  /^(cache-control|content-(language|length|type)|expires|last-modified|pragma|date|connection|keep-alive|transfer-encoding|vary|uwebsockets|access-control-.*)$/;

describe('a page of an allowed origin', () => {
  it.each<[string, string, string, string, Record<string, string>]>([
    ['200', 'POST', '/v1/a/plain', '1', {}],
    [
      '200 with a time of sending',
      'POST',
      '/v1/a/plain',
      '1',
      { 'x-client-timestamp': String(Date.now()) },
    ],
    ['207', 'POST', '/v1/a/plain', '1\nnope\n', { 'content-type': 'application/x-ndjson' }],
    ['400', 'POST', '/v1/a/plain', 'nope', {}],
    ['400 of a head', 'POST', '/v1/a/plain', '1', { trailer: 'x', 'transfer-encoding': 'chunked' }],
    ['404 of a stream', 'POST', '/v1/a/none', '1', {}],
    ['404 of a path', 'POST', '/v1/a/plain/', '1', {}],
    ['405', 'PUT', '/v1/a/plain', '1', {}],
    ['426', 'GET', '/v1/a/plain/ws', '', {}],
    ['an image', 'GET', '/v1/a/plain/pixel.gif?a=1', '', {}],
    ['warnings', 'GET', '/v1/a/plain/warnings', '', {}],
    ['Segment', 'POST', '/v1/track', '{"userId":"u","event":"e"}', {}],
    ['a preflight', 'OPTIONS', '/v1/a/plain', '', { 'access-control-request-method': 'POST' }],
  ])('can read every header of %s', async (_name, method, path, body, headers) => {
    const answer = await post(`${made.ingress.url}${path}`, body, { origin, ...headers }, method);
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    expect(String(answer.headers['vary']).split(', ')).toContain('Origin');
    if (method === 'OPTIONS') return;
    const exposed = String(answer.headers['access-control-expose-headers'])
      .toLowerCase()
      .split(', ');
    const hidden = Object.keys(answer.headers).filter(
      (name) => !readAnyway.test(name) && !exposed.includes(name),
    );
    expect(hidden).toEqual([]);
    expect(exposed).toEqual(exposedHeaders.map((name) => name.toLowerCase()));
  });

  it('that is not allowed reads nothing', async () => {
    for (const path of ['/v1/a/plain', '/nothing']) {
      const answer = await post(`${made.ingress.url}${path}`, '1', {
        origin: 'https://evil.example',
      });
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      expect(answer.headers['vary']).toBe('Origin');
    }
  });
});

describe('a path', () => {
  it.each([
    ['/v1/a/plain', 'POST, OPTIONS'],
    ['/v1/a/plain/pixel.gif', 'GET, OPTIONS'],
    ['/v1/a/plain/ws', 'GET, OPTIONS'],
    ['/v1/a/plain/warnings', 'GET, OPTIONS'],
    ['/v1/track', 'POST, OPTIONS'],
    ['/healthz', 'GET, HEAD, OPTIONS'],
    ['/readyz', 'GET, HEAD, OPTIONS'],
    ['/openapi.json', 'GET, HEAD, OPTIONS'],
    ['/asyncapi.json', 'GET, HEAD, OPTIONS'],
  ])('%s allows %s, to OPTIONS and to any other method', async (path, allowed) => {
    const asked = await post(`${made.ingress.url}${path}`, '', {}, 'OPTIONS');
    expect([asked.status, asked.headers['allow']]).toEqual([204, allowed]);
    for (const method of ['PUT', 'DELETE', 'TRACE', 'PATCH']) {
      const refused = await post(`${made.ingress.url}${path}`, '', {}, method);
      expect([refused.status, refused.headers['allow']]).toEqual([405, allowed]);
    }
  });

  it.each([
    ['/v1/shop/clicks/', 'POST /v1/shop/clicks'],
    ['//v1/shop/clicks', 'POST /v1/shop/clicks'],
    ['/v1//shop//clicks//', 'POST /v1/shop/clicks'],
    ['/shop/clicks', 'POST /v1/shop/clicks'],
    ['/v2/shop/clicks', 'POST /v1/shop/clicks'],
    ['/V1/shop/clicks', 'POST /v1/shop/clicks'],
    ['/v1/shop/clicks/pixel', 'GET /v1/shop/clicks/pixel.gif'],
    ['/shop/clicks/ws/', 'GET /v1/shop/clicks/ws'],
    ['/track', 'POST /v1/track'],
    ['/v1/track/', 'POST /v1/track'],
    ['/health', 'GET /healthz'],
    ['/v1/openapi.json', 'GET /openapi.json'],
    ['/', 'POST /v1/{team}/{app}'],
    ['/nowhere', 'POST /v1/{team}/{app}'],
    ['/v1/a/b/c/d', 'POST /v1/{team}/{app}'],
    ['/_sluice/status', 'POST /v1/{team}/{app}'],
    ['/v1/<x>/y', 'POST /v1/{team}/{app}'],
    [`/v1/${'a'.repeat(1_000)}/b`, 'POST /v1/{team}/{app}'],
  ])('%s was probably meant as %s', (path, route) => {
    expect(likelyEndpoint(path, Object.keys(segmentCalls))).toBe(route);
  });
});
