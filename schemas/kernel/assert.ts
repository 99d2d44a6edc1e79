/**
 * Defects. A failed assertion means that this code is wrong, never that data or the world is; only
 * `main.ts` may catch it.
 */

class AssertionDefect extends Error {
  override readonly name = 'AssertionDefect';
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionDefect(what);
}

/** `value`, which the caller knows to be there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionDefect(`${what} is missing`);
  return value;
}
