/**
 * HTTP requests: valid ones, nearly valid ones, and the bytes that they are.
 *
 * Not made, because the HTTP parser in front waits for more and closes the connection in silence
 * after its idle time: heads with control characters, with `_` in a header's name, without Host, or
 * with more than 99 headers. Nor is a request line cut in two: the parser answers that 505,
 * whatever follows.
 */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { bodies } from '../../ingest/protocols/list.ts';
import { segmentTypes } from '../../ingest/protocols/segment/read.ts';
import { someBody, someId, someTime, someType } from './arbitrary-bodies.ts';

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly chunked: boolean;
  /** Where the bytes are cut into pieces, in parts of 65,536 of what follows the request line. */
  readonly cuts: readonly number[];
}

/** Now and then. */
const sometimes = <T>(arbitrary: fc.Arbitrary<T>, inTen: number): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 10 - inTen, arbitrary: fc.constant(undefined) }, { weight: inTen, arbitrary });

/** Names that every object has, and what looks up in a table by what a client wrote. */
const inherited = fc.constantFrom('constructor', '__proto__', 'toString', 'hasownproperty');

/**
 * Printable ASCII, and bytes that are obsolete but allowed (RFC 9110, section 5.5), by their
 * number.
 */
const fieldValue = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
      { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
    ),
    {
      maxLength: 24,
    },
  )
  .map((codes) => String.fromCharCode(...codes).trim());
/** A text as its UTF-8 bytes, as far as a header may have them. */
const fieldText = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  arbitrary.map((text) =>
    [...Buffer.from(text).toString('latin1')]
      .filter((character) => character >= ' ' && character !== '\u007f')
      .join('')
      .trim(),
  );

const contentType = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', ...bodies.flatMap(({ match }) => match.types)) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/x+json',
      'image/png',
      ';',
    ),
  },
  { weight: 1, arbitrary: inherited },
  { weight: 1, arbitrary: fieldValue },
);
const header = (name: string, arbitrary: fc.Arbitrary<string>): fc.Arbitrary<[string, string]> =>
  fieldText(arbitrary).map((text) => [name, text]);
const someHeader = fc.oneof(
  header('X-Event-Id', someId),
  header('X-Event-Type', someType),
  header('X-Event-Time', someTime),
  header('X-Partition-Key', fc.oneof(someId, fc.constant('k'.repeat(300)))),
  header('X-Request-Id', fc.oneof(fc.uuid(), fieldValue)),
  header(
    'X-Client-Timestamp',
    fc.oneof(fc.nat().map(String), fc.constantFrom('1e308', 'Infinity', '-1', '0x10', 'x')),
  ),
  header(
    'traceparent',
    fc.oneof(fieldValue, fc.constant('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')),
  ),
  header('Origin', fc.oneof(fieldValue, fc.constantFrom('https://example.com', 'null', 'a, b'))),
  header(
    'Authorization',
    fc.oneof(fieldValue, fc.constantFrom('Bearer', 'Basic', 'Bearer x', 'Basic !!')),
  ),
  header('X-Api-Key', fieldValue),
  header('X-Forwarded-For', fieldValue),
  header('Accept-Encoding', fieldValue),
  fc
    .tuple(fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,30}$/), fieldValue)
    .filter(([name]) => !framing.has(name.toLowerCase())),
);
/** They say where a request ends; what is said here is always true. */
const framing = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'host',
  'content-type',
  'content-encoding',
]);
const ceHeaders = fc
  .record(
    {
      'ce-specversion': fc.oneof(
        { weight: 4, arbitrary: fc.constant('1.0') },
        { weight: 1, arbitrary: fieldValue },
      ),
      'ce-id': fieldText(someId),
      'ce-source': fc.constantFrom('/fuzz', '%', '%zz', '%c3%28', '%00'),
      'ce-type': fieldText(someType),
      'ce-time': fieldText(someTime),
      'ce-partitionkey': fieldValue,
      'ce-constructor': fieldValue,
      'ce-dataref': fieldValue,
      'ce-X-y': fieldValue,
      'ce-': fieldValue,
    },
    { requiredKeys: ['ce-specversion', 'ce-id', 'ce-source', 'ce-type'] },
  )
  .map((made) => Object.entries(made) as [string, string][]);

