/**
 * Whether a value comes back from JSON as it was: state and records are JSON, so a Date, a Map or NaN would come back as something else.
 * A property that is undefined is as good as one that is not there.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';

export interface JsonProblem {
  /** JSON pointer into the value. */
  readonly pointer: string;
  readonly found: string;
}

export function jsonProblem(value: unknown, pointer = ''): JsonProblem | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { pointer, found: String(value) };
    case 'object':
      return value === null ? undefined : partsProblem(value, pointer);
    default:
      return { pointer, found: `a ${typeof value}` };
  }
}

/** What JSON would give back of `value`, sharing nothing with it. Throws `SluiceError` `not-json-safe`, naming it as `what`, when that is something else. */
export function jsonCopy<T>(value: T, what: string): T {
  try {
    return copyOf(value) as T;
  } catch (thrown) {
    const problem = jsonProblem(value);
    if (problem === undefined) throw thrown;
    throw new SluiceError('not-json-safe', `${what} must be JSON-safe, but has ${problem.found} at '${problem.pointer}'`);
  }
}

function copyOf(value: unknown): unknown {
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined) return value;
  if (typeof value !== 'object' || !isPlain(value)) throw new SluiceError('not-json-safe', 'it is not JSON-safe');
  if (Array.isArray(value)) return Array.from(value, (part: unknown) => copyOf(part) ?? null);
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const part = copyOf((value as Readonly<Record<string, unknown>>)[key]);
    if (part === undefined) continue;
    if (key !== '__proto__') copied[key] = part;
    else Object.defineProperty(copied, key, { value: part, enumerable: true, configurable: true, writable: true });
  }
  return copied;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Array.isArray(value) || Object.getPrototypeOf(prototype) === null;
}

function partsProblem(value: object, pointer: string): JsonProblem | undefined {
  if (!isPlain(value)) return { pointer, found: `a ${value.constructor.name}` };
  for (const [key, part] of Object.entries(value)) {
    const problem = jsonProblem(part, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
