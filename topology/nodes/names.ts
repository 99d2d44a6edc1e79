/**
 * Names that a topology's parts may have: none that every object of JavaScript has, as state,
 * columns and functions are looked up by name, and none twice. Pure.
 */
import type { Problem } from './node.ts';

/** What every object has: `constructor`, `toString`, ... */
export function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** What can be a property of a plain object without surprise. */
export function isPropertyName(name: string): boolean {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) && !isInherited(name);
}

/** `what`: what the names are of, in the plural. */
export function repeatedNames(what: string, names: readonly string[]): readonly Problem[] {
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...repeated].map((name) => ({
    message: `it has two ${what} named '${name}'`,
    fix: 'rename one of the two',
  }));
}
