/**
 * Keys of an operator that are not in use: records of bytes in place of objects, found by the
 * digest of the key, with the times at which something of them is due.
 *
 * Invariants:
 * 1. A key may have several records. They are taken together.
 * 2. Beside its record, one takes about 60 bytes, in typed arrays: nothing for the garbage
 *    collector to walk.
 * 3. Nothing is made, and no store is asked for, before the first key rests.
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { wholes } from './chunked.ts';
import type { KeyDigest } from './digest.ts';
import { keyDigest, newDigestSecret } from './digest.ts';
import { DigestIndex } from './digest-index.ts';
import { mostBytesOf, textOf, writeText } from './entry-text.ts';
import { PlaceHeap } from './place-heap.ts';
import type { RecordStore } from './records.ts';

const lengthBytes = 4;
const none: readonly string[] = [];

export interface RestingKeysOptions {
  readonly store: () => RecordStore;
  /** Of the digests' secret. */
  readonly random: Random;
  /** How many times of a record are known. */
  readonly timers: number;
}

export class RestingKeys {
  readonly #options: RestingKeysOptions;
  readonly #timers: readonly PlaceHeap[];
  // By place: 4 words of the key's digest, the handle of its record, the next of its key plus one.
  // Of a free place: the handle 0, the next free one plus one.
  readonly #digests = wholes();
  readonly #handles = wholes();
  readonly #next = wholes();
  readonly #words = new Uint32Array(4);
  #index = new DigestIndex(this.#digests);
  #store: RecordStore | undefined;
  #digest: KeyDigest | undefined;
  #buffer = Buffer.alloc(0);
  #free = 0;
  #size = 0;

  constructor(options: RestingKeysOptions) {
    this.#options = options;
    this.#timers = Array.from({ length: options.timers }, () => new PlaceHeap());
  }

  /** Records. */
  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return this.#size > 0 && this.#find(key) >= 0;
  }

  /** `times`: when something of it is due, by timer; infinite: never. */
  add(key: string, value: string, times: readonly number[]): void {
    const first = this.#find(key);
    this.#store ??= this.#options.store();
    const handle = this.#store.add(this.#encoded(key, value));
    const place = this.#place();
    for (let word = 0; word < 4; word++)
      this.#digests.set(4 * place + word, this.#words[word] as number);
    this.#handles.set(place, handle);
    this.#next.set(place, first + 1);
    if (first < 0) this.#index.add(place);
    else this.#index.replace(first, place);
    for (const [timer, time] of times.entries())
      if (time < Number.POSITIVE_INFINITY) this.#timers[timer]?.add(place, time);
    this.#size++;
  }

  /** Takes out all records of a key, the last one first. */
  take(key: string): readonly string[] {
    if (this.#size === 0) return none;
    const first = this.#find(key);
    if (first < 0) return none;
    const values: string[] = [];
    this.#index.remove(first);
    for (let at = first + 1; at > 0; ) {
      const place = at - 1;
      at = this.#next.get(place);
      const handle = this.#handles.get(place);
      const [, value] = this.#read(handle);
      values.push(textOf(value));
      this.#stored.free(handle);
      for (const timer of this.#timers) timer.remove(place);
      this.#handles.set(place, 0);
      this.#next.set(place, this.#free);
      this.#free = place + 1;
      this.#size--;
    }
    return values;
  }

  /** When the first record is due, by a timer. */
  next(timer: number): number | undefined {
    return this.#timers[timer]?.next;
  }

  /** A key whose record is due first. */
  firstKey(timer: number): string | undefined {
    const place = this.#timers[timer]?.first;
    return place === undefined ? undefined : this.#keyOf(place);
  }

  /** The keys of the records that are due first. */
  firstKeys(timer: number): readonly string[] {
    const keys = new Set<string>();
    this.#timers[timer]?.visitFirst((place) => keys.add(this.#keyOf(place)));
    return [...keys];
  }

  clear(): void {
    for (let place = 0; place < this.#handles.length; place++) {
      const handle = this.#handles.get(place);
      if (handle > 0) this.#stored.free(handle);
    }
    for (const column of [this.#digests, this.#handles, this.#next]) column.clear();
    for (const timer of this.#timers) timer.clear();
    this.#index = new DigestIndex(this.#digests);
    this.#free = 0;
    this.#size = 0;
  }

  get #stored(): RecordStore {
    return present(this.#store, 'the store of a record');
  }

  #keyOf(place: number): string {
    return textOf(this.#read(this.#handles.get(place))[0]);
  }

  /** The place of its first record, or -1; its digest is in `#words` then. */
  #find(key: string): number {
    this.#digest ??= keyDigest(newDigestSecret(this.#options.random));
    this.#digest(key, this.#words);
    return this.#index.find(this.#words);
  }

  #place(): number {
    if (this.#free > 0) {
      const place = this.#free - 1;
      this.#free = this.#next.get(place);
      return place;
    }
    const place = this.#handles.length;
    for (let word = 0; word < 4; word++) this.#digests.push(0);
    this.#handles.push(0);
    this.#next.push(0);
    return place;
  }

  /** The length of the key, the key, the value. */
  #encoded(key: string, value: string): Uint8Array {
    const most = lengthBytes + mostBytesOf(key) + mostBytesOf(value);
    if (this.#buffer.length < most) this.#buffer = Buffer.allocUnsafeSlow(2 * most);
    const keyLength = writeText(this.#buffer, lengthBytes, key);
    this.#buffer.writeUInt32LE(keyLength);
    const valueAt = lengthBytes + keyLength;
    return this.#buffer.subarray(0, valueAt + writeText(this.#buffer, valueAt, value));
  }

  #read(handle: number): readonly [key: Uint8Array, value: Uint8Array] {
    const record = this.#stored.read(handle);
    const view = new DataView(record.buffer, record.byteOffset, lengthBytes);
    const valueAt = lengthBytes + view.getUint32(0, true);
    return [record.subarray(lengthBytes, valueAt), record.subarray(valueAt)];
  }
}
