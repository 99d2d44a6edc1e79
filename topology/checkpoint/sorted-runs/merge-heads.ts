/**
 * The next entry of each of several runs, the first of all of them on top: a heap.
 *
 * Invariant: of entries with one table and key that of the newest run comes first, and is passed
 * together with the others.
 */
import type { OpenFile, Wants } from './file-cursor.ts';
import { FileCursor } from './file-cursor.ts';
import type { EntryPlace } from './file-format.ts';
import type { StateFile } from './sorted-run.ts';

/** A run that is read; of two the newer one has the larger age. */
interface Head {
  readonly age: number;
  readonly files: Iterator<StateFile, undefined>;
  cursor: FileCursor;
}

export class MergeHeads {
  readonly #openFile: (name: string) => Promise<OpenFile>;
  readonly #isKnown: (table: number) => boolean;
  readonly #wants: Wants;
  readonly #heap: Head[] = [];
  #ages = 0;

  /** Entries of tables that are not known are passed over, and those of other key groups. */
  constructor(
    openFile: (name: string) => Promise<OpenFile>,
    isKnown: (table: number) => boolean,
    hasGroup: (group: number) => boolean = () => true,
  ) {
    this.#openFile = openFile;
    this.#isKnown = isKnown;
    this.#wants = (table, group) => isKnown(table) && hasGroup(group);
  }

  /** A run that is newer than all before. */
  async add(files: readonly StateFile[]): Promise<void> {
    const head: Head = { age: this.#ages++, files: files.values(), cursor: nowhere };
    if (!(await this.#open(head))) return;
    this.#heap.push(head);
    for (let at = this.#heap.length - 1; at > 0; at = (at - 1) >> 1) this.#sink((at - 1) >> 1);
  }

  get first(): EntryPlace | undefined {
    return this.#heap[0]?.cursor;
  }

  /**
   * Passes the first entry and the older ones of its key. What it returns is to be waited for: a
   * file is read.
   */
  pass(): Promise<void> | undefined {
    for (let twin = this.#twin(); twin > 0; twin = this.#twin())
      if (!this.#step(twin)) return this.#refill(twin).then(() => this.pass());
    return this.#step(0) ? undefined : this.#refill(0);
  }

  /** The place of an entry with the key of the first; 0 when there is none. */
  #twin(): number {
    const [first, left, right] = this.#heap;
    if (left !== undefined && compare((first as Head).cursor, left.cursor) === 0) return 1;
    if (right !== undefined && compare((first as Head).cursor, right.cursor) === 0) return 2;
    return 0;
  }

  /** False when the file is at its end. */
  #step(at: number): boolean {
    if (!(this.#heap[at] as Head).cursor.next()) return false;
    this.#sink(at);
    return true;
  }

  async #refill(at: number): Promise<void> {
    if (!(await this.#open(this.#heap[at] as Head))) {
      const last = this.#heap.pop() as Head;
      if (at === this.#heap.length) return;
      this.#heap[at] = last;
    }
    this.#sink(at);
  }

  /** Goes to the first wanted entry of the files that are left; false when there is none. */
  async #open(head: Head): Promise<boolean> {
    for (;;) {
      const { value: file } = head.files.next();
      if (file === undefined) return false;
      if (!file.tables.some(({ table }) => this.#isKnown(table))) continue;
      head.cursor = new FileCursor(await this.#openFile(file.name), this.#wants);
      if (head.cursor.next()) return true;
    }
  }

  /** Moves what is at `at` down to its place. */
  #sink(from: number): void {
    const heap = this.#heap;
    const moved = heap[from] as Head;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        least = right;
        child++;
      }
      if (!isBefore(least, moved)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = moved;
  }
}

const nowhere = new FileCursor({ name: '', body: Buffer.alloc(0), sections: 0 }, () => false);

function isBefore(one: Head, other: Head): boolean {
  const order = compare(one.cursor, other.cursor);
  return order < 0 || (order === 0 && one.age > other.age);
}

/** By table, key group and bytes of the key. */
function compare(one: FileCursor, other: FileCursor): number {
  if (one.table !== other.table) return one.table - other.table;
  if (one.group !== other.group) return one.group - other.group;
  const { body: a, keyAt: aAt, keyLength: aLength } = one;
  const { body: b, keyAt: bAt, keyLength: bLength } = other;
  const length = aLength < bLength ? aLength : bLength;
  for (let n = 0; n < length; n++) {
    const difference = (a[aAt + n] as number) - (b[bAt + n] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
