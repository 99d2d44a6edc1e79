/**
 * Which objects of an operator's state changed since the last barrier, and what they were at it
 * while they are encoded, a slice at a time.
 *
 * Invariants:
 * 1. `touch` comes before each change of an object that is in state, and costs one comparison where
 *    it was touched since the barrier. One that the barrier sealed and that was not encoded yet is
 *    encoded before it changes: a checkpoint holds what was at its barrier.
 * 2. Removed entries are written as they are removed, before any value of the same interval:
 *    an object that takes the place of a removed one in one interval is the later of the two.
 * 3. An object that never was in a checkpoint leaves nothing behind. What comes and goes between
 *    two barriers is not kept until the next: at least half of the objects that are kept are in
 *    state, or they are few.
 * 4. An object that leaves the state because its time is over does not change any more, and nobody
 *    is told: what a barrier finds dead is not written, what dies after it is.
 * 5. An object that comes to rest does not change any more. What changed of it since the barrier is
 *    written before it goes, what the barrier sealed is written of the object in its turn.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import type { EntryWriter, SealedChanges } from './entries.ts';

/** What an object in state carries for its table: 0, false and false as it is made. */
export interface Tracked {
  /** The interval between barriers in which it changed; 0: it is in the checkpoints as it is. */
  changedIn: number;
  /** Whether a checkpoint has something of it. */
  isStored: boolean;
  isGone: boolean;
}

/** How an object becomes an entry. */
export interface EntryForm<T> {
  group(item: T): number;
  /** Unique in its table; the same as long as the object is in state. */
  key(item: T): string;
  time(item: T): number;
  /** Throws `SluiceError` `state-unwritable` where it has no text. */
  text(item: T): string;
  /** Objects of a time not after it have left the state. Moves forward only. */
  deadThrough(): number;
}

/** So many are looked through at first. */
const fewChanged = 1_024;
/** What an entry takes where none was written yet. */
const assumedEntryBytes = 256;
/** Entries that the mean of those at rest is of. */
const meanOver = 256;

export class ChangedObjects<T extends Tracked> {
  readonly #form: EntryForm<T>;
  #table = 0;
  #interval = 1;
  #changed: T[] = [];
  #compactAt = fewChanged;
  #writer: EntryWriter | undefined;
  #sealed: Sealed<T> | undefined;
  #meanBytes = assumedEntryBytes;

  constructor(form: EntryForm<T>) {
    this.#form = form;
  }

  begin(table: number, writer: EntryWriter): void {
    this.#table = table;
    this.#writer = writer;
  }

  /** Of an entry, about. */
  get meanBytes(): number {
    return this.#meanBytes;
  }

  get changedBytes(): number {
    return this.#changed.length * this.#meanBytes;
  }

  /** A new one comes into the state. */
  add(item: T): void {
    item.changedIn = this.#interval;
    item.isGone = false;
    this.#keep(item);
  }

  /** One that is in state is about to change. */
  touch(item: T): void {
    if (item.changedIn !== this.#interval) this.#touchFirst(item);
  }

  /** It is no more in state, nor to be in a checkpoint. */
  remove(item: T): void {
    this.#writeSealed(item);
    item.isGone = true;
    if (item.isStored)
      this.#writer?.remove(this.#table, this.#form.group(item), this.#form.key(item));
  }

  /** One of a checkpoint. */
  restored(item: T): void {
    item.changedIn = 0;
    item.isStored = true;
    item.isGone = false;
  }

  /**
   * The text of one, which is written where a checkpoint is to have it: it may be kept as that text
   * alone, and come back as another object by `restored`. Throws where it has none: it stays.
   */
  rest(item: T): string {
    const form = this.#form;
    const text = form.text(item);
    if (item.changedIn === this.#interval) {
      const writer = present(this.#writer, 'a writer of the changes');
      writer.put(this.#table, form.group(item), form.key(item), form.time(item), text);
      item.changedIn = 0;
      item.isStored = true;
    }
    this.#meanBytes += (text.length - this.#meanBytes) / meanOver;
    return text;
  }

  seal(next: EntryWriter): SealedChanges {
    assert(this.#sealed === undefined, 'what the last barrier sealed is written');
    const sealed: Sealed<T> = {
      items: this.#changed,
      interval: this.#interval,
      deadThrough: this.#form.deadThrough(),
      writer: present(this.#writer, 'a writer of the changes'),
      at: 0,
    };
    this.#sealed = sealed;
    this.#changed = [];
    this.#compactAt = fewChanged;
    this.#writer = next;
    this.#interval++;
    return { write: (maxBytes) => this.#writeSome(sealed, maxBytes) };
  }

  #touchFirst(item: T): void {
    this.#writeSealed(item);
    item.changedIn = this.#interval;
    this.#keep(item);
  }

  #keep(item: T): void {
    if (this.#changed.push(item) < this.#compactAt) return;
    const form = this.#form;
    const deadThrough = form.deadThrough();
    this.#changed = this.#changed.filter(
      (kept) => !kept.isGone && kept.changedIn === this.#interval && form.time(kept) > deadThrough,
    );
    this.#compactAt = Math.max(fewChanged, this.#changed.length * 2);
  }

  #writeSome(sealed: Sealed<T>, maxBytes: number): boolean {
    const { items, writer } = sealed;
    const until = writer.bytes + maxBytes;
    const [before, from] = [writer.bytes, writer.entries];
    for (; sealed.at < items.length && writer.bytes < until; sealed.at++)
      this.#writeSealed(items[sealed.at] as T);
    if (writer.entries > from) this.#meanBytes = (writer.bytes - before) / (writer.entries - from);
    if (sealed.at < items.length) return false;
    this.#sealed = undefined;
    return true;
  }

  /** Writes an object that the last barrier sealed, where that was not done yet. */
  #writeSealed(item: T): void {
    const sealed = this.#sealed;
    if (sealed === undefined || item.changedIn !== sealed.interval || item.isGone) return;
    const form = this.#form;
    if (form.time(item) <= sealed.deadThrough) return;
    sealed.writer.put(
      this.#table,
      form.group(item),
      form.key(item),
      form.time(item),
      form.text(item),
    );
    item.changedIn = 0;
    item.isStored = true;
  }
}

interface Sealed<T> {
  readonly items: readonly T[];
  readonly interval: number;
  /** At the barrier. */
  readonly deadThrough: number;
  readonly writer: EntryWriter;
  /** Those before it are written. */
  at: number;
}
