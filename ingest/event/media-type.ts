/**
 * Content-Type (RFC 9110, section 8.3), as far as it says what a body is. Pure.
 *
 * JSON is `application/json`, any type with the suffix `+json` (RFC 6839), and a few that are JSON
 * without saying so.
 */
import type { Refusal } from './refusal.ts';

/** Of all modes of CloudEvents over HTTP but the binary one. */
export const cloudEventsPrefix = 'application/cloudevents';
const jsonSuffix = '+json';
/** RFC 9110, section 5.6.2, in lower case. */
const token = "[a-z0-9!#$%&'*+.^_`|~-]+";
const mediaPattern = new RegExp(`^${token}/${token}$`);
/** Types of JSON data, as they are mostly written: in lower case, without parameters. */
export const jsonTypePattern =
  '^(?:(?:application|text)/json|[a-z0-9.!#$&^_-]+/[a-z0-9.!#$&^_+-]+\\+json)$';
/** UTF-8, and what is a part of it. */
const charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);

/** Why a body cannot be read as UTF-8. */
export function checkCharset(contentType: string): Refusal | undefined {
  const foreign = foreignCharset(contentType);
  if (foreign === undefined) return undefined;
  return {
    status: 400,
    code: 'charset-unknown',
    message: `the charset '${foreign.slice(0, 100)}' is not supported`,
    expected: 'JSON in UTF-8, with charset=utf-8 or without a charset',
  };
}

/** Whether data of that type is JSON. */
export function isJsonType(contentType: string): boolean {
  const media = mediaOf(contentType);
  return media === 'application/json' || media === 'text/json' || hasJsonSuffix(media);
}

/** The type without its parameters, in lower case. */
export function mediaOf(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

export function hasJsonSuffix(media: string): boolean {
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
