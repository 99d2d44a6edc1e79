/**
 * When each key was first seen, in a few bytes a key: its digest and its time.
 *
 * Invariants:
 * 1. A key whose time is not after `deadThrough` is not there, whether its place was cleared or
 *    not: an advance clears a bounded number of them.
 * 2. Keys wait for their end in buckets by time: one that comes or goes costs O(1), whatever the
 *    order. `size` and `next` are exact, and look through a bucket when they are asked.
 * 3. Beyond `memoryMaxKeys` keys go to files where there are some (cold-digests.ts), in the order of
 *    their times, once a checkpoint has been given them: those that come late stay in memory. So
 *    nothing in a file is written again.
 * 4. A checkpoint holds what was there at its barrier: no place is cleared while what was sealed is
 *    not written, and one that another key has taken since the barrier is not written for it.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import { times, wholes } from './chunked.ts';
import type { ColdDigests } from './cold-digests.ts';
import { fileMaxDigests } from './cold-digests.ts';
import { DigestIndex } from './digest-index.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from './entries.ts';
import { keyGroups } from './entries.ts';
import { groupOfKeyText } from './key-group.ts';
import { TimeHeap } from './time-heap.ts';

/** Into so many buckets the time that keys stay is divided. */
const bucketsPerStay = 256;
/** Places that an advance clears at most. */
const clearedMax = 8_192;
/** A file takes at least this part of the keys that may be in memory, or is full. */
const cooledPart = 1 / 64;
const digestBytes = 16;
/** A mark has the key group in its low bits, and the interval above them. */
const groupBits = Math.log2(keyGroups);
const intervals = 1 << (32 - groupBits);
/** How the table is called. */
export const firstSeenTable = 'firsts';
const nothing = new Uint8Array(0);

/** About what a key takes in memory. */
const keyBytes = 64;

/** Where keys go beyond what may stay in memory. */
export interface ColdKeys {
  readonly digests: ColdDigests;
  readonly memoryMaxBytes: number;
}

interface Bucket {
  /** The place of its last key plus one; 0: none. Each place has the one before. */
  last: number;
  count: number;
}

export class FirstSeen implements StateTable {
  readonly name = firstSeenTable;
  deadThrough = Number.NEGATIVE_INFINITY;
  readonly #bucketMs: number;
  // By place: 4 words of the digest, epoch ms, key group and the interval between barriers in which
  // it came, the place before in its bucket plus one.
  readonly #digests = wholes();
  readonly #times = times();
  readonly #marks = wholes();
  readonly #before = wholes();
  readonly #index = new DigestIndex(this.#digests);
  readonly #buckets = new Map<number, Bucket>();
  readonly #order = new TimeHeap<undefined>();
  /** Places, also those of keys that are dead. */
  #count = 0;
  /** The last of the places that are free plus one. */
  #free = 0;
  #table = 0;
  #writer: EntryWriter | undefined;
  /** Places of keys that came since the last barrier. */
  #changed = wholes();
  #isSealed = false;
  #interval = 0;
  readonly #bytes = Buffer.alloc(digestBytes);
  readonly #words = new Uint32Array(digestBytes / 4);
  readonly #cold: ColdDigests | undefined;
  readonly #memoryMaxKeys: number;
  /** The bucket from which keys went to a file last. */
  #lastCold = Number.NEGATIVE_INFINITY;

  /** `staysMs`: how long a key is remembered. */
  constructor(staysMs: number, cold?: ColdKeys) {
    this.#bucketMs = Math.ceil(staysMs / bucketsPerStay);
    this.#cold = cold?.digests;
    this.#memoryMaxKeys = (cold?.memoryMaxBytes ?? Number.POSITIVE_INFINITY) / keyBytes;
  }

