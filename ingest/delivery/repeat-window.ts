/**
 * Outcomes of settled events by their identity, in counted bytes. No object and no string is kept
 * for an entry, so the garbage collector has nothing to walk over. An entry is appended to the
 * chunk of its share (a key's):
 *
 *   identity (16) | content (4 each) | kind (1) | not used (1) | bytes of the split (2) |
 *   settled at, ms (8) | bytes of the position (2) | split and position in UTF-8 |
 *   padding to a multiple of 8
 *
 * Invariants:
 * 1. The table, the chunks, and what a chunk and a share cost beside their bytes, are together at
 *    most `maxBytes`.
 * 2. Beyond that, the largest share drops its oldest chunk: a sender that floods evicts its own
 *    entries, and none of a smaller share. (With more than `looksMax` shares of about the largest
 *    size, it is the largest of those that were checked.)
 * 3. An entry is answered for `windowMs` and no longer. Chunks that are past it are freed as others
 *    are written, about one share looked at for an entry, so that no event waits for a sweep.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import type { Delivered } from './delivered.ts';
import type { Fingerprint } from './fingerprint.ts';
import { contentParts } from './fingerprint.ts';
import type { Entries } from './identity-table.ts';
import { IdentityTable } from './identity-table.ts';

/**
 * Identities are written into chunks, and released chunk by chunk. What a chunk and the share of a
 * sender cost beside their bytes is as `test/bench/repeats.ts` measures it.
 */
const repeatChunkMinBytes = 512;
export const repeatChunkMaxBytes = 64 * kibi;
const repeatChunkOverheadBytes = 640;
const repeatShareOverheadBytes = 256;
assert(repeatChunkMinBytes <= repeatChunkMaxBytes, 'chunks grow');

export type Settled = Exclude<Delivered, { kind: 'not-delivered' }>;

export interface Remembered {
  readonly content: readonly number[];
  readonly delivered: Settled;
}

export interface RepeatWindowOptions {
  readonly windowMs: number;
  readonly maxBytes: number;
  readonly now: () => number;
}

const identityWords = 4;
const contentAt = 4 * identityWords;
const kindAt = contentAt + 4 * contentParts.length;
const splitBytesAt = kindAt + 2;
const settledAt = splitBytesAt + 2;
const positionBytesAt = settledAt + 8;
const textAt = positionBytesAt + 2;
/** Entries begin at multiples of it; a reference counts in it. */
const grainBytes = 8;
const entryMinBytes = padded(textAt);
const grainsPerChunk = repeatChunkMaxBytes / grainBytes;
const chunksMax = Math.floor(2 ** 32 / grainsPerChunk) - 1;
/** UTF-8 of a character of a string at most. */
const charMaxBytes = 3;
/** A share has about so many chunks, which it gives up one by one. */
const chunksPerShare = 4;
const looksMax = 64;
const freedPerTaken = 4;
assert(settledAt % grainBytes === 0, 'an entry is read as words and as doubles');

const kinds = ['replicated', 'spooled', 'buffered'] as const;
const kindMask = 3;
const kafkaBit = 4;
const failoverBit = 8;

interface Chunk {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** Where it is among all; references to its entries begin with it. */
  readonly place: number;
  used: number;
  newestMs: number;
}

interface Share {
  readonly name: string;
  /** Oldest first. */
  readonly chunks: Chunk[];
  bytes: number;
  /** Where it is among those of about its size. */
  seat: number;
}

export class RepeatWindow {
  readonly #options: RepeatWindowOptions;
  readonly #table: IdentityTable;
  readonly #shares = new Map<string, Share>();
  /** Shares by the binary logarithm of their bytes. */
  readonly #bySize: Share[][] = Array.from({ length: 54 }, () => []);
  #looked = 0;
  /** By place; the first place is not used, so that no reference is 0. */
  readonly #chunks: (Chunk | undefined)[] = [undefined];
  readonly #freePlaces: number[] = [];
  #bytes: number;
  #evicted = 0;
  #sweep: Iterator<Share, undefined>;
  #swept: Share | undefined;

