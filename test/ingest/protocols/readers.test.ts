/**
 * CloudEvents, Segment messages and pixels as pure readers: what is taken, what is refused and why,
 * and that data bytes stay as they are.
 */
import { createHash } from 'node:crypto';
import { CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AcceptedEvent, RequestHead } from '../../../ingest/event/given.ts';
import { attributeMembersMax } from '../../../ingest/event/members.ts';
import type { BinaryHeaders } from '../../../ingest/event/read-body.ts';
import type { Refusal } from '../../../ingest/event/refusal.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { readTraceparent } from '../../../ingest/event/traceparent.ts';
import { extensionOverheadBytes } from '../../../ingest/protocols/cloudevents/read.ts';
import { readPixel } from '../../../ingest/protocols/pixel/read.ts';
import { readSegment, segmentWriteKey } from '../../../ingest/protocols/segment/read.ts';
import { readFrame } from '../../../ingest/protocols/websocket/frame.ts';
import { limits } from '../../../schemas/limits.ts';
import { saying } from '../../said.ts';
import { streamConfig } from '../support.ts';
import { readEvents } from './support.ts';

const stream = streamConfig('t', 'web', { event: { id: '/never' } });
const head: RequestHead = {
  receivedtime: '2026-01-01T00:00:10.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const newId = (): string => 'made';

type One =
  | { readonly refusal: Refusal }
  | { readonly event: AcceptedEvent; readonly data: string | undefined };
const oneOf = (body: Buffer, read: AcceptedEvent | Refusal): One =>
  isRefusal(read)
    ? { refusal: read }
    : {
        event: read,
        data:
          read.data === undefined
            ? undefined
            : body.toString('utf8', read.data.start, read.data.end),
      };
const structured = (text: string): One => {
  const body = Buffer.from(text);
  const read = readEvents(
    body,
    { contentType: 'application/cloudevents+json; charset=utf-8', ce: undefined, head },
    stream,
    newId,
  );
  return isRefusal(read)
    ? { refusal: read }
    : oneOf(body, read.events[0] as AcceptedEvent | Refusal);
};
const binary = (ce: Record<string, string>, text: string, contentType = 'application/json'): One =>
  binaryOf(Object.entries(ce), text, contentType);
const binaryOf = (headers: BinaryHeaders, text: string, contentType: string): One => {
  const body = Buffer.from(text);
  const read = readEvents(body, { contentType, ce: headers, head }, stream, newId);
  return isRefusal(read)
    ? { refusal: read }
    : oneOf(body, read.events[0] as AcceptedEvent | Refusal);
};
const ce = { specversion: '1.0', id: '1', source: '/s', type: 't' };

/**
 * As the binding has it: all but printable ASCII without blank, quote and percent. The SDK leaves
 * it to its transport.
 */
const percentEncoded = (text: string): string =>
  text.replaceAll(/[^\x21\x23\x24\x26-\x7e]+/gu, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  );

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
    expect(
      binary({ ...ce, subject: 'Gr%C3%BC%C3%9Fe', campaign: '%E2%82%AC' }, '[1, 2]'),
    ).toMatchObject({
      data: '[1, 2]',
      event: { attributes: { subject: 'Grüße', extensions: { campaign: '€' } } },
    });
    expect(binary(ce, '', '')).toMatchObject({ data: undefined, event: { data: undefined } });
    expect(binary({ ...ce, subject: '%ZZ' }, '1')).toMatchObject({
      refusal: { code: 'cloudevent-invalid' },
    });
  });

  it.each([
    ['{"specversion":"0.3","id":"1","source":"/s","type":"t"}', '/specversion'],
    ['{"specversion":"1.0","source":"/s","type":"t"}', '/id'],
    ['{"specversion":"1.0","id":"","source":"/s","type":"t"}', '/id'],
    [
      '{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AA=="}',
      '/data_base64',
    ],
    [
      '{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/xml","data":"<a/>"}',
      '/datacontenttype',
    ],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","dataref":"claim:a/b/c"}', '/dataref'],
    ['{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}', '/id'],
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":{}}', '/ext'],
  ])('is refused with the place: %s', (text, pointer) => {
    expect(structured(text)).toMatchObject({
      refusal: { status: 400, code: 'cloudevent-invalid', pointer },
    });
  });

  it('in binary mode has values in double quotes unquoted, then percent-decoded once', () => {
    expect(binary({ ...ce, subject: '"say \\"%31%30%30%2525\\""' }, '1')).toMatchObject({
      event: { attributes: { subject: 'say "100%25"' } },
    });
    expect(binary({ ...ce, subject: 'GrÃ¼n' }, '1')).toMatchObject({
      refusal: { code: 'cloudevent-invalid' },
    });
  });

  it.each(['text/plain', 'application/x-ndjson', 'text/xml', 'image/png'])(
    'in binary mode with data of %s is refused, whatever its bytes',
    (type) => {
      expect(binary(ce, '<a/>', type)).toMatchObject({
        refusal: { code: 'cloudevent-invalid', pointer: '/datacontenttype' },
      });
      expect(binary(ce, '1', type)).toMatchObject({
        refusal: { code: 'cloudevent-invalid', pointer: '/datacontenttype' },
      });
    },
  );

  it('in another format is refused, not taken for data', () => {
    expect(binary(ce, '1', 'application/cloudevents+avro')).toMatchObject({
      refusal: { code: 'content-type-unknown' },
    });
    expect(binary({ id: '1' }, '1')).toMatchObject({
      refusal: { code: 'cloudevent-invalid', pointer: '/specversion' },
    });
  });

  it('with a header that stands twice is refused, whichever it is', () => {
    for (const name of ['id', 'source', 'campaign', '__proto__']) {
      const headers: BinaryHeaders = [...Object.entries(ce), [name, 'a'], [name, 'b']];
      expect(binaryOf(headers, '1', 'application/json')).toMatchObject({
        refusal: { code: 'cloudevent-invalid' },
      });
    }
  });

  it.each(['data', 'dataref', 'datasize', 'datasha256'])(
    "cannot say '%s' as an attribute",
    (name) => {
      expect(binary({ ...ce, [name]: 'x' }, '1')).toMatchObject({
        refusal: { code: 'cloudevent-invalid' },
      });
    },
  );

  it.each(['specversion', 'id', 'source', 'type', 'subject', 'time', 'partitionkey'])(
    'has a text as %s, not a number',
    (name) => {
      const text = JSON.stringify({ ...ce, time: '2026-01-01T00:00:00Z', [name]: 1 }).replace(
        '"specversion":1,',
        '"specversion":1.0,',
      );
      expect(structured(text)).toMatchObject({
        refusal: { code: 'cloudevent-invalid', pointer: `/${name}` },
      });
    },
  );

  it('has no extension that would not come out as it went in', () => {
    expect(
      structured(`{"specversion":"1.0","id":"1","source":"/s","type":"t","x":"\\ud800"}`),
    ).toMatchObject({
      refusal: { pointer: '/x' },
    });
    expect(structured(JSON.stringify({ ...ce, x: 'a\u0007' }))).toMatchObject({
      refusal: { pointer: '/x' },
    });
    for (const name of ['myExt', 'my_ext', 'my-ext', 'grün', ''])
      expect(structured(JSON.stringify({ ...ce, [name]: '1' }))).toMatchObject({
        refusal: { code: 'cloudevent-invalid' },
      });
  });

  it('has extensions of any number and length of name, within a bound on their bytes', () => {
    const each = extensionOverheadBytes + 'x000'.length + 'ü'.length * 2;
    const many = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`x${String(n).padStart(3, '0')}`, 'ü']),
      );
    const most = Math.floor(limits.extensionsMaxBytes / each);
    expect(structured(JSON.stringify({ ...ce, ...many(most) }))).toMatchObject({
      event: { attributes: { extensions: many(most) } },
    });
    expect(structured(JSON.stringify({ ...ce, ...many(most + 1) }))).toMatchObject({
      refusal: { code: 'cloudevent-invalid' },
    });
    const long = { iodebeziumtxdatacollectionorder: '1', ['n'.repeat(300)]: 'x'.repeat(3_000) };
    for (const read of [
      structured(JSON.stringify({ ...ce, ...long })),
      binary({ ...ce, ...long }, '1'),
    ])
      expect(read).toMatchObject({ event: { attributes: { extensions: long } } });
  });

  it('has attributes without control characters and noncharacters, as the specification says', () => {
    for (const bad of [
      'a\nb',
      'a\u0000',
      '\u001b[31m',
      'a\u0085',
      '\ufffe',
      '\ufdd0',
      '\u{1ffff}',
      '\ud800',
    ])
      for (const name of ['id', 'source', 'type', 'subject', 'partitionkey'])
        expect(
          structured(JSON.stringify({ ...ce, [name]: bad })),
          JSON.stringify([name, bad]),
        ).toMatchObject({ refusal: { status: 400 } });
    expect(binary({ ...ce, subject: 'a%0Ab' }, '1')).toMatchObject({ refusal: { status: 400 } });
    const good = ' \u2028\u2029\ufeff\u00a0\u{10fffd}é e\u0301 ';
    expect(structured(JSON.stringify({ ...ce, id: good, subject: good }))).toMatchObject({
      event: { attributes: { id: good } },
    });
  });

  it('has a trace context that is one, else that of its request', () => {
    const own = '00-11111111111111111111111111111111-2222222222222222-00';
    expect(structured(JSON.stringify({ ...ce, traceparent: own }))).toMatchObject({
      event: { attributes: { traceparent: own } },
    });
    expect(structured(JSON.stringify({ ...ce, traceparent: 'x'.repeat(1_000_000) }))).toMatchObject(
      {
        event: { attributes: { traceparent: head.traceparent } },
      },
    );
  });

  it('has a trace context of a later version in the terms of version 00', () => {
    const ids = '11111111111111111111111111111111-2222222222222222';
    const none = [
      '',
      `00-${ids}-01-more`,
      `00-${ids}-1`,
      `ff-${ids}-01`,
      `01-${ids}-01more`,
      `00-${ids}-0G`,
      `00-${'0'.repeat(32)}-2222222222222222-01`,
    ];
    for (const text of [...none, `00-${ids.replaceAll('1', 'A')}-01`, ` 00-${ids}-01`])
      expect(readTraceparent(text), text).toBeUndefined();
    expect(readTraceparent(`00-${ids}-ff`)).toBe(`00-${ids}-ff`);
    expect(readTraceparent(`01-${ids}-03`)).toBe(`00-${ids}-01`);
    expect(readTraceparent(`cc-${ids}-02-what-comes`)).toBe(`00-${ids}-00`);
  });

  it('happened on a day that there is', () => {
    expect(structured(JSON.stringify({ ...ce, time: '2024-02-29T00:00:00Z' }))).toMatchObject({
      event: {},
    });
    for (const day of ['2026-02-29', '2026-04-31', '2026-13-01'])
      expect(structured(JSON.stringify({ ...ce, time: `${day}T00:00:00Z` }))).toMatchObject({
        refusal: { code: 'cloudevent-invalid' },
      });
  });

  it('as its own SDK writes it, in every mode, is read as its SDK means it', () => {
    const value = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => text.trim() === text);
    const event = fc.record({
      id: value,
      source: fc.webPath().map((path) => `/s${path}`),
      type: value,
      subject: fc.option(value, { nil: undefined }),
      time: fc.option(
        fc
          .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
          .map((date) => date.toISOString()),
        { nil: undefined },
      ),
      campaign: fc.option(value, { nil: undefined }),
      data: fc.dictionary(fc.string(), fc.jsonValue()),
    });
    fc.assert(
      fc.property(event, (parts) => {
        const given = Object.fromEntries(
          Object.entries(parts).filter(([, part]) => part !== undefined),
        );
        const sent = new CloudEvent(given);
        const wanted = {
          ...{
            id: parts.id,
            source: parts.source,
            type: parts.type,
            datacontenttype: 'application/json',
          },
          ...(parts.subject === undefined ? {} : { subject: parts.subject }),
          ...(parts.campaign === undefined ? {} : { extensions: { campaign: parts.campaign } }),
        };
        const { body, headers } = HTTP.structured(sent);
        expect(String(headers['content-type'])).toContain('application/cloudevents+json');
        const whole = structured(String(body));
        const { headers: ceHeaders, body: ceBody } = HTTP.binary(sent);
        const pairs: BinaryHeaders = Object.entries(ceHeaders).flatMap(([name, header]) =>
          name.startsWith('ce-') ? [[name.slice(3), percentEncoded(String(header))] as const] : [],
        );
        const apart = binaryOf(pairs, String(ceBody), 'application/json');
        for (const read of [whole, apart]) {
          if ('refusal' in read) throw new Error(JSON.stringify(read.refusal));
          expect(read.event.attributes).toMatchObject(wanted);
          expect(JSON.parse(read.data ?? '')).toEqual(JSON.parse(JSON.stringify(parts.data)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('in a batch stands for itself', () => {
    const body = Buffer.from(
      '[{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1},{"id":"2"},3]',
    );
    const read = readEvents(
      body,
      { contentType: 'application/cloudevents-batch+json', ce: undefined, head },
      stream,
      newId,
    );
    if (isRefusal(read)) throw new Error(read.message);
    expect(
      read.events.map((event) => (isRefusal(event) ? event.code : event.attributes.id)),
    ).toEqual(['1', 'cloudevent-invalid', 'cloudevent-invalid']);
  });
});

describe('a Segment message', () => {
  const read = (call: Parameters<typeof readSegment>[1], value: object) => {
    const body = Buffer.from(JSON.stringify(value));
    const result = readSegment(body, call, stream, head, newId);
    return isRefusal(result)
      ? [{ refusal: result }]
      : result.events.map((event) => oneOf(body, event));
  };

  it('has the time of the device, moved by what its clock was off', () => {
    // Sent 3 s after it happened; the device's clock was an hour ahead.
    const times = {
      originalTimestamp: '2026-01-01T01:00:00.000Z',
      sentAt: '2026-01-01T01:00:03.000Z',
    };
    expect(read('track', { userId: 'u', event: 'e', messageId: 'm', ...times })).toMatchObject([
      {
        event: {
          attributes: {
            id: 'm',
            type: 'segment.track',
            partitionkey: 'u',
            time: '2026-01-01T00:00:07.000Z',
          },
        },
      },
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
      event: {
        attributes: {
          type: 'segment.identify',
          partitionkey: 'a',
          time: '2026-01-01T00:00:05.000Z',
        },
      },
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
      return isRefusal(read)
        ? read.code
        : [read.event.attributes.id, read.event.attributes.type, read.body.toString()];
    };
    expect(pixel('key=k&id=1&type=seen&data=%7B%22a%22%3A1%7D&b=2')).toEqual([
      '1',
      'seen',
      '{"a":1}',
    ]);
    expect(pixel('a=1&a=2&b=x%20y&__proto__=z')).toEqual([
      'made',
      't.web',
      '{"a":["1","2"],"b":"x y","__proto__":"z"}',
    ]);
    expect(pixel('data=%7B')).toBe('not-json');
    expect(pixel('a=100%&b=%zz')).toEqual(['made', 't.web', '{"a":"100%","b":"%zz"}']);
  });

  it('that is not UTF-8 is refused: two ids must not become one', () => {
    const code = (query: string) => {
      const read = readPixel(query, streamConfig('t', 'web'), head, newId);
      return isRefusal(read) ? read.code : read.event.attributes.id;
    };
    expect(['id=%FF', 'id=%fe', 'id=gr\xfcn', 'id=%EF%BF%BD'].map(code)).toEqual([
      'query-invalid',
      'query-invalid',
      'query-invalid',
      '\ufffd',
    ]);
  });

  it('follows the pointers of its stream for what it does not say', () => {
    const pointed = streamConfig('t', 'web', { event: { id: '/n', key: '/user' } });
    const read = (query: string) => readPixel(query, pointed, head, newId);
    expect(read('id=own&user=u&n=1')).toMatchObject({
      event: { attributes: { id: 'own', partitionkey: 'u' } },
    });
    expect(read('user=u&n=1')).toMatchObject({
      event: { attributes: { id: '1', partitionkey: 'u' } },
    });
    expect(read('id=own')).toMatchObject({ code: 'attribute-missing', pointer: '/user' });
    const wrapped = streamConfig('t', 'web', { envelope: 'sluice' });
    expect(readPixel('data=1', wrapped, head, newId)).toMatchObject({
      event: { ownId: false },
      body: Buffer.from('1'),
    });
  });
});

describe('a body of very many small parts', () => {
  const count = attributeMembersMax + 1;
  const head_ = `{${'"a":1,'.repeat(count)}`;

  it('is refused by their number, wherever attributes would be looked for among them', () => {
    const code = (read: ReturnType<typeof readEvents>) => {
      const event = isRefusal(read) ? read : (read.events[0] as AcceptedEvent | Refusal);
      return isRefusal(event) ? event.code : 'taken';
    };
    const body = Buffer.from(`${head_}"b":1}`);
    const wrapped = streamConfig('t', 'web', { envelope: 'sluice' });
    expect([
      code(readEvents(body, { contentType: '', ce: undefined, head }, wrapped, newId)),
      code(
        readEvents(
          body,
          { contentType: 'application/cloudevents+json', ce: undefined, head },
          stream,
          newId,
        ),
      ),
      code(readSegment(body, 'track', stream, head, newId)),
      code(readSegment(body, 'batch', stream, head, newId)),
      code(
        readSegment(Buffer.from(`{"batch":[${body.toString()}]}`), 'batch', stream, head, newId),
      ),
    ]).toEqual(Array.from({ length: 5 }, () => 'too-many-members'));
    const frame = readFrame(body, stream, head, 'session1', newId);
    expect(frame.event).toMatchObject({ code: 'too-many-members' });
    // As data it is as good as any.
    expect(
      code(
        readEvents(body, { contentType: '', ce: undefined, head }, streamConfig('t', 'web'), newId),
      ),
    ).toBe('taken');
    expect(
      code(
        readEvents(
          Buffer.from(`${head_}"b"}`),
          { contentType: '', ce: undefined, head },
          wrapped,
          newId,
        ),
      ),
    ).toBe('not-json');
  });

  it('keeps no list of all its events before it is refused', () => {
    const body = Buffer.from(`[${'1,'.repeat(limits.requestEventsMax + 500)}1]`);
    expect(
      readEvents(body, { contentType: '', ce: undefined, head }, streamConfig('t', 'web'), newId),
    ).toMatchObject({
      status: 413,
      code: 'too-many-events',
      message: saying({ numbers: [limits.requestEventsMax + 1] }),
    });
    expect(
      readSegment(Buffer.from(`{"batch":${body.toString()}}`), 'batch', stream, head, newId),
    ).toMatchObject({ status: 413 });
  });

  it('is not searched for a write key when it is long', () => {
    const text = (size: number) => Buffer.from(`{"writeKey":"k","x":"${'x'.repeat(size)}"}`);
    expect([
      segmentWriteKey(text(1_000)),
      segmentWriteKey(text(limits.strangerBodyMaxBytes)),
    ]).toEqual(['k', undefined]);
  });
});

describe('a partition key', () => {
  const read = (key: string) =>
    readEvents(
      Buffer.from(key),
      { contentType: '', ce: undefined, head },
      streamConfig('t', 'web', { event: { key: '' } }),
      newId,
    );
  const keyOf = (key: string): unknown => {
    const found = read(JSON.stringify(key));
    const event = isRefusal(found) ? found : (found.events[0] as AcceptedEvent | Refusal);
    return isRefusal(event) ? event.code : event.attributes.partitionkey;
  };
  const most = limits.partitionKeyMaxChars;

  it('of at most so many characters is carried as it is, and a longer one as its digest', () => {
    for (const key of ['k'.repeat(most), '€'.repeat(most), '😀'.repeat(most)])
      expect(keyOf(key)).toBe(key);
    for (const key of ['k'.repeat(most + 1), '€'.repeat(most + 1), '😀'.repeat(most + 1)])
      expect(keyOf(key)).toBe(`sha256:${createHash('sha256').update(key).digest('hex')}`);
    expect(keyOf('k'.repeat(100_000))).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const key of ['', `${'k'.repeat(most)}\u0000`, `${'k'.repeat(most)}\ud800`])
      expect(keyOf(key)).toBe('attribute-invalid');
  });

  it('is shortened alike when it follows from the subject or the id', () => {
    const long = 'k'.repeat(most + 1);
    const digest = keyOf(long);
    expect(structured(JSON.stringify({ ...ce, subject: long }))).toMatchObject({
      event: { attributes: { subject: long, partitionkey: digest } },
    });
    expect(structured(JSON.stringify({ ...ce, id: long }))).toMatchObject({
      event: { attributes: { id: long, partitionkey: digest } },
    });
  });
});

describe('an id at a pointer', () => {
  it('is its text, or the number as it is written', () => {
    const idOf = (json: string) => {
      const found = readEvents(
        Buffer.from(`{"id":${json}}`),
        { contentType: '', ce: undefined, head },
        streamConfig('t', 'web', { event: { id: '/id' } }),
        newId,
      );
      const event = isRefusal(found) ? found : (found.events[0] as AcceptedEvent | Refusal);
      return isRefusal(event) ? event.code : event.attributes.id;
    };
    for (const [json, id] of [
      ['1', '1'],
      ['1.0', '1.0'],
      ['1e0', '1e0'],
      ['12345678901234567890', '12345678901234567890'],
      ['"1"', '1'],
      ['" 1 "', ' 1 '],
      ['"e\\u0301"', 'e\u0301'],
      ['"\\u00e9"', '\u00e9'],
      ['""', 'attribute-invalid'],
      ['"a\\u0000"', 'attribute-invalid'],
      ['true', 'attribute-missing'],
      ['null', 'attribute-missing'],
    ] as const)
      expect(idOf(json), json).toBe(id);
  });
});

describe('a frame without an id', () => {
  const idOf = (ref: string): unknown => {
    const { event } = readFrame(
      Buffer.from(`{"ref":${ref},"data":1}`),
      stream,
      head,
      'session1',
      newId,
    );
    return isRefusal(event) ? event.code : event.attributes.id;
  };

  it('is named by session and ref, a number apart from the text of the same digits', () => {
    const ids = ['1', '"1"', '"#1"', '1.0', '"a/b"', '""'].map(idOf);
    expect(new Set(ids).size).toBe(ids.length);
    expect(idOf('"\\u0061"')).toBe(idOf('"a"'));
  });
});

describe('what the headers say of events', () => {
  const read = (more: Partial<RequestHead>, text = '1', contentType = 'application/json') =>
    readEvents(
      Buffer.from(text),
      { contentType, ce: undefined, head: { ...head, ...more } },
      streamConfig('t', 'web'),
      newId,
    );

  it.each(['id', 'type', 'time', 'key'] as const)('is ASCII: %s', (name) => {
    expect(read({ [name]: 'GrÃ¼n' })).toMatchObject({ status: 400, code: 'attribute-invalid' });
    expect(read({ [name]: 'GrÃ¼n' }, '1', 'application/x-ndjson')).toMatchObject({
      status: 400,
      code: 'attribute-invalid',
    });
  });

  it('is one id for one event only', () => {
    expect(read({ id: 'x' })).toMatchObject({ single: true });
    expect(read({ id: 'x' }, '[1]')).toMatchObject({ code: 'id-for-many' });
    expect(read({ id: 'x' }, '1', 'application/x-ndjson')).toMatchObject({ code: 'id-for-many' });
  });
});

describe('any body', () => {
  it('is events whose data is JSON, or a refusal with a code; nothing throws', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .dictionary(
          fc.constantFrom(
            'specversion',
            'id',
            'source',
            'type',
            'data',
            'batch',
            'userId',
            'event',
            'messageId',
            'x',
          ),
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
        fc.option(fc.array(fc.tuple(fc.stringMatching(/^[a-z-]{1,12}$/), fc.string())), {
          nil: undefined,
        }),
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
              if (!isRefusal(event) && event.data !== undefined)
                JSON.parse(body.toString('utf8', event.data.start, event.data.end));
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
