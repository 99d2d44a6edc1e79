/**
 * The rows of one input of a join, each until the watermark has passed all that it could join: in
 * columns of numbers by slot, with what they hold beside them (row-values.ts).
 *
 * Invariants:
 * 1. A row stays until W >= timestamp + `staysMs`. Rows leave in the order of their times, at equal
 *    times in the order of keys, then of arrival.
 * 2. A checkpoint holds what was there at its barrier. A row that the barrier sealed is written
 *    before it changes; one that leaves keeps its slot until it is written.
 * 3. A row of the watermark's own time is not late: where rows do not stay, it may come after
 *    others of its time have left. So no row of that time is dead by its time, and those that leave
 *    are removed from the checkpoints one by one.
 * 4. A slot is at most once in what changed since a barrier, however many rows it had.
 */
import { assert, present } from '../../../schemas/kernel/assert.ts';
import { small, times, wholes } from '../../state/chunked.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import { textOf } from '../../state/entry-text.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import { SlotHeap } from '../../state/slot-heap.ts';
import { SlotTree } from '../../state/slot-tree.ts';
import type { JoinKeys, Side } from './join-keys.ts';
import type { LiveRow } from './row-record.ts';
import { isMatchedIn } from './row-record.ts';
import type { RowValues } from './row-values.ts';
import { ofRowEntryKey, rowEntryKey } from './row-values.ts';

/** What an entry takes where none was written yet. */
const assumedEntryBytes = 256;

/** Of a slot; 0: it is free. */
const flag = {
  isTaken: 1,
  isMatched: 2,
  /** A checkpoint has something of it. */
  isStored: 4,
  /** It left, and is not written yet. */
  isGone: 8,
} as const;

interface Sealed {
  readonly slots: ReturnType<typeof wholes>;
  readonly interval: number;
  readonly writer: EntryWriter;
  /** Those before it are written. */
  at: number;
}

/** An unmatched row that leaves with others of its time. */
interface Leaving {
  readonly slot: number;
  readonly key: string;
  readonly arrival: number;
}

export interface JoinSideParts {
  readonly side: Side;
  readonly name: string;
  readonly keys: JoinKeys;
  readonly values: RowValues;
  readonly staysMs: number;
  /** Of the trees. */
  readonly seed: number;
}

export class JoinSide implements StateTable {
  readonly name: string;
  deadThrough = Number.NEGATIVE_INFINITY;
  size = 0;
  /** Of the next row. */
  arrivals = 0;
  readonly #side: Side;
  readonly #keys: JoinKeys;
  readonly #values: RowValues;
  readonly #staysMs: number;
  // By slot; slot 0 is none.
  readonly #times = times();
  readonly #arrivals = times();
  /** The number of its key; of a free slot the next free one. */
  readonly #keyNumbers = wholes();
  /** The interval between barriers in which it changed last; 0: none of this run. */
  readonly #changedIn = wholes();
  readonly #flags = small();
  readonly #tree: SlotTree;
  readonly #heap = new SlotHeap(this.#times);
  #free = 0;
  #table = 0;
  #writer: EntryWriter | undefined;
  #interval = 1;
  #changed = wholes();
  #sealed: Sealed | undefined;
  #entryBytes = assumedEntryBytes;

  constructor({ side, name, keys, values, staysMs, seed }: JoinSideParts) {
    this.name = name;
    this.#side = side;
    this.#keys = keys;
    this.#values = values;
    this.#staysMs = staysMs;
    this.#tree = new SlotTree(this.#times, this.#arrivals, seed);
    this.#slot();
  }

  get changedBytes(): number {
    return this.#changed.length * this.#entryBytes;
  }

  /** The watermark at which a row leaves next; undefined when there is none. */
  get next(): number | undefined {
    const next = this.#heap.next;
    return next === undefined ? undefined : next + this.#staysMs;
  }

  /** A row of the key with this number; says where it is. */
  insert(key: number, time: number, row: LiveRow): number {
    const slot = this.#enter(key, time, this.arrivals++, flag.isTaken);
    this.#values.enter(slot, row);
    this.#change(slot);
    return slot;
  }

