/**
 * Times: all of RFC 3339 and nothing else, against examples of the specification and against
 * `Date.parse` where both read the same.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  endOfTimeMs,
  isTime,
  parseEventTime,
  parseTime,
  startOfTimeMs,
} from '../../../schemas/kernel/time.ts';

/** V8 itself; of the fraction only what it reads right: '.0005000000' is 5 ms to it. */
const parsedByV8 = (text: string): number =>
  Date.parse(text.toUpperCase().replace(/(\.\d{1,3})\d*/, '$1'));

const two = (n: number): string => String(n).padStart(2, '0');

/** Any date and time of day by its parts, also those that no calendar has. */
const parts = fc.record({
  year: fc.oneof(
    fc.integer({ min: 0, max: 9_999 }),
    fc.constantFrom(0, 4, 1900, 1970, 2000, 2023, 2024, 9_999),
  ),
  month: fc.integer({ min: 0, max: 14 }),
  day: fc.integer({ min: 0, max: 33 }),
  hour: fc.integer({ min: 0, max: 25 }),
  minute: fc.integer({ min: 0, max: 61 }),
  second: fc.integer({ min: 0, max: 62 }),
  fraction: fc.oneof(fc.constant(''), fc.stringMatching(/^\d{1,40}$/)),
  sign: fc.constantFrom('Z', 'z', '+', '-'),
  offset: fc.integer({ min: 0, max: 1_600 }),
});

