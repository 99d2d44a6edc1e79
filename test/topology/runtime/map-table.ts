/**
 * A map as a table of entries.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type {
  Entry,
  EntryWriter,
  SealedChanges,
  StateTable,
} from '../../../topology/state/entries.ts';
import { textOf } from '../../../topology/state/entry-text.ts';

export type Row = readonly [time: number, value: string];

export class MapTable implements StateTable {
  readonly name = 'rows';
  deadThrough = 0;
  readonly changedBytes = 0;
  readonly #rows = new Map<string, Row>();
  #changed = new Set<string>();
  #number = 0;
  #writer: EntryWriter | undefined;

  get size(): number {
    return this.#rows.size;
  }

  /** The rows that are not dead. */
  get live(): ReadonlyMap<string, Row> {
    return new Map([...this.#rows].filter(([, [time]]) => time > this.deadThrough));
  }

  put(key: string, row: Row): void {
    this.#rows.set(key, row);
    this.#changed.add(key);
  }

  remove(key: string): void {
    this.#rows.delete(key);
    this.#changed.add(key);
  }

  begin(number: number, writer: EntryWriter): void {
    this.#number = number;
    this.#writer = writer;
  }

  seal(next: EntryWriter): SealedChanges {
    const writer = present(this.#writer, 'a writer of the changes');
    for (const key of this.#changed) {
      const row = this.#rows.get(key);
      if (row === undefined) writer.remove(this.#number, 0, key);
      else writer.put(this.#number, 0, key, ...row);
    }
    this.#changed = new Set();
    this.#writer = next;
    return { write: () => true };
  }

  restore({ key, time, value }: Entry): void {
    this.#rows.set(textOf(key), [time, textOf(present(value, 'the value of a live entry'))]);
  }
}
