/**
 * The state of operators as tables of entries: what a checkpoint writes of what changed, and what a
 * restore reads.
 *
 * Invariants:
 * 1. An entry is known by its table and its key. Its key group follows from the key.
 * 2. Of several entries with one table and key the one that was written last counts.
 * 3. An entry whose time is not after its table's `deadThrough` is as if it were not there: nobody
 *    writes that it was removed.
 */

/** Key groups of a topology, as Flink's maxParallelism: a key's group never changes. */
export const keyGroups = 128;

/** Entries whose time is this do not die by time. */
export const never = Number.POSITIVE_INFINITY;

/** Takes the entries that change between two barriers, in the order of the changes. */
export interface EntryWriter {
  /**
   * `group`: the key group of the key that the author's function gave. `time`: epoch ms, or
   * `never`. What is given is copied.
   */
  put(
    table: number,
    group: number,
    key: string | Uint8Array,
    time: number,
    value: string | Uint8Array,
  ): void;
  remove(table: number, group: number, key: string | Uint8Array): void;
  /** What it took so far. */
  readonly bytes: number;
  readonly entries: number;
}

/** An entry as it was read. Views of the reader's memory: copy what is kept. */
export interface Entry {
  readonly table: number;
  readonly group: number;
  readonly key: Uint8Array;
  readonly time: number;
  /** Undefined: the entry was removed. */
  readonly value: Uint8Array | undefined;
}

/** What changed in one table up to a barrier, while its encoding is under way. */
export interface SealedChanges {
  /**
   * Writes what is left, until the writer took about `maxBytes` more; says whether that was all.
   * Throws `SluiceError` `state-unwritable` for a value without a text.
   */
  write(maxBytes: number): boolean;
}

/** A table as the checkpoints see it. */
export interface StateTable {
  readonly name: string;
  /** Entries with a time not after it are dead. Moves forward only. */
  readonly deadThrough: number;
  /** Live entries. */
  readonly size: number;
  /** About what changed since the last barrier takes when it is encoded. */
  readonly changedBytes: number;
  /** Before anything else: what changes from now on goes to `writer`, as entries of `number`. */
  begin(number: number, writer: EntryWriter): void;
  /**
   * The barrier: what changed before it goes to the writer of before, what comes after it to
   * `next`. Takes no time of what it holds. What the barrier before sealed is written.
   */
  seal(next: EntryWriter): SealedChanges;
  /**
   * Takes an entry of a checkpoint, before any element and after the operator's own `restore`. Each
   * key comes once, has a value, and is not dead.
   */
  restore(entry: Entry): void;
}