  get size(): number {
    let dead = 0;
    for (const [number, bucket] of this.#buckets)
      if (this.#begins(number) <= this.deadThrough)
        for (const place of this.#placesOf(bucket)) if (this.#isDead(place)) dead++;
    return this.#count - dead + (this.#cold?.liveAfter(this.deadThrough) ?? 0);
  }

  /** Places that there are, for keys that are there, are dead, or may come. */
  get held(): number {
    return this.#times.length;
  }

  /** The earliest time of a key; undefined where there is none. */
  get next(): number | undefined {
    let [first, next] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const [number, bucket] of this.#buckets) {
      if (number > first) continue;
      for (const place of this.#placesOf(bucket)) {
        if (this.#isDead(place)) continue;
        first = number;
        next = Math.min(next, this.#times.get(place));
      }
    }
    next = Math.min(next, this.#cold?.firstAfter(this.deadThrough) ?? next);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  get changedBytes(): number {
    return this.#changed.length * entryBytes;
  }

  /**
   * Remembers a key, given by its text and the digest of it, that is not there; says whether it was
   * not. `time` is after `deadThrough`.
   */
  add(digest: Uint32Array, key: string, time: number): boolean {
    const found = this.#index.find(digest);
    if (found >= 0 && !this.#isDead(found)) return false;
    if (this.#cold?.has(digest, this.deadThrough) === true) return false;
    const place = this.#take(digest, this.#interval, groupOfKeyText(key), time);
    if (found >= 0) this.#index.replace(found, place);
    else this.#index.add(place);
    this.#changed.push(place);
    return true;
  }

  /** Keys of times not after `deadThrough` are forgotten. */
  forget(deadThrough: number): void {
    this.deadThrough = deadThrough;
    this.#cold?.forget(deadThrough);
    if (this.#isSealed) return;
    this.#cool();
    for (let left = clearedMax; left > 0; ) {
      const number = this.#order.next;
      if (number === undefined || this.#begins(number + 1) - 1 > deadThrough) return;
      const bucket = present(this.#buckets.get(number), 'the bucket of a number');
      left -= this.#clearSome(bucket, left);
      if (bucket.count > 0) return;
      this.#buckets.delete(number);
      this.#order.dropFirst();
    }
  }

  clear(): void {
    for (const array of [this.#digests, this.#times, this.#marks, this.#before]) array.clear();
    this.#index.clear();
    this.#cold?.clear();
    this.#buckets.clear();
    this.#order.clear();
    this.#changed.clear();
    this.#count = 0;
    this.#free = 0;
  }

  begin(number: number, writer: EntryWriter): void {
    this.#table = number;
    this.#writer = writer;
  }

  seal(next: EntryWriter): SealedChanges {
    assert(!this.#isSealed, 'what the last barrier sealed is written');
    const writer = present(this.#writer, 'a writer of the changes');
    const [places, through, interval] = [this.#changed, this.deadThrough, this.#interval];
    this.#interval = (interval + 1) % intervals;
    this.#isSealed = true;
    this.#changed = wholes();
    this.#writer = next;
    let at = 0;
    const write = (maxBytes: number): boolean => {
      for (const until = writer.bytes + maxBytes; at < places.length; at++) {
        if (writer.bytes >= until) return false;
        const place = places.get(at);
        const isOfThen = this.#marks.get(place) >>> groupBits === interval;
        if (isOfThen && this.#times.get(place) > through) this.#write(place, writer);
      }
      this.#isSealed = false;
      return true;
    };
    return { write };
  }

  restore({ group, key, time }: Entry): void {
    this.#bytes.set(key);
    for (let word = 0; word < 4; word++) this.#words[word] = this.#bytes.readUInt32LE(4 * word);
    const before = (this.#interval + intervals - 1) % intervals;
    this.#index.add(this.#take(this.#words, before, group, time));
    this.#cool();
  }

  /** Takes keys that a checkpoint has to a file, where too many are in memory. */
  #cool(): void {
    const cold = this.#cold;
    const isFull = this.#count > this.#memoryMaxKeys;
    if (cold === undefined || !isFull || !cold.hasRoom) return;
    // What changed since the barrier is not to be taken yet.
    const most = Math.min(this.#count - this.#changed.length, fileMaxDigests);
    const least = Math.min(fileMaxDigests, this.#memoryMaxKeys * cooledPart);
    if (most < least) return;
    const places = this.#takeOldest(most);
    if (places.length === 0) return;
    const digests = new Uint32Array(places.length * 4);
    const keptTimes = new Float64Array(places.length);
    for (let n = 0; n < places.length; n++) {
      const place = places[n] as number;
      for (let word = 0; word < 4; word++)
        digests[4 * n + word] = this.#digests.get(4 * place + word);
      keptTimes[n] = this.#times.get(place);
      this.#clear(place);
    }
    cold.add({ digests, times: keptTimes, count: places.length });
  }

  /**
   * Places of keys that a checkpoint has, which leave their buckets: those after the bucket that
   * was cooled last, and from the first on again. Dead ones are cleared.
   */
  #takeOldest(most: number): readonly number[] {
    const numbers = [...this.#buckets.keys()].sort((a, b) => a - b);
    const from = numbers.findIndex((number) => number > this.#lastCold);
    const taken: number[] = [];
    for (const number of from < 0 ? numbers : [...numbers.slice(from), ...numbers.slice(0, from)]) {
      if (taken.length === most) break;
      this.#takeFrom(present(this.#buckets.get(number), 'the bucket of a number'), most, taken);
      this.#lastCold = number;
    }
    return taken;
  }

  #takeFrom(bucket: Bucket, most: number, taken: number[]): void {
    let next = bucket.last;
    bucket.last = 0;
    while (next > 0) {
      const place = next - 1;
      next = this.#before.get(place);
      const isChanged = this.#marks.get(place) >>> groupBits === this.#interval;
      if (isChanged || (taken.length === most && !this.#isDead(place))) {
        this.#before.set(place, bucket.last);
        bucket.last = place + 1;
        continue;
      }
      bucket.count--;
      this.#count--;
      if (this.#isDead(place)) this.#clear(place);
      else taken.push(place);
    }
  }

  #write(place: number, writer: EntryWriter): void {
    for (let word = 0; word < 4; word++)
      this.#bytes.writeUInt32LE(this.#digests.get(4 * place + word), 4 * word);
    writer.put(
      this.#table,
      this.#marks.get(place) & (keyGroups - 1),
      this.#bytes,
      this.#times.get(place),
      nothing,
    );
  }

  #isDead(place: number): boolean {
    return this.#times.get(place) <= this.deadThrough;
  }

  #begins(bucket: number): number {
    return bucket * this.#bucketMs;
  }

  /** A place for a key, in the bucket of its time. */
  #take(digest: Uint32Array, interval: number, group: number, time: number): number {
    const number = Math.floor(time / this.#bucketMs);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = { last: 0, count: 0 };
      this.#buckets.set(number, bucket);
      this.#order.push(number, '', undefined);
    }
    const place = this.#place();
    for (let word = 0; word < 4; word++)
      this.#digests.set(4 * place + word, digest[word] as number);
    this.#times.set(place, time);
    this.#marks.set(place, ((interval << groupBits) | group) >>> 0);
    this.#before.set(place, bucket.last);
    bucket.last = place + 1;
    bucket.count++;
    this.#count++;
    return place;
  }

  #place(): number {
    if (this.#free > 0) {
      const place = this.#free - 1;
      this.#free = this.#before.get(place);
      return place;
    }
    const place = this.#times.length;
    for (let word = 0; word < 4; word++) this.#digests.push(0);
    this.#times.push(0);
    this.#marks.push(0);
    this.#before.push(0);
    return place;
  }

  /** Frees the places of at most `most` keys of a bucket; says how many. */
  #clearSome(bucket: Bucket, most: number): number {
    let cleared = 0;
    for (; cleared < most && bucket.last > 0; cleared++) {
      const place = bucket.last - 1;
      bucket.last = this.#before.get(place);
      this.#clear(place);
    }
    bucket.count -= cleared;
    this.#count -= cleared;
    return cleared;
  }

  /** Of a key that has left its bucket. */
  #clear(place: number): void {
    this.#index.remove(place);
    this.#before.set(place, this.#free);
    this.#free = place + 1;
  }

  *#placesOf(bucket: Bucket): Generator<number> {
    for (let last = bucket.last; last > 0; last = this.#before.get(last - 1)) yield last - 1;
  }
}

/** About what an entry takes: digest, time, group, table, lengths. */
const entryBytes = digestBytes + 13;
