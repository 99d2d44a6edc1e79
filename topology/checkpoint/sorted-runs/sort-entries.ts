/**
 * Entries of chunks in the order of a run: by table, key group and bytes of the key; of entries
 * with one key the last one only. Pure.
 *
 * No comparator: a few bytes of the key and the place make one number, and numbers are sorted in
 * native code. Keys whose bytes are equal so far are sorted again by the bytes that follow what
 * they have in common.
 *
 * Invariants:
 * 1. A key comes right before the longer ones that begin with it, as `Buffer.compare` has it.
 * 2. The time is that of a sort of numbers, however much keys have in common.
 */
import type { EntryChunk } from './entry-chunks.ts';
import {
  entryHeadBytes,
  groupAt,
  keyLengthAt,
  removedLength,
  timeAt,
  valueLengthAt,
} from './entry-chunks.ts';
import type { EntryPlace } from './file-format.ts';

/** A byte of a key, or its end. */
const symbols = 257;
/** Key groups are u16. */
const groupPlaces = 65_536;
/** Fewer are put into their places one by one. */
const fewEntries = 12;

/** The entries of chunks in the order of a run; its fields are those of the one where it stands. */
export class SortedEntries implements EntryPlace {
  table = 0;
  group = 0;
  time = 0;
  body: Uint8Array = none;
  keyAt = 0;
  keyLength = 0;
  valueAt = 0;
  valueLength = 0;
  isRemoved = false;
  readonly #entries: Entries;
  readonly #buckets: Iterator<Bucket, undefined>;
  #members: Uint32Array = new Uint32Array();
  #next = 0;

  constructor(chunks: readonly EntryChunk[]) {
    this.#entries = new Entries(chunks);
    this.#buckets = this.#entries.buckets().values();
  }

