/** A key as text within an address. Pure. */
import type { Key } from '../../schemas/kernel/key.ts';

/** URL-encoded, the parts of a tuple by slashes; undefined where it has half a surrogate pair. */
export function keyInAddress(key: Key): string | undefined {
  try {
    return (Array.isArray(key) ? key : [key]).map(encodePart).join('/');
  } catch {
    return undefined;
  }
}

/** `'` too: in a query the URL parser would encode it. */
function encodePart(part: unknown): string {
  return encodeURIComponent(String(part)).replaceAll("'", '%27');
}
