/**
 * Checks whether a value survives a round trip through JSON: records, state and rows are JSON, so a
 * Date, a Map, NaN or undefined would come back as something else or not at all.
 *
 * JSON here is: text, finite numbers (-0 is 0), booleans, null, arrays without holes, and plain
 * objects whose members are JSON. What JSON silently ignores is not part of a value: members under
 * symbols, members that are not enumerable, names on an array.
 *
 * Invariants:
 * 1. Whatever a value is or does (a getter, a Proxy), only `NotJsonError` is thrown.
 * 2. Every call ends: nesting is limited by `limits.valueDepthMax`, the number of parts by
 *    `limits.valueMaxParts`.
 * 3. A check of a good value allocates nothing.
 */
import { pointerPart } from '../../schemas/json-pointer.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

/** Parts of an accumulator that are looked at after each element; a result is looked at whole. */
const accumulatorCheckedParts = kibi;

export interface JsonProblem {
  /** JSON pointer into the value. */
  readonly pointer: string;
  readonly found: string;
}

/** A value that a user function gave and that is not JSON. */
export class NotJsonError extends SluiceError {
  /** JSON pointer into the value. */
  readonly pointer: string;

  constructor(what: string, { pointer, found }: JsonProblem) {
    super('not-json-safe', `${what} must be JSON-safe, but has ${found} at '${pointer}'`);
    this.pointer = pointer;
  }
}

let partsLeft = 0;

/** Whether it is JSON. */
export function isJson(value: unknown): boolean {
  partsLeft = limits.valueMaxParts;
  try {
    return isJsonAt(value, limits.valueDepthMax);
  } catch {
    return false;
  }
}

/**
 * Whether it is JSON as far as is looked, at `accumulatorCheckedParts` parts: for what grows
 * with each call, where a whole look at each would be quadratic.
 */
function isJsonSoFar(value: unknown): boolean {
  partsLeft = accumulatorCheckedParts;
  try {
    return isJsonAt(value, limits.valueDepthMax) || partsLeft < 0;
  } catch {
    return false;
  }
}

function isJsonAt(value: unknown, depth: number): boolean {
  return typeof value === 'object' && value !== null ? areParts(value, depth) : isPrimitive(value);
}

function isPrimitive(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return value - value === 0;
    default:
      return value === null;
  }
}

/** Members are counted in the function itself: it is what most of the time goes into. */
function areParts(value: object, depth: number): boolean {
  if (depth === 0) return false;
  let left = partsLeft;
  if (Array.isArray(value)) {
    // From the end: there is what was added last.
    for (let i = value.length - 1; i >= 0; i--) {
      const part: unknown = value[i];
      partsLeft = --left;
      if (left < 0) return false;
      if (typeof part !== 'object' || part === null) {
        if (!isPrimitive(part)) return false;
        continue;
      }
      if (!areParts(part, depth - 1)) return false;
      left = partsLeft;
    }
    return true;
  }
  if (!isPlain(value)) return false;
  const members = value as Readonly<Record<string, unknown>>;
  for (const name in members) {
    const part = members[name];
    if (--left < 0) {
      partsLeft = left;
      return false;
    }
    if (typeof part === 'string') continue;
    if (typeof part !== 'object' || part === null) {
      if (!isPrimitive(part)) {
        partsLeft = left;
        return false;
      }
      continue;
    }
    partsLeft = left;
    if (!areParts(part, depth - 1)) return false;
    left = partsLeft;
  }
  partsLeft = left;
  return true;
}

/** Also an object of another realm, as a test runner's. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === Object.prototype ||
    prototype === null ||
    Object.getPrototypeOf(prototype) === null
  );
}

/** The value itself. Throws `NotJsonError`, naming it as `what`, when it is not JSON. */
export function requireJson<T>(value: T, what: string): T {
  if (isJson(value)) return value;
  throw notJson(value, what);
}

/** The same for a value that grows: of a large one what was added last, where it is a list. */
export function requireJsonSoFar<T>(value: T, what: string): T {
  if (isJsonSoFar(value)) return value;
  throw notJson(value, what);
}

export function notJson(value: unknown, what: string): NotJsonError {
  return new NotJsonError(
    what,
    jsonProblem(value) ?? { pointer: '', found: 'a value that changes when it is read' },
  );
}

/** What keeps a value from being JSON, and where; undefined when it is. */
export function jsonProblem(value: unknown): JsonProblem | undefined {
  if (isJson(value)) return undefined;
  // What has too many parts for the first look has them for the second.
  if (partsLeft < 0) return { pointer: '', found: `more than ${limits.valueMaxParts} parts` };
  return problemAt(value, '', new Set());
}

/** `above`: the objects that this value is in. */
function problemAt(value: unknown, pointer: string, above: Set<object>): JsonProblem | undefined {
  try {
    if (value === undefined) return { pointer, found: 'undefined' };
    if (typeof value === 'number')
      return Number.isFinite(value) ? undefined : { pointer, found: String(value) };
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return undefined;
    if (typeof value !== 'object') return { pointer, found: `a ${typeof value}` };
    if (above.has(value)) return { pointer, found: 'a value that contains itself' };
    if (above.size >= limits.valueDepthMax)
      return { pointer, found: `more than ${limits.valueDepthMax} levels of nesting` };
    if (!Array.isArray(value) && !isPlain(value)) return { pointer, found: `a ${classOf(value)}` };
    above.add(value);
    const problem = partsProblem(value, pointer, above);
    above.delete(value);
    return problem;
  } catch (thrown) {
    return { pointer, found: `something that cannot be read (${messageOf(thrown)})` };
  }
}

function partsProblem(value: object, pointer: string, above: Set<object>): JsonProblem | undefined {
  const names = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const name of names) {
    const at = `${pointer}/${pointerPart(String(name))}`;
    let part: unknown;
    try {
      part = (value as Readonly<Record<number | string, unknown>>)[name];
    } catch (thrown) {
      return { pointer: at, found: `a getter that throws (${messageOf(thrown)})` };
    }
    const problem = problemAt(part, at, above);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function classOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== ''
    ? constructor.name
    : 'object of a class';
}

/** The value itself where it is JSON, else a copy of what of it is: null when nothing is. */
export function jsonPartsOf(value: unknown): unknown {
  return isJson(value) ? value : (partsOf(value, new Set()) ?? null);
}

function partsOf(value: unknown, above: Set<object>): unknown {
  if (typeof value !== 'object' || value === null) return isJson(value) ? value : undefined;
  if (above.has(value) || above.size >= limits.valueDepthMax) return undefined;
  if (!Array.isArray(value) && !isPlain(value)) return undefined;
  above.add(value);
  const parts = Object.entries(value).flatMap(([name, part]) => {
    const kept = partsOf(part, above);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  above.delete(value);
  return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
}

/**
 * A copy that shares nothing with `value`. Throws `NotJsonError`, naming it as `what`, when it is
 * not JSON.
 */
export function jsonCopy<T>(value: T, what: string): T {
  return copyOf(requireJson(value, what)) as T;
}

function copyOf(value: unknown): unknown {
  if (typeof value === 'number') return value === 0 ? 0 : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const part = copyOf((value as Readonly<Record<string, unknown>>)[key]);
    if (key !== '__proto__') copied[key] = part;
    else
      Object.defineProperty(copied, key, {
        value: part,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return copied;
}

/** JSON of any value, to show it or to tell it from others: what is not JSON is described. */
export function jsonTextOf(value: unknown): string {
  const problem = jsonProblem(value);
  return JSON.stringify(
    problem === undefined ? value : { 'not JSON': `${problem.found} at '${problem.pointer}'` },
  );
}
