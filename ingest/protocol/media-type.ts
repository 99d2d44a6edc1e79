/**
 * What a body is, by its Content-Type (RFC 9110, section 8.3). Pure.
 *
 * Invariants:
 * 1. JSON is `application/json`, any type with the suffix `+json` (RFC 6839), and a few that are
 *    JSON without saying so.
 * 2. JSON is UTF-8 (RFC 8259, section 8.1): a charset parameter that says another is refused, in
 *    any case, quoted or not, wherever it stands.
 * 3. Parameters that mean nothing here, or are written wrong, change nothing; a type that is
 *    written wrong is refused.
 */
import type { BinaryHeaders } from './cloudevents.ts';
import type { Refusal } from './refusal.ts';

export type BodyKind = 'json' | 'ndjson' | 'cloudevent' | 'cloudevents' | 'binary';

/**
 * Media types by what they stand for. `text/plain` is what `navigator.sendBeacon` may send without
 * asking first.
 */
export const mediaTypes: Readonly<Record<string, BodyKind>> = {
  '': 'json',
  'application/json': 'json',
  'text/json': 'json',
  'text/plain': 'json',
  'application/csp-report': 'json',
  'application/reports+json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/jsonlines': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'application/cloudevents+json': 'cloudevent',
  'application/cloudevents-batch+json': 'cloudevents',
};

/** As browsers and common libraries write it: needs no reading. */
const common: ReadonlyMap<string, BodyKind> = new Map([
  ['application/json; charset=utf-8', 'json'],
  ['application/json;charset=utf-8', 'json'],
  ['application/json;charset=UTF-8', 'json'],
  ['application/json; charset=UTF-8', 'json'],
  ['text/plain;charset=UTF-8', 'json'],
]);

const cloudEvents = 'application/cloudevents';
const jsonSuffix = '+json';
/** RFC 9110, section 5.6.2, in lower case. */
const token = "[a-z0-9!#$%&'*+.^_`|~-]+";
const mediaPattern = new RegExp(`^${token}/${token}$`);
/** Types of JSON data, as they are mostly written: in lower case, without parameters. */
export const jsonTypePattern =
  '^(?:(?:application|text)/json|[a-z0-9.!#$&^_-]+/[a-z0-9.!#$&^_+-]+\\+json)$';
/** UTF-8, and what is a part of it. */
const charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);

/** What a request's body is; a missing Content-Type is JSON. */
export function bodyKindOf(contentType: string, ce: BinaryHeaders | undefined): BodyKind | Refusal {
  const known =
    ce === undefined
      ? contentType === 'application/json'
        ? 'json'
        : common.get(contentType)
      : undefined;
  if (known !== undefined) return known;
  const media = mediaOf(contentType);
  const foreign = foreignCharset(contentType);
  if (foreign !== undefined) {
    return {
      status: 400,
      code: 'charset-unknown',
      message: `the charset '${foreign.slice(0, 100)}' is not supported`,
      expected: 'JSON in UTF-8, with charset=utf-8 or without a charset',
    };
  }
  // The HTTP binding tells the modes apart by this prefix alone; what the data's own type is comes
  // after.
  if (ce !== undefined && !media.startsWith(cloudEvents)) return 'binary';
  // Its own names only: a client may also write the name of what every object has.
  if (Object.hasOwn(mediaTypes, media) && (media !== '' || contentType === ''))
    return mediaTypes[media] as BodyKind;
  if (hasJsonSuffix(media) && !media.startsWith(cloudEvents)) return 'json';
  return {
    status: 400,
    code: 'content-type-unknown',
    message: `the content type '${media.slice(0, 100)}' is not supported`,
    expected:
      'application/json or a +json type (a value, or an array of events), application/x-ndjson (an event a line), application/cloudevents+json or application/cloudevents-batch+json',
  };
}

/** Whether data of that type is JSON. */
export function isJsonType(contentType: string): boolean {
  const media = mediaOf(contentType);
  return media === 'application/json' || media === 'text/json' || hasJsonSuffix(media);
}

/** The type without its parameters, in lower case. */
function mediaOf(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function hasJsonSuffix(media: string): boolean {
  return (
    media.endsWith(jsonSuffix) && mediaPattern.test(media) && !media.endsWith(`/${jsonSuffix}`)
  );
}

/** The first charset that is not UTF-8. */
function foreignCharset(contentType: string): string | undefined {
  for (let at = contentType.indexOf(';'); at >= 0 && at < contentType.length; ) {
    const end = endOfParameter(contentType, at + 1);
    const [name = '', ...value] = contentType.slice(at + 1, end).split('=');
    if (value.length > 0 && name.trim().toLowerCase() === 'charset') {
      const charset = unquoted(value.join('=').trim());
      if (!charsets.has(charset.toLowerCase())) return charset;
    }
    at = end;
  }
  return undefined;
}

/** Where the semicolon is that ends the parameter; one in a quoted text ends none. */
function endOfParameter(text: string, start: number): number {
  let isQuoted = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isQuoted && character === '\\') at++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === ';' && !isQuoted) return at;
  }
  return text.length;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1')
    : value;
}
