/**
 * About what a value takes in memory, from its parts: no less than what V8 takes for JSON, but for
 * what it shares.
 */

const objectBytes = 56;
const partBytes = 16;
/** A character may take two. */
const charBytes = 2;

/** Counts until it is more than `most`, so that it ends for a value that contains itself. */
export function valueBytes(value: unknown, most: number): number {
  const waiting: unknown[] = [value];
  let bytes = 0;
  while (waiting.length > 0 && bytes <= most) {
    const part = waiting.pop();
    bytes += partBytes;
    if (typeof part === 'string') bytes += part.length * charBytes;
    else if (typeof part === 'object' && part !== null)
      bytes += objectBytes + opened(part, waiting);
  }
  return bytes;
}

/** What an object takes beside its parts, which wait then. */
function opened(object: object, waiting: unknown[]): number {
  if (ArrayBuffer.isView(object) || isBuffer(object)) return object.byteLength;
  if (object instanceof Map || object instanceof Set) {
    for (const part of object) waiting.push(part);
    return 0;
  }
  try {
    if (Array.isArray(object)) {
      for (const part of object) waiting.push(part);
      return object.length * partBytes;
    }
    let bytes = 0;
    for (const [key, part] of Object.entries(object)) {
      bytes += partBytes + key.length * charBytes;
      waiting.push(part);
    }
    return bytes;
  } catch {
    // A getter or a Proxy that throws: what it hides is not held by it.
    return 0;
  }
}

function isBuffer(object: object): object is ArrayBuffer | SharedArrayBuffer {
  return object instanceof ArrayBuffer || object instanceof SharedArrayBuffer;
}
