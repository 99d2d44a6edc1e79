/**
 * Digests of keys that were seen, with their times, in files: what a deduplication remembers beyond
 * what it may keep in memory. In memory are some 6 bytes a key, which tell the file.
 *
 * Invariants:
 * 1. A file is written once, with digests that are in no other file with a later time, and dropped
 *    as soon as all of its times are over: one file with each `forget`.
 * 2. In a file digests are ordered by the highest bits of their first word: one range of them is
 *    read to find one.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { DigestFilter, filesMax } from './digest-filter.ts';
import type { Segments } from './segments.ts';
import { TimeHeap } from './time-heap.ts';

/** Of one file. */
export const fileMaxDigests = 32_768;
const rangeBits = 10;
const ranges = 1 << rangeBits;
/** 4 words of the digest, and a time. */
const digestWords = 4;
const timeAt = digestWords * 4;
const entryBytes = timeAt + 8;

/** Digests by place: word `w` of number `n` is at 4 * n + w. */
export interface DigestsToKeep {
  readonly digests: Uint32Array;
  readonly times: Float64Array;
  readonly count: number;
}

interface DigestFile {
  readonly segment: number;
  readonly count: number;
  readonly firstTime: number;
  readonly lastTime: number;
  /** Where each range begins; the last: where all end. */
  readonly begins: Uint16Array;
}

export class ColdDigests {
  readonly #segments: Segments;
  readonly #filter = new DigestFilter();
  readonly #files = new Map<number, DigestFile>();
  readonly #ends = new TimeHeap<number>();
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  #lastSegment = 0;
  #entries = 0;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  get records(): number {
    return this.#entries;
  }

  /** On disk and in memory. */
  get heldBytes(): number {
    const ofFiles = this.#files.size * ranges * 2;
    return this.#entries * entryBytes + this.#filter.heldBytes + ofFiles;
  }

  /** Whether one more file may be written. */
  get hasRoom(): boolean {
    return this.#freeNumbers.length > 0 || this.#numbers < filesMax;
  }

  /** How many are of a time after `deadThrough`. */
  liveAfter(deadThrough: number): number {
    let live = 0;
    for (const file of this.#files.values()) {
      if (file.firstTime > deadThrough) live += file.count;
      else if (file.lastTime > deadThrough)
        for (const time of this.#timesOf(file)) if (time > deadThrough) live++;
    }
    return live;
  }

  /** The earliest time after `deadThrough`; `Infinity` where there is none. */
  firstAfter(deadThrough: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (const file of this.#files.values()) {
      if (file.firstTime > deadThrough) first = Math.min(first, file.firstTime);
      else if (file.lastTime > deadThrough)
        for (const time of this.#timesOf(file))
          if (time > deadThrough && time < first) first = time;
    }
    return first;
  }

  /** Whether the digest is there, with a time after `deadThrough`. */
  has(digest: Uint32Array, deadThrough: number): boolean {
    const [first, second] = [digest[0] as number, digest[1] as number];
    return this.#filter.some(first, second, (number) => {
      const file = present(this.#files.get(number), 'the file of a digest');
      return file.lastTime > deadThrough && this.#isIn(file, digest, deadThrough);
    });
  }

  /** At least one, and at most `fileMaxDigests`. */
  add({ digests, times, count }: DigestsToKeep): void {
    const number = this.#freeNumbers.pop() ?? this.#numbers++;
    const begins = beginsOf(digests, count);
    const next = begins.slice(0, ranges);
    const bytes = Buffer.allocUnsafe(count * entryBytes);
    let [firstTime, lastTime] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let n = 0; n < count; n++) {
      const range = rangeOf(digests[digestWords * n] as number);
      const at = (next[range] as number) * entryBytes;
      (next[range] as number)++;
      for (let word = 0; word < digestWords; word++)
        bytes.writeUInt32LE(digests[digestWords * n + word] as number, at + 4 * word);
      const time = times[n] as number;
      bytes.writeDoubleLE(time, at + timeAt);
      firstTime = Math.min(firstTime, time);
      lastTime = Math.max(lastTime, time);
    }
    const segment = ++this.#lastSegment;
    this.#segments.begin(segment, bytes.length);
    this.#segments.write(segment, 0, bytes);
    for (let n = 0; n < count; n++)
      this.#filter.add(
        digests[digestWords * n] as number,
        digests[digestWords * n + 1] as number,
        number,
      );
    this.#files.set(number, { segment, count, firstTime, lastTime, begins });
    this.#ends.push(lastTime, '', number);
    this.#entries += count;
  }

  /** Drops a file whose times are over, where there is one. */
  forget(deadThrough: number): void {
    const number = this.#ends.popUntil(deadThrough)?.value;
    if (number === undefined) return;
    const file = present(this.#files.get(number), 'the file of a number');
    const bytes = this.#bytesOf(file);
    for (let at = 0; at < bytes.length; at += entryBytes)
      this.#filter.remove(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), number);
    this.#files.delete(number);
    this.#freeNumbers.push(number);
    this.#entries -= file.count;
    this.#segments.drop(file.segment);
  }

  clear(): void {
    for (const { segment } of this.#files.values()) this.#segments.drop(segment);
    this.#forgetAll();
  }

  /** Nothing is in it any more. */
  close(): void {
    this.#forgetAll();
    this.#segments.close();
  }

  #forgetAll(): void {
    this.#files.clear();
    this.#filter.clear();
    this.#ends.clear();
    this.#freeNumbers.length = 0;
    this.#numbers = 0;
    this.#entries = 0;
  }

  #isIn({ segment, begins }: DigestFile, digest: Uint32Array, deadThrough: number): boolean {
    const range = rangeOf(digest[0] as number);
    const from = begins[range] as number;
    const length = ((begins[range + 1] as number) - from) * entryBytes;
    if (length === 0) return false;
    const bytes = bufferOf(this.#segments.read(segment, from * entryBytes, length));
    for (let at = 0; at < length; at += entryBytes)
      if (isAt(bytes, at, digest) && bytes.readDoubleLE(at + timeAt) > deadThrough) return true;
    return false;
  }

  #bytesOf({ segment, count }: DigestFile): Buffer {
    return bufferOf(this.#segments.read(segment, 0, count * entryBytes));
  }

  *#timesOf(file: DigestFile): Generator<number> {
    const bytes = this.#bytesOf(file);
    for (let at = timeAt; at < bytes.length; at += entryBytes) yield bytes.readDoubleLE(at);
  }
}

function beginsOf(digests: Uint32Array, count: number): Uint16Array {
  const begins = new Uint16Array(ranges + 1);
  for (let n = 0; n < count; n++)
    (begins[rangeOf(digests[digestWords * n] as number) + 1] as number)++;
  for (let range = 0; range < ranges; range++)
    (begins[range + 1] as number) += begins[range] as number;
  return begins;
}

function rangeOf(first: number): number {
  return first >>> (32 - rangeBits);
}

function isAt(bytes: Buffer, at: number, digest: Uint32Array): boolean {
  for (let word = 0; word < digestWords; word++)
    if (bytes.readUInt32LE(at + 4 * word) !== digest[word]) return false;
  return true;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
