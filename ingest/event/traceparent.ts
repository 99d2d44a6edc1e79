/**
 * W3C trace context as a sender gives it. Pure.
 */
const traceparentParts =
  /^([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-|$)/;
const traceparentChars = 55;

/**
 * The trace context of a sender (https://www.w3.org/TR/trace-context/#versioning-of-traceparent);
 * undefined where it is none. One of a version after 00 is said again in the terms of version 00:
 * what it has beyond is not known here.
 */
export function readTraceparent(text: string): string | undefined {
  if (text === '') return undefined;
  const [, version, ids, flags = '', more] = traceparentParts.exec(text) ?? [];
  if (version === undefined || version === 'ff') return undefined;
  if (version === '00') return text.length === traceparentChars ? text : undefined;
  return more === '-' || text.length === traceparentChars
    ? `00-${ids}-0${Number.parseInt(flags, 16) & 1}`
    : undefined;
}
