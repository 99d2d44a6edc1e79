/**
 * Whether a document that was read has the shape that its reader expects: small checks, and ones
 * made of them. Pure.
 *
 * Invariants:
 * 1. A check looks at every part once, and at own members only.
 * 2. It never throws, whatever JSON it is given.
 */
import { pointerPart } from './json-pointer.ts';

/** What is wrong with a value that is at a place of the document; undefined where nothing is. */
export type Check = (value: unknown, at: string) => string | undefined;

/** Longest date of JavaScript, epoch ms (ECMA-262, 21.4.1.1). */
const dateMaxMs = 8.64e15;
/** As much of a place is told. */
const placeMaxChars = 200;

export function found(expected: string, value: unknown, at: string): string {
  const is = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  const got = value === undefined ? 'nothing' : is;
  return `expected ${expected} at '${at.slice(0, placeMaxChars)}', got ${got}`;
}

export const anything: Check = () => undefined;

export function oneOf(expected: string, is: (value: unknown) => boolean): Check {
  return (value, at) => (is(value) ? undefined : found(expected, value, at));
}

export const text = oneOf('a text', (value) => typeof value === 'string');
export const flag = oneOf('true', (value) => value === true);
export function wholeTo(most: number): Check {
  return oneOf(
    `a whole number from 0 to ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most,
  );
}

export const whole = wholeTo(Number.MAX_SAFE_INTEGER);
export const date = oneOf(
  'a time in ms',
  (value) => typeof value === 'number' && Math.abs(value) <= dateMaxMs,
);
export const textOrNull = oneOf(
  'a text or null',
  (value) => value === null || typeof value === 'string',
);

export function listOf(check: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) return found('a list', value, at);
    for (const [index, part] of value.entries()) {
      const problem = check(part, `${at}/${index}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function mapOf(check: Check): Check {
  return (value, at) => {
    if (!isObject(value)) return found('an object', value, at);
    for (const [name, part] of Object.entries(value)) {
      const problem = check(part, `${at}/${pointerPart(name)}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Other members are left alone. */
export function objectOf(
  members: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  const all = [...Object.entries(members), ...Object.entries(optional)];
  return (value, at) => {
    if (!isObject(value)) return found('an object', value, at);
    for (const [name, check] of all) {
      const part = Object.hasOwn(value, name) ? value[name] : undefined;
      if (part === undefined && Object.hasOwn(optional, name)) continue;
      const problem = check(part, `${at}/${name}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}
