/**
 * The words in which rules of the configuration are written: what cannot work together. A rule of
 * one section stands in the section's file, one over several sections in rules.ts. Pure.
 */
import type { Segments } from './document.ts';

export interface Finding {
  /** Of the setting that is reported; in an entry's rule from there. */
  readonly path: Segments;
  /** Where the line is that is told; default: that of `path`. */
  readonly at?: Segments;
  readonly message: string;
  readonly expected: string;
}

export type Values = Readonly<Record<string, unknown>>;
export type EntryRule = (entry: Values) => Finding | undefined;

/** The rules of a section; `C` is the part of the effective configuration that they look at. */
export interface SectionRules<C> {
  /**
   * Of entries, by their place: `*` is any one member of a map or a list. They look at the values
   * as they are in the file, also when others are wrong.
   */
  readonly entries?: readonly (readonly [Segments, readonly EntryRule[]])[];
  /** Of a configuration whose values are all right by themselves. */
  readonly whole?: readonly ((config: C) => Iterable<Finding>)[];
}

/** Names that differ in case alone are one name to what reads them. */
export const namesOnce: EntryRule = (entries) => {
  const before = new Set<string>();
  for (const name of Object.keys(entries)) {
    const folded = name.toLowerCase();
    if (before.has(folded))
      return { path: [name], message: 'is there already', expected: 'each name once, in any case' };
    before.add(folded);
  }
  return undefined;
};

/** Entries of a list that have in common what must tell them apart. */
export function* twice<T>(
  entries: readonly T[],
  read: (entry: T) => string,
  found: (index: number, before: number, value: string) => Finding,
): Iterable<Finding> {
  const first = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const value = read(entry);
    const before = first.get(value);
    if (before === undefined) first.set(value, index);
    else yield found(index, before, value);
  }
}
