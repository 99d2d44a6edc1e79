/**
 * Strings and numbers in a body that was checked to be JSON. Pure.
 */
import type { Span } from '../../schemas/json-scan.ts';

export function stringAt(body: Buffer, span: Span): string | undefined {
  return body[span.start] === 0x22
    ? (JSON.parse(body.toString('utf8', span.start, span.end)) as string)
    : undefined;
}

/** A string's value, or a number as it was written. */
export function scalarAt(body: Buffer, span: Span): string | undefined {
  const first = body[span.start] as number;
  if (first === 0x2d || (first >= 0x30 && first <= 0x39))
    return body.toString('utf8', span.start, span.end);
  return stringAt(body, span);
}