describe('a time of RFC 3339', () => {
  it.each([
    // Section 5.8
    ['1985-04-12T23:20:50.52Z', '1985-04-12T23:20:50.520Z'],
    ['1996-12-19T16:39:57-08:00', '1996-12-20T00:39:57.000Z'],
    ['1990-12-31T23:59:60Z', '1990-12-31T23:59:59.999Z'],
    ['1990-12-31T15:59:60-08:00', '1990-12-31T23:59:59.999Z'],
    ['1937-01-01T12:00:27.87+00:20', '1937-01-01T11:40:27.870Z'],
    // Section 4.3: the offset to local time is not known.
    ['2024-05-06T07:08:09-00:00', '2024-05-06T07:08:09.000Z'],
    ['2024-05-06t07:08:09z', '2024-05-06T07:08:09.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['2024-05-06T07:08:09.5Z', '2024-05-06T07:08:09.500Z'],
    ['2024-05-06T07:08:09.9999999Z', '2024-05-06T07:08:09.999Z'],
    [`2024-05-06T07:08:09.${'123456789'.repeat(200)}Z`, '2024-05-06T07:08:09.123Z'],
    ['1901-12-13T20:45:52.1Z', '1901-12-13T20:45:52.100Z'],
    ['2024-05-06T23:59:59+23:59', '2024-05-06T00:00:59.000Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['0099-12-31T00:00:00Z', '0099-12-31T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:60Z', '9999-12-31T23:59:59.999Z'],
    // A leap second ends a month of UTC, wherever it is read.
    ['2016-12-31T23:59:60.25Z', '2016-12-31T23:59:59.999Z'],
    ['2017-01-01T00:59:60+01:00', '2016-12-31T23:59:59.999Z'],
    ['2017-01-01T05:29:60+05:30', '2016-12-31T23:59:59.999Z'],
    ['2015-06-30T23:59:60Z', '2015-06-30T23:59:59.999Z'],
    ['2024-02-29T23:59:60Z', '2024-02-29T23:59:59.999Z'],
  ])('%s is %s', (text, iso) => {
    expect(new Date(parseTime(text) as number).toISOString()).toBe(iso);
  });

  it.each([
    ['2024-02-30T00:00:00Z', /month 2 of 2024 has 29 days, and no day 30/],
    ['2023-02-29T00:00:00Z', /has 28 days/],
    ['1900-02-29T00:00:00Z', /has 28 days/],
    ['2024-04-31T00:00:00Z', /has 30 days/],
    ['2024-05-00T00:00:00Z', /no day 0/],
    ['2024-13-01T00:00:00Z', /no month 13/],
    ['2024-00-01T00:00:00Z', /no month 0/],
    ['2024-05-06T24:00:00Z', /hours are 00 to 23/],
    ['2024-05-06T23:60:00Z', /minutes are 00 to 59/],
    ['2024-05-06T07:08:61Z', /seconds are 00 to 59/],
    ['2024-05-06T07:08:60Z', /leap second/],
    ['2024-05-06T23:59:60Z', /leap second/],
    ['2016-12-31T23:59:60+01:00', /leap second/],
    ['2016-12-31T22:59:60Z', /leap second/],
    ['2016-12-31T23:58:60Z', /leap second/],
    ['2024-05-06T07:08:09', /no zone/],
    ['2024-05-06T07:08:09.5', /no zone/],
    ['2024-05-06 07:08:09Z', /must be separated by 'T'/],
    ['2024-05-06\u{154}07:08:09Z', /must be separated by 'T'/],
    ['2024-05-06', /date without a time of day/],
    ['2024-05-06T07:08Z', /HH:MM:SS/],
    ['2024-05-06T7:08:09Z', /HH:MM:SS/],
    ['2024-05-06T07:08:09+24:00', /at most 23:59/],
    ['2024-05-06T07:08:09+02:60', /at most 23:59/],
    ['2024-05-06T07:08:09+0200', /zone must be/],
    ['2024-05-06T07:08:09+02', /zone must be/],
    ['2024-05-06T07:08:09 Z', /zone must be/],
    ['2024-05-06T07:08:09Z ', /zone must be/],
    ['2024-05-06T07:08:09+02:00x', /zone must be/],
    ['2024-05-06T07:08:09.Z', /followed by digits/],
    ['2024-05-06T07:08:09,5Z', /zone must be/],
    ['12024-05-06T07:08:09Z', /YYYY-MM-DD/],
    ['+2024-05-06T07:08:09Z', /YYYY-MM-DD/],
    ['-2024-05-06T07:08:09Z', /YYYY-MM-DD/],
    ['20240506T070809Z', /YYYY-MM-DD/],
    ['2024-5-6T07:08:09Z', /YYYY-MM-DD/],
    [' 2024-05-06T07:08:09Z', /YYYY-MM-DD/],
    ['\u0662024-05-06T07:08:09Z', /YYYY-MM-DD/],
    ['Mon, 06 May 2024 07:08:09 GMT', /YYYY-MM-DD/],
    ['1714979289123', /YYYY-MM-DD/],
    ['', /YYYY-MM-DD/],
    ['9999-12-31T23:59:59-00:01', /years 0000 to 9999/],
    ['0000-01-01T00:00:00+00:01', /years 0000 to 9999/],
  ])('%j is refused with its reason', (text, reason) => {
    expect(parseTime(text)).toEqual({ reason: expect.stringMatching(reason) as string });
    expect(isTime(text)).toBe(false);
  });

  it('is what Date.parse makes of it, for all parts that the calendar has', () => {
    fc.assert(
      fc.property(parts, ({ year, month, day, hour, minute, second, fraction, sign, offset }) => {
        const zone =
          sign.toUpperCase() === 'Z'
            ? sign
            : `${sign}${two(Math.floor(offset / 60))}:${two(offset % 60)}`;
        const decimals = fraction === '' ? '' : `.${fraction}`;
        const text = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${decimals}${zone}`;
        const local = new Date(0);
        local.setUTCFullYear(year, month - 1, day);
        local.setUTCHours(hour, minute, Math.min(second, 59));
        const exists =
          local.getUTCMonth() === month - 1 &&
          local.getUTCDate() === day &&
          hour < 24 &&
          minute < 60 &&
          second < 60;
        const expected =
          exists && (sign === 'Z' || sign === 'z' || offset < 1_440)
            ? parsedByV8(text)
            : Number.NaN;
        const found = parseTime(text);
        const inCalendar = expected >= startOfTimeMs && expected < endOfTimeMs;
        const isLeapSecond = second === 60 && typeof found === 'number';
        if (inCalendar) expect(found).toBe(expected);
        else if (!isLeapSecond) expect(found).toHaveProperty('reason');
        else expect(new Date(found).toISOString()).toMatch(/T23:59:59\.999Z$/);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is refused with any character too many or changed', () => {
    const good = '2024-05-06T07:08:09.250+02:00';
    fc.assert(
      fc.property(
        fc.nat(good.length),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.boolean(),
        (at, character, more) => {
          const text = good.slice(0, at) + character + good.slice(more ? at : at + 1);
          const found = parseTime(text);
          // An independent statement of the grammar.
          const isForm = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(
            text,
          );
          if (!isForm) expect(found).toHaveProperty('reason');
          else if (typeof found === 'number') expect(found).toBe(parsedByV8(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('keeps the order of times around a leap second', () => {
    const inOrder = [
      '2016-12-31T23:59:59.999Z',
      '2016-12-31T23:59:60Z',
      '2016-12-31T23:59:60.9Z',
      '2017-01-01T00:00:00Z',
    ];
    const times = inOrder.map((text) => parseTime(text) as number);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('an event time', () => {
  it('is RFC 3339, or whole epoch milliseconds', () => {
    expect(parseEventTime('2031-05-06t07:08:09.25z')).toBe(Date.parse('2031-05-06T07:08:09.250Z'));
    expect(parseEventTime(-1)).toBe(-1);
    expect(parseEventTime(1.5)).toHaveProperty('reason', expect.stringMatching(/whole/));
    expect(parseEventTime(Number.NaN)).toHaveProperty('reason');
    expect(parseEventTime(2 ** 60)).toHaveProperty('reason');
    expect(parseEventTime('1714979289123')).toHaveProperty('reason');
    expect(parseEventTime(undefined)).toHaveProperty(
      'reason',
      expect.stringMatching(/neither text nor a number/),
    );
  });
});
