/**
 * Times in Segment's messages: RFC 3339, what else ISO 8601 allows, and Unix time as a number.
 * Pure.
 *
 * Invariants:
 * 1. A time is understood or refused with its reason; it is never replaced by another.
 * 2. ISO 8601 beyond RFC 3339: the basic form (20240506T070809Z), a blank for the T, a comma for
 *    the point, no seconds, a date alone (midnight), offsets without a colon or of hours alone.
 *    Without a zone it is UTC, as in Segment's own documents
 *    (https://segment.com/docs/connections/spec/common/#timestamps).
 * 3. A number below `secondsBelow` counts seconds, else milliseconds, since 1970.
 */
import type { TimeFault } from '../../../schemas/kernel/time.ts';
import { endOfTimeMs, parseTime, startOfTimeMs } from '../../../schemas/kernel/time.ts';

/** As seconds it is the year 5138, as milliseconds March 1973. */
const secondsBelow = 100_000_000_000;
const dateChars = 10;

/** Epoch ms of a text. */
export function parseIsoTime(text: string): number | TimeFault {
  const strict = parseTime(text);
  return typeof strict === 'number' ? strict : parseTime(rfc3339Of(text));
}

/** Epoch ms of a number. */
export function parseUnixTime(value: number): number | TimeFault {
  const ms = Math.floor(Math.abs(value) < secondsBelow ? value * 1_000 : value);
  return ms >= startOfTimeMs && ms < endOfTimeMs
    ? ms
    : { reason: 'it is outside the years 0000 to 9999' };
}

/**
 * The text with what ISO 8601 lets it leave out; whether that makes a time is for `parseTime` to
 * say.
 */
function rfc3339Of(text: string): string {
  const isBasic = digitsAt(text, 0) >= 8;
  const date = isBasic
    ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`
    : text.slice(0, dateChars);
  const rest = text.slice(isBasic ? 8 : dateChars);
  if (rest === '') return `${date}T00:00:00Z`;
  const [mark] = rest;
  // What is not said between date and time of day makes the text no time.
  return mark === 'T' || mark === 't' || mark === ' '
    ? `${date}T${timeOfDay(rest.slice(1), isBasic)}`
    : text;
}

function timeOfDay(text: string, isBasic: boolean): string {
  let zoneAt = 0;
  while (zoneAt < text.length && !'Zz+-'.includes(text[zoneAt] as string)) zoneAt++;
  let clock = text.slice(0, zoneAt).replace(',', '.');
  if (isBasic) {
    const digits = digitsAt(clock, 0);
    if (digits === 4 || digits === 6)
      clock = `${clock.slice(0, 2)}:${clock.slice(2, 4)}:${clock.slice(4)}`;
    if (digits === 4) clock += '00';
  } else if (clock.length === 5) clock += ':00';
  return `${clock}${zoneOf(text.slice(zoneAt))}`;
}

function zoneOf(zone: string): string {
  if (zone === '') return 'Z';
  if (zone.length === 3 && digitsAt(zone, 1) === 2) return `${zone}:00`;
  return zone.length === 5 && digitsAt(zone, 1) === 4
    ? `${zone.slice(0, 3)}:${zone.slice(3)}`
    : zone;
}

/** How many digits follow each other there. */
function digitsAt(text: string, start: number): number {
  let at = start;
  while (at < text.length && (text[at] as string) >= '0' && (text[at] as string) <= '9') at++;
  return at - start;
}