const segmentName = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('plain', 'plain', 'wrapped', 'pointed') },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).map(percentEncoded),
  },
);
const query = fc.oneof(
  fc
    .array(
      fc.tuple(
        fc.constantFrom(
          'id',
          'type',
          'time',
          'partitionkey',
          'data',
          'key',
          'session',
          'x',
          '__proto__',
        ),
        fc.oneof(someId, someTime, fc.json()),
      ),
      {
        maxLength: 5,
      },
    )
    .map((pairs) => pairs.map(([name, value]) => `${name}=${percentEncoded(value)}`).join('&')),
  fc.constantFrom('%', '%zz=%', 'key=%ff', '&&=', '?', 'data=%ff', 'data={}'),
);
const path = fc.oneof(
  { weight: 12, arbitrary: segmentName.map((app) => `/v1/a/${app}`) },
  { weight: 4, arbitrary: fc.constantFrom(...segmentTypes, 'batch').map((call) => `/v1/${call}`) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '/v1/a/plain/pixel.gif',
      '/v1/a/wrapped/pixel.gif',
      '/v1/a/pointed/pixel.gif',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/v1/a/none',
      '/v1/a/plain/ws',
      '/v1/a/plain/warnings',
      '/v1/a/none/warnings',
      '/v1/sluice/ledger',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/healthz',
      '/readyz',
      '/metrics',
      '/_sluice/status',
      '/openapi.json',
      '/asyncapi.json',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.array(segmentName, { maxLength: 5 }).map((names) => `/${names.join('/')}`),
  },
);
const usualMethod = (target: string): string =>
  /^\/v1\/(?:[^/]+|[^/]+\/[^/]+)$/.test(target) ? 'POST' : 'GET';

const encode: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  'x-gzip': gzipSync,
  br: brotliCompressSync,
  raw: deflateRawSync,
};
const encoding = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.constantFrom('gzip', 'deflate', 'x-gzip', 'br', 'raw') },
);
/** What the head says about the encoding, where that is not the truth. */
const saidEncoding = sometimes(
  fc.oneof(fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'gzip, br'), inherited, fieldValue),
  1,
);

export const someRequest: fc.Arbitrary<Asked> = fc
  .record({
    path,
    query: sometimes(query, 3),
    method: sometimes(
      fc.constantFrom(
        'GET',
        'POST',
        'PUT',
        'DELETE',
        'PATCH',
        'HEAD',
        'OPTIONS',
        'TRACE',
        'PROPFIND',
      ),
      1,
    ),
    type: sometimes(contentType, 7),
    headers: fc.array(someHeader, { maxLength: 5 }),
    ce: sometimes(ceHeaders, 2),
    body: someBody,
    encoding,
    saidEncoding,
    chunked: fc.boolean(),
    cuts: fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 4 }),
  })
  .map(
    ({
      path: pathname,
      query: said,
      method,
      type,
      headers,
      ce,
      body,
      encoding: used,
      saidEncoding: claimed,
      chunked,
      cuts,
    }) => {
      const name = claimed ?? (used === 'raw' ? 'deflate' : used);
      return {
        method: method ?? usualMethod(pathname),
        target: said === undefined ? pathname : `${pathname}?${said}`,
        headers: [
          ...(type === undefined ? [] : [['Content-Type', type] as const]),
          ...(name === undefined ? [] : [['Content-Encoding', name] as const]),
          ...headers,
          ...(ce ?? []),
        ],
        body: used === undefined ? body : (encode[used]?.(body) ?? Buffer.from(body)),
        chunked,
        cuts,
      };
    },
  );

/** The request's bytes, in its pieces. */
export function piecesOf(asked: Asked): readonly Buffer[] {
  const bytes = bytesOf(asked);
  const line = bytes.indexOf('\r\n') + 2;
  const places = [
    0,
    ...asked.cuts
      .map((cut) => line + Math.floor((cut * (bytes.length - line)) / 65_536))
      .toSorted((a, b) => a - b),
    bytes.length,
  ];
  return places.slice(1).flatMap((end, index) => {
    const piece = bytes.subarray(places[index] ?? 0, end);
    return piece.length === 0 ? [] : [piece];
  });
}

export function bytesOf({ method, target, headers, body, chunked }: Asked): Buffer {
  const framed: readonly (readonly [string, string])[] = chunked
    ? [['Transfer-Encoding', 'chunked']]
    : [['Content-Length', String(body.length)]];
  const head = [...framed, ['Host', 'localhost'] as const, ...headers]
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const start = Buffer.from(`${method} ${target} HTTP/1.1\r\n${head}\r\n`, 'latin1');
  return Buffer.concat([start, ...(chunked ? chunksOf(body) : [body])]);
}

function chunksOf(body: Buffer): readonly Buffer[] {
  const chunks: Buffer[] = [];
  const size = Math.max(1, Math.ceil(body.length / 3));
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.subarray(at, at + size);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return [...chunks, Buffer.from('0\r\n\r\n')];
}

function percentEncoded(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\ufffd'));
}
