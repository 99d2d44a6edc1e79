/**
 * The records that a job's sources send to its functions, and how they are read there: by their
 * text wherever it is UTF-8, so that nothing goes over the bytes of a value one by one; else by
 * their bytes, as the engine reads all (topology/runtime/enter-records.ts).
 */
import { resolveClaim, resolveTextClaim } from '../../../schemas/claim.ts';
import type { JsonLosses } from '../../../schemas/inexact-numbers.ts';
import { inexactNumbers } from '../../../schemas/inexact-numbers.ts';
import { limits } from '../../../schemas/limits.ts';
import type { IncomingRecord, Route } from '../../../schemas/ports/record.ts';
import type { DecodedEvent, DecodedText, TextRecord } from '../../../schemas/wire.ts';
import { decodeRecord, decodeText } from '../../../schemas/wire.ts';
import { placeOf } from '../../../topology/checkpoint/isolation.ts';
import type { EntrySplit, RecordForm, RecordHead } from '../../../topology/runtime/enter.ts';
import { SentOrigin } from './wire.ts';

/** What a source sends (job/, `RawRecord`). */
export interface SentRecord extends Omit<RecordHead, 'key'> {
  readonly route: Route;
  readonly split: string;
  readonly key?: string;
  /** The value: as text where it is valid UTF-8, else in base64. */
  readonly text?: string;
  readonly value?: string;
  /** What a claim check points to, fetched and checked: as text, or in base64. */
  readonly dataText?: string;
  readonly data?: string;
}

/** The record that enters, with its data where it pointed to it. */
export function readRecord(sent: SentRecord): TextRecord | IncomingRecord {
  const { position, part, arrivedAtMs, headers, unresolved, key = '' } = sent;
  const head: RecordHead = {
    ...{ key, position, arrivedAtMs },
    ...(part === undefined ? {} : { part }),
    ...(headers === undefined ? {} : { headers }),
    ...(unresolved === undefined ? {} : { unresolved }),
  };
  const { text, value = '', dataText, data } = sent;
  if (text === undefined || data !== undefined) {
    const record = { ...head, value: text === undefined ? fromBase64(value) : toBytes(text) };
    if (data !== undefined) return resolveClaim(record, fromBase64(data));
    return dataText === undefined ? record : resolveClaim(record, toBytes(dataText));
  }
  const record = { ...head, text };
  return dataText === undefined ? record : resolveTextClaim(record, dataText);
}

const fromBase64 = (text: string): Uint8Array => Buffer.from(text, 'base64');
const toBytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

export const inText: RecordForm<TextRecord, DecodedText> = {
  decode: decodeText,
  losses: ({ text }) => lossesOf(text),
  originOf: (from, record, { attributes, text }, inexact) =>
    new SentOrigin({
      ...placeIn(from, record),
      ...{ attributes, text },
      ...(inexact === undefined ? {} : { inexact }),
    }),
  valueOf: ({ text }) => toBytes(text),
};

export const inBytes: RecordForm<IncomingRecord, DecodedEvent> = {
  decode: decodeRecord,
  losses: ({ text }) => lossesOf(text),
  originOf: (from, record, { attributes, data }, inexact) => ({
    ...placeIn(from, record),
    ...{ attributes, data },
    ...(inexact === undefined ? {} : { inexact }),
  }),
  valueOf: ({ value }) => value,
};

function placeIn({ source, route, split, key }: EntrySplit, record: RecordHead) {
  const position = placeOf(record);
  return { stream: source.stream, path: route, split, splitKey: key, position };
}

/**
 * A number with an exponent, or of so many digits that a double may not hold it. One of at most 15
 * digits and no exponent is always held (DBL_DIG).
 */
const longNumber = /(?:^|[[:,\s])-?(?:\d[\d.]*[eE]|[\d.]{16})/;

/** As schemas/number-scan.ts finds them in bytes; the text is JSON. */
function lossesOf(text: string): JsonLosses | undefined {
  const inexact = longNumber.test(text) ? inexactNumbers(text) : [];
  const tooDeep = hasManyBrackets(text) && isTooDeep(text);
  return inexact.length === 0 && !tooDeep ? undefined : { inexact, tooDeep };
}

/** Whether it may be nested deeper than `limits.jsonDepthMax`. */
function hasManyBrackets(text: string): boolean {
  if (text.length <= 2 * limits.jsonDepthMax) return false;
  let left = limits.jsonDepthMax;
  for (const bracket of ['{', '['])
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (left-- === 0) return true;
  return false;
}

/** All but quotes and brackets; then strings, whose escapes are gone. Neither goes back for a character. */
const restOrEscape = /[^"[\]{}\\]+|\\./g;
const string = /"[^"]*"/g;

/**
 * Whether a JSON text is nested deeper than `limits.jsonDepthMax`. All but its brackets goes by two
 * expressions: in an interpreter a step for each character of a large record takes seconds.
 */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const bracket of text.replaceAll(restOrEscape, '').replaceAll(string, '')) {
    depth += bracket === '{' || bracket === '[' ? 1 : -1;
    if (depth > limits.jsonDepthMax) return true;
  }
  return false;
}
