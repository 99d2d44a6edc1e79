/**
 * The check of a head, alone; and on a socket: what is behind a head at fault is never run as a
 * request, and nothing is stored of which nobody can be told.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BodyRule, Framing } from '../../../ingest/http/head-check.ts';
import { decideHandshake, decideHead } from '../../../ingest/http/head-check.ts';
import { limits } from '../../../schemas/limits.ts';
import { converse } from '../../fuzz/raw-http.ts';
import type { Rig } from '../support.ts';
import { rig } from '../support.ts';

const usual: Framing = {
  hasHost: true,
  host: 'shop.example:8080',
  lengthText: '20',
  transferEncoding: undefined,
  hasTrailer: false,
  repeated: undefined,
  headBytes: 200,
};
const verdict = (head: Partial<Framing>, rule: BodyRule = 'needed', query = '') => {
  const fault = decideHead({ ...usual, ...head }, rule, query);
  return fault === undefined
    ? 'right'
    : `${fault.refusal.status} ${fault.refusal.code}${fault.breaksFraming ? ', closed' : ''}`;
};
const chunked = { lengthText: undefined, transferEncoding: 'chunked' } as const;

describe('a head', () => {
  it.each<[string, Partial<Framing>, BodyRule?]>([
    ['with a length', {}],
    ['with a length of many digits', { lengthText: '000020' }],
    ['with chunks', chunked],
    ['with chunks in other case', { ...chunked, transferEncoding: 'Chunked' }],
    ['without a body where none is needed', { lengthText: undefined }, 'none'],
    ['with an empty body where none is needed', { lengthText: '0' }, 'none'],
    ['for a host without a port', { host: 'localhost' }],
    ['for an address', { host: '127.0.0.1:80' }],
    ['for an address of IPv6', { host: '[::1]:8080' }],
    ['for a host with an underscore', { host: 'my_service' }],
  ])('%s is right', (_name, head, rule) => {
    expect(verdict(head, rule)).toBe('right');
  });

  it.each<[string, string, Partial<Framing>, BodyRule?]>([
    ['400 host-missing, closed', 'no Host', { hasHost: false, host: '' }],
    ['400 host-repeated, closed', 'two Hosts', { repeated: 'host' }],
    ['400 host-invalid, closed', 'a blank in its Host', { host: 'a b' }],
    ['400 host-invalid, closed', 'a path in its Host', { host: 'a/b' }],
    ['400 host-invalid, closed', 'a user in its Host', { host: 'a@b' }],
    ['400 host-invalid, closed', 'an empty Host', { host: '' }],
    ['400 host-invalid, closed', 'a port that is none', { host: 'a:b' }],
    ['400 length-repeated, closed', 'two lengths', { repeated: 'content-length' }],
    ['400 length-invalid, closed', 'two lengths in a line', { lengthText: '20, 20' }],
    ['400 length-invalid, closed', 'a sign before its length', { lengthText: '+20' }],
    ['400 length-invalid, closed', 'a length in hexadecimal', { lengthText: '0x14' }],
    ['400 length-invalid, closed', 'an empty length', { lengthText: '' }],
    ['400 length-invalid, closed', 'a length beyond any', { lengthText: '9'.repeat(16) }],
    ['400 length-beside-chunks, closed', 'a length and chunks', { transferEncoding: 'chunked' }],
    [
      '501 coding-unknown, closed',
      'a coding that is not known',
      { ...chunked, transferEncoding: 'xchunked' },
    ],
    [
      '501 coding-unknown, closed',
      'chunks twice',
      { ...chunked, transferEncoding: 'chunked, chunked' },
    ],
    [
      '501 coding-unknown, closed',
      'chunks before another coding',
      { ...chunked, transferEncoding: 'chunked, gzip' },
    ],
    ['501 coding-unknown, closed', 'an empty coding', { ...chunked, transferEncoding: '' }],
    ['400 trailer-unsupported, closed', 'a trailer announced', { ...chunked, hasTrailer: true }],
    ['400 length-required, closed', 'no length where a body is needed', { lengthText: undefined }],
    ['400 body-unexpected, closed', 'a body where none is needed', {}, 'none'],
    ['400 body-unexpected, closed', 'chunks where no body is needed', chunked, 'none'],
    [
      '431 head-too-large, closed',
      'more bytes than may be',
      { headBytes: limits.httpHeadMaxBytes + 1 },
    ],
    ['400 header-repeated', 'two authorizations', { repeated: 'authorization' }],
  ])('is refused with %s for %s', (expected, _name, head, rule) => {
    expect(verdict(head, rule)).toBe(expected);
    // The host of the request before is remembered: it must not be taken for this one's.
    expect(verdict({})).toBe('right');
  });

  it('is refused for a query that is too long', () => {
    expect(verdict({}, 'any', 'q'.repeat(limits.httpHeadMaxBytes + 1))).toBe(
      '414 target-too-long, closed',
    );
  });
});

describe('a handshake', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';

  it('of RFC 6455 is right, whatever else its lists say', () => {
    expect(decideHandshake(key, '13', 'Upgrade', 'websocket')).toBeUndefined();
    expect(decideHandshake(key, '13', 'keep-alive, upgrade', 'WebSocket')).toBeUndefined();
  });

  it('has a key of 16 bytes, as Base64 writes them', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    fc.assert(
      fc.property(bytes, (made) => {
        const text = Buffer.from(made).toString('base64');
        expect(decideHandshake(text, '13', 'Upgrade', 'websocket') === undefined).toBe(
          made.length === 16,
        );
      }),
    );
    expect(decideHandshake('dGhlIHNhbXBsZSBub25jZR==', '13', 'Upgrade', 'websocket')).toMatchObject(
      { status: 426 },
    );
  });

  it.each([
    ['8', 'Upgrade', 'websocket'],
    ['', 'Upgrade', 'websocket'],
    ['13', 'keep-alive', 'websocket'],
    ['13', 'Upgrade', 'h2c'],
  ])(
    'of version %s, %s, %s is refused with what is spoken here',
    (version, connection, upgrade) => {
      expect(decideHandshake(key, version, connection, upgrade)).toMatchObject({
        status: 426,
        code: 'upgrade-required',
      });
    },
  );
});

describe('on a socket', () => {
  let made: Rig;
  beforeEach(async () => {
    made = await rig();
  });
  afterEach(async () => {
    await made.ingress.shutDown();
  });
  const stored = () =>
    [...made.kinesis.applied, ...made.kafka.applied].map(
      ({ data }) => JSON.parse(Buffer.from(data).toString()) as unknown,
    );
  const talk = async (...pieces: string[]) => {
    const heard = await converse(
      made.ingress.port,
      pieces.map((piece) => Buffer.from(piece, 'latin1')),
      { answers: 3, quietMs: 300 },
    );
    return { ...heard, statuses: heard.answers.map(({ status }) => status) };
  };
  const head = 'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const behind = `${head}Content-Length: 6\r\n\r\n"next"`;

  it.each([
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 400\r\n\r\n"a"`],
    [
      'a coding that is not known',
      `${head}Transfer-Encoding: xchunked\r\n\r\n3\r\n"a"\r\n0\r\n\r\n`,
    ],
    [
      'a trailer announced',
      `${head}Transfer-Encoding: chunked\r\nTrailer: X-One\r\n\r\n3\r\n"a"\r\n0\r\nX-One: 1\r\n\r\n`,
    ],
    ['two Hosts', `${head}Host: localhost\r\nContent-Length: 3\r\n\r\n"a"`],
    ['no length', `${head}\r\n`],
    ['a length that an empty name hides', `${head}: hidden\r\nContent-Length: 3\r\n\r\n"a"`],
  ])('%s: one answer, then the end, and the request behind it is not run', async (_name, sent) => {
    const { statuses, end } = await talk(sent + behind);
    expect([statuses.length, end]).toEqual([1, 'closed']);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(stored()).toEqual([]);
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it.each([
    ['among other options', 'Connection: x-foo, CLOSE\r\n', 'closed'],
    ['in a second line', 'Connection: keep-alive\r\nConnection: close\r\n', 'closed'],
    ['as a part of another word', 'Connection: not-close, closed\r\n', 'open'],
  ])(
    'close %s: as it says, the connection ends with the answer or stays',
    async (_name, lines, expected) => {
      const { statuses, end } = await talk(`${head}${lines}Content-Length: 3\r\n\r\n"a"`);
      expect([statuses, end]).toEqual([[200], expected]);
    },
  );

  it('a key that is missing is said of chunks with a trailer too, and nothing behind them is run', async () => {
    await made.ingress.shutDown();
    made = await rig({}, 1_000, undefined, {});
    const { statuses } = await talk(
      `${head}Transfer-Encoding: chunked\r\n\r\n3\r\n"a"\r\n0\r\nX-One: 1\r\n\r\n`,
    );
    expect(statuses.filter((status) => status === 200)).toEqual([]);
  });

  it.each([
    ['the next request of the same segment', behind],
    ['a trailer that was not announced', undefined],
    ['bytes that are no request', 'nonsense \r\n\r\n'],
  ])(
    'an event is answered, or nothing of it is stored, whatever is behind it: %s',
    async (_name, more) => {
      const sent =
        more === undefined
          ? `${head}Transfer-Encoding: chunked\r\n\r\n7\r\n"first"\r\n0\r\nX-One: 1\r\n\r\n`
          : `${head}Content-Length: 7\r\n\r\n"first"${more}`;
      const { statuses } = await talk(sent);
      expect(stored().length).toBe(statuses.filter((status) => status === 200).length);
    },
  );

  it('a body in many segments is stored once', async () => {
    const { statuses } = await talk(`${head}Content-Length: 7\r\n`, '\r\n"fi', 'rst"');
    expect([statuses, stored()]).toEqual([[200], ['first']]);
  });
});