  /** The row joined another one. */
  match(slot: number): void {
    const flags = this.#flags.get(slot);
    if ((flags & flag.isMatched) !== 0) return;
    const sealed = this.#sealed;
    if (sealed !== undefined && this.#isUnwritten(slot, sealed)) this.#write(slot, sealed.writer);
    this.#flags.set(slot, this.#flags.get(slot) | flag.isMatched);
    this.#change(slot);
  }

  /** Calls `visit` for every row of the key with from <= time <= to, in order. */
  range(
    key: number,
    from: number,
    to: number,
    visit: (time: number, row: LiveRow, slot: number) => void,
  ): void {
    this.#tree.range(this.#keys.rootOf(this.#side, key), from, to, (slot) =>
      visit(this.#times.get(slot), this.#values.read(slot), slot),
    );
  }

  /** Drops what no row that comes now can join. */
  advance(watermark: number): void {
    this.#moveTo(watermark);
    const until = watermark - this.#staysMs;
    const heap = this.#heap;
    for (let { next } = heap; next !== undefined && next <= until; next = heap.next)
      this.#leave(heap.take());
  }

  /** The same, and gives each row that joined none as it leaves. */
  advanceGiving(watermark: number, give: (time: number, row: LiveRow) => void): void {
    this.#moveTo(watermark);
    const until = watermark - this.#staysMs;
    const heap = this.#heap;
    for (let { next } = heap; next !== undefined && next <= until; next = heap.next)
      for (const slot of this.#takeOf(next)) {
        const row = this.#values.peek(slot);
        this.#leave(slot);
        give(next, row);
      }
  }

  begin(number: number, writer: EntryWriter): void {
    this.#table = number;
    this.#writer = writer;
  }

  seal(next: EntryWriter): SealedChanges {
    assert(this.#sealed === undefined, 'what the last barrier sealed is written');
    const writer = present(this.#writer, 'a writer of the changes');
    const sealed: Sealed = { slots: this.#changed, interval: this.#interval, writer, at: 0 };
    this.#sealed = sealed;
    this.#changed = wholes();
    this.#writer = next;
    this.#interval++;
    return { write: (maxBytes) => this.#writeSome(sealed, maxBytes) };
  }

  restore({ key: entryKey, time, value }: Entry): void {
    const bytes = present(value, 'the value of a row');
    const [key, arrival] = ofRowEntryKey(textOf(entryKey));
    const matched = isMatchedIn(bytes) ? flag.isMatched : 0;
    const flags = flag.isTaken | flag.isStored | matched;
    const slot = this.#enter(this.#keys.numberOf(key), time, arrival, flags);
    this.#values.enterAtRest(slot, key, bytes);
  }

  #moveTo(watermark: number): void {
    this.deadThrough = Math.min(watermark - this.#staysMs, watermark - 1);
  }

  #enter(key: number, time: number, arrival: number, flags: number): number {
    const slot = this.#slot();
    this.#times.set(slot, time);
    this.#arrivals.set(slot, arrival);
    this.#keyNumbers.set(slot, key);
    this.#flags.set(slot, flags);
    const [side, keys] = [this.#side, this.#keys];
    keys.setRoot(side, key, this.#tree.insert(keys.rootOf(side, key), slot));
    this.#heap.push(slot);
    this.size++;
    return slot;
  }

  #slot(): number {
    if (this.#free > 0) {
      const slot = this.#free;
      this.#free = this.#keyNumbers.get(slot);
      return slot;
    }
    const slot = this.#times.length;
    for (const column of [this.#times, this.#arrivals]) column.push(0);
    for (const column of [this.#keyNumbers, this.#changedIn, this.#flags]) column.push(0);
    return slot;
  }

  #change(slot: number): void {
    if (this.#changedIn.get(slot) === this.#interval) return;
    this.#changedIn.set(slot, this.#interval);
    this.#changed.push(slot);
  }

  /**
   * Takes the rows of the earliest time; those that joined one leave, the others are returned in
   * the order of keys and arrival.
   */
  #takeOf(time: number): readonly number[] {
    const alone: number[] = [];
    while (this.#heap.next === time) {
      const slot = this.#heap.take();
      if ((this.#flags.get(slot) & flag.isMatched) !== 0) this.#leave(slot);
      else alone.push(slot);
    }
    if (alone.length < 2) return alone;
    const rows = alone.map<Leaving>((slot) => ({
      slot,
      key: this.#values.keyAt(slot),
      arrival: this.#arrivals.get(slot),
    }));
    rows.sort((a, b) => (a.key === b.key ? a.arrival - b.arrival : a.key < b.key ? -1 : 1));
    return rows.map(({ slot }) => slot);
  }

  /** A row that is no more in the heap. */
  #leave(slot: number): void {
    this.size--;
    const [side, keys, key] = [this.#side, this.#keys, this.#keyNumbers.get(slot)];
    keys.setRoot(side, key, this.#tree.remove(keys.rootOf(side, key), slot));
    const flags = this.#flags.get(slot);
    const isUnwritten = this.#sealed !== undefined && this.#isUnwritten(slot, this.#sealed);
    const isStored = isUnwritten || (flags & flag.isStored) !== 0;
    if (isStored && this.#times.get(slot) > this.deadThrough) this.#remove(slot);
    if (isUnwritten) this.#flags.set(slot, flags | flag.isGone);
    else this.#clear(slot);
  }

  #remove(slot: number): void {
    const key = this.#values.keyAt(slot);
    const entryKey = rowEntryKey(key, this.#arrivals.get(slot));
    this.#writer?.remove(this.#table, groupOfKeyText(key), entryKey);
  }

  #clear(slot: number): void {
    this.#values.leave(slot);
    this.#flags.set(slot, 0);
    this.#keyNumbers.set(slot, this.#free);
    this.#free = slot;
  }

  #isUnwritten(slot: number, { interval }: Sealed): boolean {
    return this.#flags.get(slot) !== 0 && this.#changedIn.get(slot) === interval;
  }

  #writeSome(sealed: Sealed, maxBytes: number): boolean {
    const { slots, writer } = sealed;
    const until = writer.bytes + maxBytes;
    const [before, from] = [writer.bytes, writer.entries];
    for (; sealed.at < slots.length && writer.bytes < until; sealed.at++) {
      const slot = slots.get(sealed.at);
      if (!this.#isUnwritten(slot, sealed)) continue;
      this.#write(slot, writer);
      if ((this.#flags.get(slot) & flag.isGone) !== 0) this.#clear(slot);
    }
    if (writer.entries > from) this.#entryBytes = (writer.bytes - before) / (writer.entries - from);
    if (sealed.at < slots.length) return false;
    this.#sealed = undefined;
    return true;
  }

  #write(slot: number, writer: EntryWriter): void {
    const flags = this.#flags.get(slot);
    this.#values.write(slot, writer, {
      table: this.#table,
      arrival: this.#arrivals.get(slot),
      time: this.#times.get(slot),
      isMatched: (flags & flag.isMatched) !== 0,
    });
    this.#flags.set(slot, flags | flag.isStored);
    this.#changedIn.set(slot, 0);
  }
}
