/**
 * Counts what happens to connections, by name: refreshed tokens, reconnects, retries. Bounded by
 * the names that the adapters have.
 */
export interface Happenings {
  /** Default 1. */
  count(name: string, times?: number): void;
  counts(): Readonly<Record<string, number>>;
}

export function createHappenings(): Happenings {
  const counts = new Map<string, number>();
  return {
    count: (name, times = 1) => void counts.set(name, (counts.get(name) ?? 0) + times),
    counts: () => Object.fromEntries(counts),
  };
}
