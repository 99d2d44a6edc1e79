/**
 * Entries in the order in which they changed, encoded in chunks that another thread can take over.
 *
 * In a chunk an entry is: table u32, group u16, bytes of the key u32, bytes of the value u32 (all
 * ones: removed), time f64, key, value. Numbers are big-endian.
 *
 * Invariants:
 * 1. A chunk has whole entries and is the only one in its memory.
 * 2. A chunk has more than `chunkBytes` only when one of its entries may.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Entry, EntryWriter } from '../../state/entries.ts';
import { keyGroups } from '../../state/entries.ts';
import { mostBytesOf, writeText } from '../../state/entry-text.ts';

export interface EntryChunk {
  /** All of its memory, to be handed over. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly entries: number;
}

export const chunkBytes = 256 * 1_024;
/** The memory of a thread that sorts and merges is planned with it. */
export const entryMaxBytes = 256 * 1_024 * 1_024;

export const groupAt = 4;
export const keyLengthAt = 6;
export const valueLengthAt = 10;
export const timeAt = 14;
export const entryHeadBytes = 22;
export const removedLength = 0xffff_ffff;

export class ChunkWriter implements EntryWriter {
  readonly #full: EntryChunk[] = [];
  #buffer = Buffer.alloc(0);
  #view = viewOf(this.#buffer);
  /** Where the next entry of the open chunk begins, and how many it has. */
  #at = 0;
  #open = 0;
  #fullBytes = 0;
  #fullEntries = 0;

  get bytes(): number {
    return this.#fullBytes + this.#at;
  }

  get entries(): number {
    return this.#fullEntries + this.#open;
  }

  put(
    table: number,
    group: number,
    key: string | Uint8Array,
    time: number,
    value: string | Uint8Array,
  ): void {
    assert(time > Number.NEGATIVE_INFINITY, 'the time of an entry is one, or never');
    this.#reserve(table, entryHeadBytes + mostOf(key) + mostOf(value));
    const keyAt = this.#at + entryHeadBytes;
    const keyLength = writePart(this.#buffer, keyAt, key);
    const valueLength = writePart(this.#buffer, keyAt + keyLength, value);
    this.#close(table, group, keyLength, valueLength, time);
    this.#at = keyAt + keyLength + valueLength;
  }

  remove(table: number, group: number, key: string | Uint8Array): void {
    this.#reserve(table, entryHeadBytes + mostOf(key));
    const keyAt = this.#at + entryHeadBytes;
    const keyLength = writePart(this.#buffer, keyAt, key);
    this.#close(table, group, keyLength, removedLength, 0);
    this.#at = keyAt + keyLength;
  }

  /** What was written since the last call; the writer continues with chunks of its own. */
  take(): readonly EntryChunk[] {
    this.#finish();
    return this.#full.splice(0);
  }

  #close(table: number, group: number, keyLength: number, valueLength: number, time: number): void {
    assert(group >= 0 && group < keyGroups, 'the key group of an entry is one of the topology');
    const view = this.#view;
    const at = this.#at;
    view.setUint32(at, table);
    view.setUint16(at + groupAt, group);
    view.setUint32(at + keyLengthAt, keyLength);
    view.setUint32(at + valueLengthAt, valueLength);
    view.setFloat64(at + timeAt, time);
    this.#open++;
  }

  /** Makes room for an entry of at most `bytes`. */
  #reserve(table: number, bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    if (bytes > entryMaxBytes)
      throw new SluiceError(
        'state-unwritable',
        `an entry of state table ${table} takes up to ${bytes} bytes, at most ${entryMaxBytes} can be written`,
        { fix: 'keep less state under one key' },
      );
    this.#finish();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, chunkBytes));
    this.#view = viewOf(this.#buffer);
  }

  #finish(): void {
    if (this.#open > 0) {
      const used = this.#buffer.subarray(0, this.#at);
      const isNearlyAll = this.#at * 2 > this.#buffer.length;
      this.#full.push({
        // The memory goes along: of a large one that is nearly empty only what is used does.
        bytes: isNearlyAll ? ownBytes(used) : Uint8Array.from(used),
        entries: this.#open,
      });
    }
    this.#fullBytes += this.#at;
    this.#fullEntries += this.#open;
    this.#at = 0;
    this.#open = 0;
    this.#buffer = Buffer.alloc(0);
    this.#view = viewOf(this.#buffer);
  }
}

/** The entries of a chunk, as views of its memory. */
export function* readChunk({ bytes }: EntryChunk): Generator<Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const keyAt = at + entryHeadBytes;
    const valueAt = keyAt + view.getUint32(at + keyLengthAt);
    const valueLength = view.getUint32(at + valueLengthAt);
    const isRemoved = valueLength === removedLength;
    const end = isRemoved ? valueAt : valueAt + valueLength;
    yield {
      table: view.getUint32(at),
      group: view.getUint16(at + groupAt),
      time: view.getFloat64(at + timeAt),
      key: bytes.subarray(keyAt, valueAt),
      value: isRemoved ? undefined : bytes.subarray(valueAt, end),
    };
    at = end;
  }
}

function mostOf(part: string | Uint8Array): number {
  return typeof part === 'string' ? mostBytesOf(part) : part.length;
}

function writePart(target: Buffer, at: number, part: string | Uint8Array): number {
  if (typeof part === 'string') return writeText(target, at, part);
  target.set(part, at);
  return part.length;
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function ownBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