  constructor(options: RepeatWindowOptions) {
    this.#options = options;
    const entries: Entries = {
      wordOf: (reference) => this.#chunkOf(reference).words[offsetOf(reference) / 4] as number,
      holds: (reference, identity) =>
        isOf(this.#chunkOf(reference).words, offsetOf(reference) / 4, identity),
    };
    this.#table = new IdentityTable(options.maxBytes / entryMinBytes, entries);
    this.#bytes = this.#table.bytes;
    this.#sweep = this.#shares.values();
    assert(
      this.#bytes + 2 * costOf(repeatChunkMaxBytes) <= options.maxBytes,
      'the window has room for the largest chunk',
    );
  }

  get entries(): number {
    return this.#table.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that made room before their time was over. */
  get evicted(): number {
    return this.#evicted;
  }

  find({ identity }: Fingerprint): Remembered | undefined {
    const reference = this.#table.find(wordOf(identity, 0), identity);
    if (reference === 0) return undefined;
    const { bytes, words, doubles } = this.#chunkOf(reference);
    const at = offsetOf(reference);
    if (this.#isOver(doubles[(at + settledAt) / 8] as number)) return undefined;
    const first = (at + contentAt) / 4;
    return {
      content: [...words.subarray(first, first + contentParts.length)],
      delivered: outcomeAt(bytes, at),
    };
  }

  /** `share`: whose entries make room for it first. */
  remember(share: string, { identity, content }: Fingerprint, delivered: Settled): void {
    const { split, position } =
      delivered.kind === 'replicated' ? delivered : { split: '', position: '' };
    const nowMs = this.#options.now();
    const chunk = this.#roomFor(share, split, position);
    const { bytes, words, used: at } = chunk;
    for (let word = 0; word < identityWords; word++) words[at / 4 + word] = wordOf(identity, word);
    for (let part = 0; part < contentParts.length; part++)
      words[(at + contentAt) / 4 + part] = content[part] as number;
    const splitBytes = bytes.write(split, at + textAt);
    const positionBytes = bytes.write(position, at + textAt + splitBytes);
    bytes[at + kindAt] = flagsOf(delivered);
    bytes.writeUInt16LE(splitBytes, at + splitBytesAt);
    bytes.writeUInt16LE(positionBytes, at + positionBytesAt);
    chunk.doubles[(at + settledAt) / 8] = nowMs;
    chunk.used = at + padded(textAt + splitBytes + positionBytes);
    chunk.newestMs = nowMs;
    this.#table.put(wordOf(identity, 0), identity, chunk.place * grainsPerChunk + at / grainBytes);
  }

  #chunkOf(reference: number): Chunk {
    return this.#chunks[Math.floor(reference / grainsPerChunk)] as Chunk;
  }

  #isOver(settledMs: number, nowMs = this.#options.now()): boolean {
    return nowMs - settledMs > this.#options.windowMs;
  }

  /** The chunk that the share's next entry goes into. */
  #roomFor(name: string, split: string, position: string): Chunk {
    const last = this.#shares.get(name)?.chunks.at(-1);
    if (last !== undefined) {
      const room = last.bytes.length - last.used;
      if (textAt + charMaxBytes * (split.length + position.length) <= room) return last;
      if (textAt + Buffer.byteLength(split) + Buffer.byteLength(position) <= room) return last;
    }
    const size = padded(textAt + Buffer.byteLength(split) + Buffer.byteLength(position));
    assert(size <= repeatChunkMaxBytes, 'a position fits a chunk');
    return this.#grow(name, size);
  }

  /** A share's chunks grow with it: one of few entries costs little. */
  #grow(name: string, size: number): Chunk {
    const part = Math.ceil((this.#shares.get(name)?.bytes ?? 0) / chunksPerShare);
    const wanted = padded(Math.max(size, repeatChunkMinBytes, Math.min(repeatChunkMaxBytes, part)));
    this.#freeSome(wanted);
    const needed = costOf(wanted) + repeatShareOverheadBytes;
    while (
      this.#bytes + needed > this.#options.maxBytes ||
      this.#chunks.length - this.#freePlaces.length > chunksMax
    ) {
      this.#drop(this.#largest());
    }
    const place = this.#freePlaces.pop() ?? this.#chunks.length;
    const bytes = Buffer.allocUnsafeSlow(wanted);
    const { buffer } = bytes;
    const chunk: Chunk = {
      bytes,
      words: new Int32Array(buffer),
      doubles: new Float64Array(buffer),
      place,
      used: 0,
      newestMs: 0,
    };
    this.#chunks[place] = chunk;
    // It may have given up all that it had.
    const share = this.#shares.get(name) ?? { name, chunks: [], bytes: 0, seat: 0 };
    share.chunks.push(chunk);
    this.#resize(share, costOf(wanted));
    return chunk;
  }

  /**
   * Of equals the one with the oldest entries. Looks continue where they stopped the last time:
   * each share gets its turn.
   */
  #largest(): Share {
    const shares = this.#bySize.findLast(({ length }) => length > 0) ?? [];
    let largest: Share | undefined;
    for (let looks = Math.min(looksMax, shares.length); looks > 0; looks--) {
      const share = shares[this.#looked++ % shares.length] as Share;
      if (
        largest === undefined ||
        share.bytes > largest.bytes ||
        (share.bytes === largest.bytes && isOlder(share, largest))
      )
        largest = share;
    }
    assert(largest !== undefined, 'what is over the bound is of a share');
    return largest;
  }

  /** Releases the oldest chunk of a share. */
  #drop(share: Share): void {
    const { bytes, doubles, place, used } = share.chunks.shift() as Chunk;
    const nowMs = this.#options.now();
    for (let at = 0; at < used; at += sizeAt(bytes, at)) {
      const isKnown = this.#table.delete(place * grainsPerChunk + at / grainBytes);
      if (isKnown && !this.#isOver(doubles[(at + settledAt) / 8] as number, nowMs)) this.#evicted++;
    }
    this.#chunks[place] = undefined;
    this.#freePlaces.push(place);
    this.#resize(share, -costOf(bytes.length));
  }

  #resize(share: Share, byBytes: number): void {
    if (share.bytes === 0) {
      this.#shares.set(share.name, share);
      this.#bytes += repeatShareOverheadBytes;
    } else this.#leaveSeat(share);
    share.bytes += byBytes;
    this.#bytes += byBytes;
    if (share.bytes === 0) {
      this.#shares.delete(share.name);
      this.#bytes -= repeatShareOverheadBytes;
    } else share.seat = (this.#bySize[sizeClass(share.bytes)] as Share[]).push(share) - 1;
  }

  /** The last of its size takes its seat. */
  #leaveSeat(share: Share): void {
    const shares = this.#bySize[sizeClass(share.bytes)] as Share[];
    const last = shares.pop();
    if (last === undefined || last === share) return;
    shares[share.seat] = last;
    last.seat = share.seat;
  }