  /** Goes to the next entry; false when there is none. */
  next(): boolean {
    while (this.#next === this.#members.length) {
      const { value: bucket } = this.#buckets.next();
      if (bucket === undefined) return false;
      sortByKey(this.#entries, bucket.members, 0);
      this.table = bucket.table;
      this.group = bucket.group;
      this.#members = bucket.members;
      this.#next = 0;
    }
    let entry = this.#members[this.#next++] as number;
    for (; this.#next < this.#members.length; this.#next++) {
      const after = this.#members[this.#next] as number;
      if (this.#entries.compare(entry, after, 0) !== 0) break;
      entry = after;
    }
    this.#entries.read(entry, this);
    return true;
  }
}

const none = new Uint8Array();

interface Bucket {
  readonly table: number;
  readonly group: number;
  /** In the order of the changes. */
  readonly members: Uint32Array;
}

/** Entries by number, in the order of the changes. */
class Entries {
  readonly #bytes: readonly Uint8Array[];
  readonly #views: readonly DataView[];
  readonly #chunkOf: Uint32Array;
  readonly #offsetOf: Uint32Array;
  readonly #count: number;

  constructor(chunks: readonly EntryChunk[]) {
    this.#bytes = chunks.map(({ bytes }) => bytes);
    this.#views = this.#bytes.map(
      ({ buffer, byteOffset, byteLength }) => new DataView(buffer, byteOffset, byteLength),
    );
    this.#count = chunks.reduce((sum, { entries }) => sum + entries, 0);
    this.#chunkOf = new Uint32Array(this.#count);
    this.#offsetOf = new Uint32Array(this.#count);
    let number = 0;
    for (const [chunk, view] of this.#views.entries()) {
      for (let at = 0; at < view.byteLength; number++) {
        this.#chunkOf[number] = chunk;
        this.#offsetOf[number] = at;
        at += lengthAt(view, at);
      }
    }
  }

  /** By table and key group, in order. */
  buckets(): readonly Bucket[] {
    const sizes = new Map<number, number>();
    for (let n = 0; n < this.#count; n++) {
      const place = this.#placeOf(n);
      sizes.set(place, (sizes.get(place) ?? 0) + 1);
    }
    const filled = new Map<number, { readonly members: Uint32Array; next: number }>();
    for (const [place, size] of sizes)
      filled.set(place, { members: new Uint32Array(size), next: 0 });
    for (let n = 0; n < this.#count; n++) {
      const bucket = filled.get(this.#placeOf(n));
      if (bucket !== undefined) bucket.members[bucket.next++] = n;
    }
    return [...filled]
      .sort(([one], [other]) => one - other)
      .map(([place, { members }]) => ({
        table: Math.floor(place / groupPlaces),
        group: place % groupPlaces,
        members,
      }));
  }

  keyLength(entry: number): number {
    return this.#view(entry).getUint32((this.#offsetOf[entry] as number) + keyLengthAt);
  }

  /** The key's bytes at `depth` and after as one number, its end as less than any byte. */
  prefix(entry: number, depth: number, count: number): number {
    const bytes = this.#bytes[this.#chunkOf[entry] as number] as Uint8Array;
    const keyAt = (this.#offsetOf[entry] as number) + entryHeadBytes;
    const left = this.keyLength(entry) - depth;
    let prefix = 0;
    for (let n = 0; n < count; n++)
      prefix = prefix * symbols + (n < left ? (bytes[keyAt + depth + n] as number) + 1 : 0);
    return prefix;
  }

  /** Up to where, from `depth` and at most to `to`, two keys are the same. */
  common(one: number, other: number, depth: number, to: number): number {
    const a = this.#bytes[this.#chunkOf[one] as number] as Uint8Array;
    const b = this.#bytes[this.#chunkOf[other] as number] as Uint8Array;
    const aAt = (this.#offsetOf[one] as number) + entryHeadBytes;
    const bAt = (this.#offsetOf[other] as number) + entryHeadBytes;
    const end = Math.min(to, this.keyLength(one), this.keyLength(other));
    let at = depth;
    while (at < end && a[aAt + at] === b[bAt + at]) at++;
    return at;
  }

  /** Of keys that are the same up to `depth`. */
  compare(one: number, other: number, depth: number): number {
    const at = this.common(one, other, depth, Number.POSITIVE_INFINITY);
    return this.prefix(one, at, 1) - this.prefix(other, at, 1);
  }

  read(entry: number, into: SortedEntries): void {
    const view = this.#view(entry);
    const at = this.#offsetOf[entry] as number;
    const valueLength = view.getUint32(at + valueLengthAt);
    into.body = this.#bytes[this.#chunkOf[entry] as number] as Uint8Array;
    into.keyAt = at + entryHeadBytes;
    into.keyLength = view.getUint32(at + keyLengthAt);
    into.valueAt = into.keyAt + into.keyLength;
    into.isRemoved = valueLength === removedLength;
    into.valueLength = into.isRemoved ? 0 : valueLength;
    into.time = view.getFloat64(at + timeAt);
  }

  #placeOf(entry: number): number {
    const view = this.#view(entry);
    const at = this.#offsetOf[entry] as number;
    return view.getUint32(at) * groupPlaces + view.getUint16(at + groupAt);
  }

  #view(entry: number): DataView {
    return this.#views[this.#chunkOf[entry] as number] as DataView;
  }
}

/** Bytes of the entry at `at`. */
function lengthAt(view: DataView, at: number): number {
  const valueLength = view.getUint32(at + valueLengthAt);
  return (
    entryHeadBytes +
    view.getUint32(at + keyLengthAt) +
    (valueLength === removedLength ? 0 : valueLength)
  );
}

/** Sorts entries whose keys are the same up to `depth`; equal ones stay in their order. */
function sortByKey(entries: Entries, members: Uint32Array, depth: number): void {
  const { length } = members;
  if (length <= fewEntries) {
    insertInOrder(entries, members, depth);
    return;
  }
  const first = members[0] as number;
  let common = entries.keyLength(first);
  for (const member of members) common = entries.common(first, member, depth, common);
  // As many bytes of the key as a double holds before the place.
  const count = Math.floor(Math.log(Number.MAX_SAFE_INTEGER / length) / Math.log(symbols));
  const numbers = new Float64Array(length);
  for (let n = 0; n < length; n++)
    numbers[n] = entries.prefix(members[n] as number, common, count) * length + n;
  numbers.sort();
  const before = members.slice();
  let from = 0;
  let prefix = -1;
  const settle = (to: number): void => {
    // One that ends in an end is of equal keys.
    if (to - from > 1 && prefix % symbols !== 0)
      sortByKey(entries, members.subarray(from, to), common + count);
  };
  for (let n = 0; n < length; n++) {
    const number = numbers[n] as number;
    const place = number % length;
    members[n] = before[place] as number;
    const own = (number - place) / length;
    if (own === prefix) continue;
    settle(n);
    from = n;
    prefix = own;
  }
  settle(length);
}

function insertInOrder(entries: Entries, members: Uint32Array, depth: number): void {
  for (let n = 1; n < members.length; n++) {
    const member = members[n] as number;
    let at = n;
    while (at > 0 && entries.compare(members[at - 1] as number, member, depth) > 0) {
      members[at] = members[at - 1] as number;
      at--;
    }
    members[at] = member;
  }
}
