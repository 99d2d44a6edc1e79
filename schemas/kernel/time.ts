/**
 * Times as text: the one reader of RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339), for headers,
 * bodies, queries, event times and columns. By character arithmetic: `Date.parse` reads more than
 * RFC 3339 and moves 30 February to March; a regular expression before it costs several times as
 * much.
 *
 * Invariants:
 * 1. Every text of the grammar (section 5.6, `t` and `z` in lower case too) on a day that the
 *    calendar has is read; all else has a reason.
 * 2. Milliseconds are whole: further digits are cut off, so that a time is never later than it
 *    says.
 * 3. Second 60 is read only where one can be: 23:59:60 in UTC on the last day of a month (ITU-R
 *    TF.460-6). It is the last millisecond of that minute, with any fraction: still its own day,
 *    and times keep their order.
 * 4. Every time that is read is in the years 0000 to 9999 of UTC, so that it can be written again.
 */

/** Why a text is not a time, as the rest of a sentence: `it has no zone`. */
export interface TimeFault {
  readonly reason: string;
}

const dayMs = 86_400_000;
/**
 * Epoch ms of 0000-01-01T00:00:00Z, the first time that is read, and of the end of 9999, before
 * which is the last.
 */
export const startOfTimeMs = -62_167_219_200_000;
export const endOfTimeMs = 253_402_300_800_000;

const zero = 0x30;
const hyphen = 0x2d;
const plus = 0x2b;
const colon = 0x3a;
const point = 0x2e;
const lowerCase = 0x20;
const letterT = 0x74;
const letterZ = 0x7a;

const dateForm = { reason: 'its date must be written YYYY-MM-DD' };
const timeForm = { reason: 'its time of day must be written HH:MM:SS' };
const noTimeOfDay = { reason: 'it is a date without a time of day' };
const noT = { reason: "date and time of day must be separated by 'T'" };
const noDigits = { reason: 'its decimal point must be followed by digits' };
const noZone = { reason: "it has no zone: 'Z' or an offset such as +02:00" };
const offsetForm = { reason: "its zone must be 'Z' or an offset such as +02:00" };
const offsetTooLarge = { reason: 'an offset is at most 23:59' };
const noHour = { reason: 'hours are 00 to 23' };
const noMinute = { reason: 'minutes are 00 to 59' };
const noSecond = { reason: 'seconds are 00 to 59, and 60 in a leap second' };
const noLeapSecond = { reason: 'a leap second is 23:59:60 UTC on the last day of a month' };
const outside = { reason: 'in UTC it is outside the years 0000 to 9999' };

/** Epoch ms of a time of RFC 3339, or why it is none. */
export function parseTime(text: string): number | TimeFault {
  const year = 100 * pair(text, 0) + pair(text, 2);
  const month = pair(text, 5);
  const day = pair(text, 8);
  // A pair that is not of digits is below any that makes up for it.
  if (
    !(year >= 0 && month >= 0 && day >= 0) ||
    text.charCodeAt(4) !== hyphen ||
    text.charCodeAt(7) !== hyphen
  )
    return dateForm;
  if (month < 1 || month > 12) return { reason: `there is no month ${month}` };
  if (day < 1 || day > daysOf(year, month))
    return {
      reason: `month ${month} of ${year} has ${daysOf(year, month)} days, and no day ${day}`,
    };
  if ((text.charCodeAt(10) | lowerCase) !== letterT) return text.length === 10 ? noTimeOfDay : noT;
  const hour = pair(text, 11);
  const minute = pair(text, 14);
  const second = pair(text, 17);
  if (
    !(hour >= 0 && minute >= 0 && second >= 0) ||
    text.charCodeAt(13) !== colon ||
    text.charCodeAt(16) !== colon
  )
    return timeForm;
  if (hour > 23) return noHour;
  if (minute > 59) return noMinute;
  if (second > 60) return noSecond;

  let at = 19;
  let ms = 0;
  if (text.charCodeAt(at) === point) {
    const first = ++at;
    for (let digit = digitAt(text, at); digit >= 0; digit = digitAt(text, at)) {
      if (at - first < 3) ms = 10 * ms + digit;
      at++;
    }
    if (at === first) return noDigits;
    if (at === first + 1) ms *= 100;
    else if (at === first + 2) ms *= 10;
  }
  const offsetMinutes = offsetAt(text, at);
  if (typeof offsetMinutes !== 'number') return offsetMinutes;

  const minutes = 60 * hour + minute - offsetMinutes;
  const days = daysBefore(year, month, day);
  const epochMs = days * dayMs + minutes * 60_000 + second * 1_000 + ms;
  if (second === 60)
    return isMonthEnd(days * dayMs + minutes * 60_000)
      ? days * dayMs + minutes * 60_000 + 59_999
      : noLeapSecond;
  return epochMs >= startOfTimeMs && epochMs < endOfTimeMs ? epochMs : outside;
}

/** Whether a text is a time of RFC 3339. */
export function isTime(text: string): boolean {
  return typeof parseTime(text) === 'number';
}

const notEpochMs = { reason: 'as a number it must be whole epoch milliseconds' };
const notTime = { reason: 'it is neither text nor a number' };

/** An event time as authors give it: RFC 3339, or whole epoch ms. */
export function parseEventTime(time: unknown): number | TimeFault {
  if (typeof time === 'string') return parseTime(time);
  if (typeof time === 'number') return Number.isSafeInteger(time) ? time : notEpochMs;
  return notTime;
}

/** The value of a digit, or -1; also behind the end. */
function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - zero;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

/** The value of two digits, or something below -100. */
function pair(text: string, at: number): number {
  const tens = digitAt(text, at);
  const ones = digitAt(text, at + 1);
  return tens < 0 || ones < 0 ? -100_000 : 10 * tens + ones;
}

/** Minutes east of UTC of the zone that is the rest of the text. */
function offsetAt(text: string, at: number): number | TimeFault {
  const sign = text.charCodeAt(at);
  if ((sign | lowerCase) === letterZ) return text.length === at + 1 ? 0 : offsetForm;
  if (sign !== plus && sign !== hyphen) return text.length === at ? noZone : offsetForm;
  const hours = pair(text, at + 1);
  const minutes = pair(text, at + 4);
  if (hours < 0 || minutes < 0 || text.charCodeAt(at + 3) !== colon || text.length !== at + 6)
    return offsetForm;
  if (hours > 23 || minutes > 59) return offsetTooLarge;
  return sign === plus ? 60 * hours + minutes : -(60 * hours + minutes);
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/**
 * Days from 1970-01-01 to a day of the Gregorian calendar, with years that begin in March:
 * https://howardhinnant.github.io/date_algorithms.html
 */
function daysBefore(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return (
    365 * marchYear +
    Math.floor(marchYear / 4) -
    Math.floor(marchYear / 100) +
    Math.floor(marchYear / 400) +
    dayOfYear -
    719_468
  );
}

/**
 * Whether the minute that begins then is the last of a month of UTC, within the years that are
 * read.
 */
function isMonthEnd(minuteMs: number): boolean {
  const next = minuteMs + 60_000;
  return (
    next % dayMs === 0 &&
    next > startOfTimeMs &&
    next <= endOfTimeMs &&
    new Date(next).getUTCDate() === 1
  );
}