  /**
   * Goes on where it stopped the last time, for a few times as many bytes as are about to be taken.
   */
  #freeSome(bytes: number): void {
    const nowMs = this.#options.now();
    let freed = 0;
    for (let looks = bytes / entryMinBytes; looks > 0 && freed < freedPerTaken * bytes; looks--) {
      const oldest = this.#swept?.chunks[0];
      if (
        this.#swept !== undefined &&
        oldest !== undefined &&
        this.#isOver(oldest.newestMs, nowMs)
      ) {
        freed += oldest.bytes.length;
        this.#drop(this.#swept);
        continue;
      }
      const { value, done } = this.#sweep.next();
      this.#swept = value;
      if (done === true) this.#sweep = this.#shares.values();
    }
  }
}

/** What a chunk takes of the memory. */
function costOf(bytes: number): number {
  return bytes + repeatChunkOverheadBytes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / grainBytes) * grainBytes;
}

function offsetOf(reference: number): number {
  return (reference % grainsPerChunk) * grainBytes;
}

function isOlder(one: Share, other: Share): boolean {
  return (one.chunks[0]?.newestMs ?? 0) < (other.chunks[0]?.newestMs ?? 0);
}

function sizeClass(bytes: number): number {
  return Math.floor(Math.log2(bytes));
}

function sizeAt(bytes: Buffer, at: number): number {
  return padded(
    textAt + bytes.readUInt16LE(at + splitBytesAt) + bytes.readUInt16LE(at + positionBytesAt),
  );
}

/** 32 bits of an identity, as they are read of an entry. */
function wordOf(identity: string, word: number): number {
  const at = 4 * word;
  return (
    identity.charCodeAt(at) |
    (identity.charCodeAt(at + 1) << 8) |
    (identity.charCodeAt(at + 2) << 16) |
    (identity.charCodeAt(at + 3) << 24)
  );
}

function isOf(words: Int32Array, at: number, identity: string): boolean {
  for (let word = 0; word < identityWords; word++)
    if (words[at + word] !== wordOf(identity, word)) return false;
  return true;
}

function flagsOf(delivered: Settled): number {
  const failover = delivered.kind === 'replicated' && delivered.failover ? failoverBit : 0;
  return kinds.indexOf(delivered.kind) | (delivered.route === 'kafka' ? kafkaBit : 0) | failover;
}

function outcomeAt(bytes: Buffer, at: number): Settled {
  const flags = bytes[at + kindAt] as number;
  const kind = kinds[flags & kindMask] as Settled['kind'];
  const route = (flags & kafkaBit) === 0 ? 'kinesis' : 'kafka';
  if (kind !== 'replicated') return { kind, route };
  const from = at + textAt;
  const between = from + bytes.readUInt16LE(at + splitBytesAt);
  const split = bytes.toString('utf8', from, between);
  const position = bytes.toString(
    'utf8',
    between,
    between + bytes.readUInt16LE(at + positionBytesAt),
  );
  return { kind, route, split, position, failover: (flags & failoverBit) !== 0 };
}
