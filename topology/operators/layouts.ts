/**
 * Under which names the parts of entries were written: aggregates, declared states. A topology may
 * have others when it is started again, and what is in the checkpoints stays as it was written.
 *
 * Invariants:
 * 1. An entry says by its number which layout it was written under; the last one is that of now.
 * 2. A name that was let go of is null in all layouts of before: under it another part begins
 *    empty.
 */
export type Layout = readonly (string | null)[];

/** With `now` as the last one. */
export function withLayout(before: readonly Layout[], now: Layout): readonly Layout[] {
  return JSON.stringify(before.at(-1)) === JSON.stringify(now) ? before : [...before, now];
}

export function withoutNames(
  layouts: readonly Layout[],
  gone: ReadonlySet<string>,
): readonly Layout[] {
  if (gone.size === 0) return layouts;
  return layouts.map((names) =>
    names.map((name) => (name !== null && gone.has(name) ? null : name)),
  );
}
