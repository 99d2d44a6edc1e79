/**
 * Times by every way that they come: one parser behind all, and a refusal that names the place and
 * the reason.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AcceptedEvent, RequestHead } from '../../../ingest/event/given.ts';
import type { BinaryHeaders } from '../../../ingest/event/read-body.ts';
import type { Refusal } from '../../../ingest/event/refusal.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { readPixel } from '../../../ingest/protocols/pixel/read.ts';
import { readSegment } from '../../../ingest/protocols/segment/read.ts';
import { parseIsoTime, parseUnixTime } from '../../../ingest/protocols/segment/time.ts';
import { readFrame } from '../../../ingest/protocols/websocket/frame.ts';
import { parseTime } from '../../../schemas/kernel/time.ts';
import { streamConfig } from '../support.ts';
import { readEvents } from './support.ts';

const head: RequestHead = {
  receivedtime: '2026-01-01T00:00:10.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const newId = (): string => 'made';
const plain = streamConfig('t', 'web');
const pointers = streamConfig('t', 'web', { event: { time: '/at' } });
const envelope = streamConfig('t', 'web', { envelope: 'sluice' });

interface Way {
  readonly name: string;
  /** Where a refusal points: into the body, or at a name in its message. */
  readonly place: { readonly pointer: string } | { readonly label: string };
  readonly send: (time: string) => AcceptedEvent | Refusal;
}

function sent(
  body: object,
  stream = plain,
  contentType = '',
  more: { head?: RequestHead; ce?: BinaryHeaders } = {},
): AcceptedEvent | Refusal {
  const request = { contentType, ce: more.ce, head: more.head ?? head };
  const read = readEvents(Buffer.from(JSON.stringify(body)), request, stream, newId);
  return isRefusal(read) ? read : (read.events[0] as AcceptedEvent | Refusal);
}

const event = { specversion: '1.0', id: '1', source: '/s', type: 't' };
const ways: readonly Way[] = [
  {
    name: 'a header',
    place: { label: 'X-Event-Time' },
    send: (time) => sent({}, plain, '', { head: { ...head, time } }),
  },
  { name: 'a pointer', place: { pointer: '/at' }, send: (time) => sent({ at: time }, pointers) },
  {
    name: 'an envelope',
    place: { pointer: '/time' },
    send: (time) => sent({ data: 1, time }, envelope),
  },
  {
    name: 'a WebSocket message',
    place: { pointer: '/time' },
    send: (time) =>
      readFrame(Buffer.from(JSON.stringify({ data: 1, time })), plain, head, 's', newId).event,
  },
  {
    name: 'a structured CloudEvent',
    place: { pointer: '/time' },
    send: (time) => sent({ ...event, time }, plain, 'application/cloudevents+json'),
  },
  {
    name: 'a binary CloudEvent',
    place: { label: 'ce-time' },
    send: (time) => sent({}, plain, 'application/json', { ce: Object.entries({ ...event, time }) }),
  },
  {
    name: 'a query',
    place: { label: "the query's time" },
    send: (time) => {
      const read = readPixel(`time=${encodeURIComponent(time)}&v=1`, plain, head, newId);
      return isRefusal(read) ? read : read.event;
    },
  },
];

describe.each(ways)('a time in $name', ({ place, send }) => {
  it.each(['2024-05-06t07:08:09z', '2016-12-31T23:59:60Z', '2024-05-06T07:08:09.123456789-03:30'])(
    'is kept as it was written: %s',
    (time) => {
      expect(send(time)).toMatchObject({ attributes: { time } });
    },
  );

  it.each([
    ['2024-02-30T00:00:00Z', /month 2 of 2024 has 29 days/],
    ['2024-05-06T24:00:00Z', /hours are 00 to 23/],
    ['2024-05-06T07:08:09', /no zone/],
    ['9999-12-31T23:59:59-01:00', /years 0000 to 9999/],
    ['yesterday', /YYYY-MM-DD/],
    ['1714979289123', /YYYY-MM-DD/],
  ])('is refused with place and reason: %s', (time, reason) => {
    const refusal = send(time) as Refusal;
    expect(refusal).toMatchObject({
      status: 400,
      message: expect.stringMatching(reason) as string,
    });
    expect(refusal.expected).toContain('RFC 3339');
    if ('pointer' in place) expect(refusal.pointer).toBe(place.pointer);
    else
      expect([refusal.message.startsWith(place.label), refusal.pointer]).toEqual([true, undefined]);
  });
});

describe('a time at a pointer', () => {
  it('that is a number is refused: it would be one of several units', () => {
    expect(sent({ at: 1_714_979_289_123 }, pointers)).toMatchObject({
      status: 400,
      pointer: '/at',
    });
  });
});

