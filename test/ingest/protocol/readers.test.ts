/**
 * CloudEvents, Segment messages and pixels as pure readers: what is taken, what is refused and why, and that data bytes stay as they are.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AcceptedEvent, RequestHead } from '../../../ingest/protocol/attributes.ts';
import { readEvents } from '../../../ingest/protocol/events.ts';
import { readPixel } from '../../../ingest/protocol/pixel.ts';
import type { Refusal } from '../../../ingest/protocol/refusal.ts';
import { isRefusal } from '../../../ingest/protocol/refusal.ts';
import { readSegment, segmentWriteKey } from '../../../ingest/protocol/segment.ts';
import { streamConfig } from '../support.ts';

const stream = streamConfig('t', 'web', { event: { id: '/never' } });
const head: RequestHead = {
  receivedtime: '2026-01-01T00:00:10.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const newId = (): string => 'made';

type One = { readonly refusal: Refusal } | { readonly event: AcceptedEvent; readonly data: string | undefined };
const oneOf = (body: Buffer, read: AcceptedEvent | Refusal): One =>
  isRefusal(read)
    ? { refusal: read }
    : { event: read, data: read.data === undefined ? undefined : body.toString('utf8', read.data.start, read.data.end) };
const structured = (text: string): One => {
  const body = Buffer.from(text);
  const read = readEvents(body, { contentType: 'application/cloudevents+json; charset=utf-8', ce: undefined, head }, stream, newId);
  return isRefusal(read) ? { refusal: read } : oneOf(body, read.events[0] as AcceptedEvent | Refusal);
};
const binary = (ce: Record<string, string>, text: string, contentType = 'application/json'): One => {
  const body = Buffer.from(text);
  const read = readEvents(body, { contentType, ce, head }, stream, newId);
  return isRefusal(read) ? { refusal: read } : oneOf(body, read.events[0] as AcceptedEvent | Refusal);
};
const ce = { specversion: '1.0', id: '1', source: '/s', type: 't' };

describe('a CloudEvent', () => {
  it('is taken with its attributes and extensions, its data as it was written', () => {
    const taken = structured(
      '{"data": {"a": 1e2 , "b":12345678901234567890}, "specversion":"1.0","id":"1","source":"/s","type":"t","subject":"u","dataschema":"https://x/y","count":3,"flag":true,"none":null,"team":"other","receivedtime":"x"}',
    );
    expect(taken).toMatchObject({
      data: '{"a": 1e2 , "b":12345678901234567890}',
      event: {
        ownId: true,
        attributes: {
          id: '1',
          source: '/s',
          type: 't',
          subject: 'u',
          partitionkey: 'u',
          team: 't',
          app: 'web',
          dataschema: 'https://x/y',
          receivedtime: head.receivedtime,
          extensions: { count: '3', flag: 'true' },
        },
      },
    });
  });

  it('in binary mode has its headers percent-decoded, and may have no data', () => {
    expect(binary({ ...ce, subject: 'Gr%C3%BC%C3%9Fe', campaign: '%E2%82%AC' }, '[1, 2]')).toMatchObject({
      data: '[1, 2]',
      event: { attributes: { subject: 'Grüße', extensions: { campaign: '€' } } },
    });
    expect(binary(ce, '', '')).toMatchObject({ data: undefined, event: { data: undefined } });
    expect(binary({ ...ce, subject: '%ZZ' }, '1')).toMatchObject({ refusal: { code: 'cloudevent-invalid' } });
  });

  it.each([
    ['{"specversion":"0.3","id":"1","source":"/s","type":"t"}', '/specversion'],
    ['{"specversion":"1.0","source":"/s","type":"t"}', '/id'],
    ['{"specversion":"1.0","id":"","source":"/s","type":"t"}', '/id'],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AA=="}', '/data_base64'],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/xml","data":"<a/>"}', '/datacontenttype'],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","dataref":"claim:a/b/c"}', '/dataref'],
    ['{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}', '/id'],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":{}}', '/ext'],
  ])('is refused with the place: %s', (text, pointer) => {
    expect(structured(text)).toMatchObject({ refusal: { status: 400, code: 'cloudevent-invalid', pointer } });
  });

  it('in a batch stands for itself', () => {
    const body = Buffer.from('[{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1},{"id":"2"},3]');
    const read = readEvents(body, { contentType: 'application/cloudevents-batch+json', ce: undefined, head }, stream, newId);
    if (isRefusal(read)) throw new Error(read.message);
    expect(read.events.map((event) => (isRefusal(event) ? event.code : event.attributes.id))).toEqual([
      '1',
      'cloudevent-invalid',
      'cloudevent-invalid',
    ]);
  });
});

describe('a Segment message', () => {
  const read = (call: Parameters<typeof readSegment>[1], value: object) => {
    const body = Buffer.from(JSON.stringify(value));
    const result = readSegment(body, call, stream, head, newId);
    return isRefusal(result) ? [{ refusal: result }] : result.events.map((event) => oneOf(body, event));
  };

  it('has the time of the device, moved by what its clock was off', () => {
    // Sent 3 s after it happened; the device's clock was an hour ahead.
    const times = { originalTimestamp: '2026-01-01T01:00:00.000Z', sentAt: '2026-01-01T01:00:03.000Z' };
    expect(read('track', { userId: 'u', event: 'e', messageId: 'm', ...times })).toMatchObject([
      { event: { attributes: { id: 'm', type: 'segment.track', partitionkey: 'u', time: '2026-01-01T00:00:07.000Z' } } },
    ]);
  });

  it('in a batch is its own bytes, with the time of the batch, and each stands for itself', () => {
    const batch = [
      { type: 'identify', anonymousId: 'a', timestamp: '2026-01-01T00:00:00.000Z' },
      { type: 'track', userId: 'u' },
      { type: 'nothing', userId: 'u' },
      { type: 'page' },
    ];
    const results = read('batch', { batch, sentAt: '2026-01-01T00:00:05.000Z' });
    expect(results[0]).toMatchObject({
      data: JSON.stringify(batch[0]),
      event: { attributes: { type: 'segment.identify', partitionkey: 'a', time: '2026-01-01T00:00:05.000Z' } },
    });
    expect(results.slice(1)).toMatchObject([
      { refusal: { pointer: '/event' } },
      { refusal: { pointer: '/type' } },
      { refusal: { pointer: '/userId' } },
    ]);
    expect(read('batch', { batch: {} })).toMatchObject([{ refusal: { pointer: '/batch' } }]);
  });

  it('of a browser has its write key in the body', () => {
    expect(segmentWriteKey(Buffer.from('{"a":{"writeKey":"no"},"writeKey":"k"}'))).toBe('k');
    expect(segmentWriteKey(Buffer.from('{"writeKey":1}'))).toBeUndefined();
  });
});

describe('a pixel', () => {
  it('has its data from the query, as JSON or by name', () => {
    const pixel = (query: string) => {
      const read = readPixel(query, streamConfig('t', 'web'), head, newId);
      return isRefusal(read) ? read.code : [read.event.attributes.id, read.event.attributes.type, read.body.toString()];
    };
    expect(pixel('key=k&id=1&type=seen&data=%7B%22a%22%3A1%7D&b=2')).toEqual(['1', 'seen', '{"a":1}']);
    expect(pixel('a=1&a=2&b=x%20y&__proto__=z')).toEqual(['made', 't.web', '{"a":["1","2"],"b":"x y","__proto__":"z"}']);
    expect(pixel('data=%7B')).toBe('not-json');
  });
});

describe('any body', () => {
  it('is events whose data is JSON, or a refusal with a code; nothing throws', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .dictionary(
          fc.constantFrom('specversion', 'id', 'source', 'type', 'data', 'batch', 'userId', 'event', 'messageId', 'x'),
          fc.jsonValue(),
        )
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    const types = fc.constantFrom(
      'application/json',
      'text/plain',
      'application/x-ndjson',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      'image/png',
      '',
    );
    fc.assert(
      fc.property(
        bodies,
        types,
        fc.option(fc.dictionary(fc.stringMatching(/^[a-z-]{1,12}$/), fc.string()), { nil: undefined }),
        (body, contentType, headers) => {
          for (const read of [
            readEvents(body, { contentType, ce: headers, head }, stream, newId),
            readSegment(body, 'batch', stream, head, newId),
            readSegment(body, 'page', stream, head, newId),
          ]) {
            if (isRefusal(read)) {
              expect(read.code).toMatch(/^[a-z0-9-]+$/);
              continue;
            }
            for (const event of read.events) {
              if (!isRefusal(event) && event.data !== undefined) JSON.parse(body.toString('utf8', event.data.start, event.data.end));
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
