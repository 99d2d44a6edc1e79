/**
 * Freezes values that several functions share, so that none of them can change one: an attempt
 * throws on the spot (topologies are modules, which are strict).
 *
 * Invariants:
 * 1. Only arrays and plain objects are frozen, with their parts. A typed array cannot be frozen,
 *    and other values that are not JSON belong to the function that made them.
 * 2. It ends for every value: the depth and the number of parts are limited, also for a value that
 *    contains itself.
 */
import { limits } from '../../schemas/limits.ts';
import { jsonCopy } from './json-safe.ts';

/**
 * `value`, frozen with all its parts. One that is frozen already is taken to be frozen whole, as
 * this function leaves it.
 */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  try {
    freezeParts(value, limits.valueDepthMax);
  } catch {
    // A getter or a Proxy that throws: what it hides is no data.
  }
  return value;
}

function freezeParts(value: object, depth: number): void {
  if (depth === 0 || Object.isFrozen(value)) return;
  if (Array.isArray(value)) {
    Object.freeze(value);
    for (let i = 0; i < value.length; i++) {
      const part: unknown = value[i];
      if (typeof part === 'object' && part !== null) freezeParts(part, depth - 1);
    }
  } else if (isPlain(value)) {
    Object.freeze(value);
    const members = value as Readonly<Record<string, unknown>>;
    for (const name in members) {
      const part = members[name];
      if (typeof part === 'object' && part !== null) freezeParts(part, depth - 1);
    }
  }
}

let partsLeft = 0;

/**
 * As `freeze`, and also looks into what its author froze, who may have frozen the outermost object
 * only.
 */
export function freezeWhole<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  partsLeft = limits.valueMaxParts;
  try {
    freezeAll(value, limits.valueDepthMax);
  } catch {
    // As above.
  }
  return value;
}

function freezeAll(value: object, depth: number): void {
  if (depth === 0 || partsLeft <= 0 || !(Array.isArray(value) || isPlain(value))) return;
  Object.freeze(value);
  for (const part of Object.values(value)) {
    partsLeft--;
    if (typeof part === 'object' && part !== null) freezeAll(part as object, depth - 1);
  }
}

/**
 * JSON that its owner may change: what is frozen in it is replaced by a copy, and is shared with
 * nobody then. Gives `value` itself, but where that is frozen.
 */
export function thawed<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.isFrozen(value)) return jsonCopy(value, 'a frozen value');
  const members = value as Record<string, unknown>;
  for (const name in members) {
    const part = members[name];
    if (typeof part !== 'object' || part === null) continue;
    const own: unknown = thawed(part);
    if (own !== part) members[name] = own;
  }
  return value;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === Object.prototype ||
    prototype === null ||
    Object.getPrototypeOf(prototype) === null
  );
}