describe('a time of a Segment message', () => {
  const iso = (ms: unknown): unknown => (typeof ms === 'number' ? new Date(ms).toISOString() : ms);

  it.each([
    ['2024-05-06T07:08:09', '2024-05-06T07:08:09.000Z'],
    ['2024-05-06 07:08:09Z', '2024-05-06T07:08:09.000Z'],
    ['2024-05-06 07:08:09.123456', '2024-05-06T07:08:09.123Z'],
    ['2024-05-06', '2024-05-06T00:00:00.000Z'],
    ['20240506', '2024-05-06T00:00:00.000Z'],
    ['20240506T070809Z', '2024-05-06T07:08:09.000Z'],
    ['20240506T070809.25+0200', '2024-05-06T05:08:09.250Z'],
    ['20240506t0708', '2024-05-06T07:08:00.000Z'],
    ['2024-05-06T07:08Z', '2024-05-06T07:08:00.000Z'],
    ['2024-05-06T07:08:09,5Z', '2024-05-06T07:08:09.500Z'],
    ['2024-05-06T07:08:09+0200', '2024-05-06T05:08:09.000Z'],
    ['2024-05-06T07:08:09-03', '2024-05-06T10:08:09.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.999Z'],
  ])('in a form of ISO 8601 is understood: %s', (text, expected) => {
    expect(iso(parseIsoTime(text))).toBe(expected);
  });

  it.each([
    '2024-05-06T24:00:00Z',
    '2024-02-30',
    '20240230T000000Z',
    '2024-05',
    '2024',
    '2024-W19-1',
    '2024-127',
    '2024-05-06x07:08:09Z',
    '2024-05-06T',
    '2024-05-06T07',
    '20240506T07',
    '20240506T07080',
    '20240506070809',
    '2024-05-06T07:08:09+2',
    'Mon, 06 May 2024 07:08:09 GMT',
    '1714979289123',
    'soon',
    '',
  ])('in another form is refused: %s', (text) => {
    expect(parseIsoTime(text)).toHaveProperty('reason');
  });

  it('is what RFC 3339 says where it is that, and of any other text a time of the calendar or a reason', () => {
    const part = fc.constantFrom(
      '2024',
      '-05',
      '-06',
      '20240506',
      'T',
      ' ',
      '07',
      ':08',
      ':09',
      '0708',
      '.5',
      ',5',
      'Z',
      '+02',
      ':00',
      '00',
      'x',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const [strict, loose] = [parseTime(text), parseIsoTime(text)];
        if (typeof strict === 'number') expect(loose).toBe(strict);
        if (typeof loose === 'number')
          expect(new Date(loose).toISOString().slice(0, 4)).toBe(text.slice(0, 4));
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => void parseIsoTime(text)),
    );
  });

  it('as a number is seconds, or milliseconds, since 1970', () => {
    expect(iso(parseUnixTime(1_714_979_289))).toBe('2024-05-06T07:08:09.000Z');
    expect(iso(parseUnixTime(1_714_979_289.25))).toBe('2024-05-06T07:08:09.250Z');
    expect(iso(parseUnixTime(1_714_979_289_123))).toBe('2024-05-06T07:08:09.123Z');
    expect(iso(parseUnixTime(-86_400))).toBe('1969-12-31T00:00:00.000Z');
    for (const value of [1e20, -1e20, Number.POSITIVE_INFINITY, 253_402_300_800_000])
      expect(parseUnixTime(value)).toHaveProperty('reason');
  });

  const message = { userId: 'u', event: 'e' };
  const read = (value: object): AcceptedEvent | Refusal => {
    const result = readSegment(
      Buffer.from(JSON.stringify({ ...message, ...value })),
      'track',
      plain,
      head,
      newId,
    );
    return isRefusal(result) ? result : (result.events[0] as AcceptedEvent | Refusal);
  };

  it('is RFC 3339 in the event, as it was written where it was', () => {
    expect(read({ timestamp: '2024-05-06t09:08:09+02:00' })).toMatchObject({
      attributes: { time: '2024-05-06t09:08:09+02:00' },
    });
    expect(read({ timestamp: '20240506T070809Z' })).toMatchObject({
      attributes: { time: '2024-05-06T07:08:09.000Z' },
    });
    expect(read({ timestamp: 1_714_979_289 })).toMatchObject({
      attributes: { time: '2024-05-06T07:08:09.000Z' },
    });
    expect(typeof parseTime('2024-05-06t09:08:09+02:00')).toBe('number');
  });

  it.each([['soon'], [''], [{ at: 1 }], [[]], [true], [1e30], ['2024-02-30T00:00:00Z']])(
    'is never replaced by now: %j',
    (timestamp) => {
      expect(read({ timestamp })).toMatchObject({ status: 400, pointer: '/timestamp' });
      expect(read({ originalTimestamp: timestamp })).toMatchObject({
        status: 400,
        pointer: '/originalTimestamp',
      });
    },
  );

  it('is when it was received where the message says none', () => {
    for (const value of [{}, { timestamp: null }, { sentAt: '2024-05-06T07:08:09Z' }]) {
      expect(read(value)).toMatchObject({ attributes: { time: head.receivedtime } });
    }
  });

  it('that the correction by sentAt would move out of the calendar is refused', () => {
    for (const [timestamp, sentAt] of [
      ['9999-12-31T23:59:59Z', '0001-01-01T00:00:00Z'],
      ['0000-01-01T00:00:00Z', '9999-01-01T00:00:00Z'],
    ]) {
      const refused = read({ timestamp, sentAt }) as Refusal;
      expect([refused.pointer, refused.message]).toEqual([
        '/timestamp',
        expect.stringMatching(/sentAt .* outside the years/),
      ]);
    }
  });

  it('is kept where sentAt is no time', () => {
    expect(read({ timestamp: '2024-05-06T07:08:09Z', sentAt: 'soon' })).toMatchObject({
      attributes: { time: '2024-05-06T07:08:09Z' },
    });
  });
});
