/**
 * Reads a run's file, entry after entry. file-format.ts has the format.
 *
 * Invariants:
 * 1. Bytes that are not those that the file's name was made of are refused before any is read.
 * 2. Sections that nobody wants are passed over without a look at their entries.
 */
import { createHash } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { assert } from '../../../schemas/kernel/assert.ts';
import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { EntryPlace } from './file-format.ts';
import {
  bodyBytesAt,
  claimedHash,
  deflatedFlag,
  fileHeadBytes,
  flagsAt,
  formatVersion,
  magic,
  sectionBytesAt,
  sectionGroupAt,
  sectionHeadBytes,
  versionAt,
} from './file-format.ts';

/** The body of the file `name`. Throws `SluiceError` `checkpoint-corrupt` naming it. */
export function openFile(name: string, bytes: Uint8Array): Buffer {
  const file = bufferOf(bytes);
  if (createHash('sha256').update(file).digest('hex') !== claimedHash(name))
    throw new SluiceError('checkpoint-corrupt', `${name} is damaged: its SHA-256 is another one`, {
      fix: 'restore it from a copy, or start from an empty state with `sluice reset`',
    });
  if (!file.subarray(0, magic.length).equals(magic) || file[versionAt] !== formatVersion)
    throw new SluiceError(
      'checkpoint-corrupt',
      `${name} is not a state file of format ${formatVersion}`,
      {
        fix: 'another version of Sluice wrote it: run that one, or start from an empty state with `sluice reset`',
      },
    );
  const kept = file.subarray(fileHeadBytes);
  if (((file[flagsAt] as number) & deflatedFlag) === 0) return kept;
  return inflateRawSync(kept, { maxOutputLength: file.readUInt32BE(bodyBytesAt) });
}

/** Whether anybody wants what a section has. */
export type Wants = (table: number, group: number) => boolean;

/** Its fields are those of the entry where it stands, once `next` was called. */
export class FileCursor implements EntryPlace {
  table = 0;
  group = 0;
  time = 0;
  keyAt = 0;
  keyLength = 0;
  valueAt = 0;
  valueLength = 0;
  isRemoved = false;
  readonly body: Buffer;
  readonly #wants: Wants;
  #at = 0;
  #sectionEnd = 0;

  constructor(body: Buffer, wants: Wants) {
    this.body = body;
    this.#wants = wants;
  }

  /** Goes to the next entry; false when there is none. */
  next(): boolean {
    if (this.#at === this.#sectionEnd && !this.#nextSection()) return false;
    const keyHead = this.#varint();
    this.keyLength = Math.floor(keyHead / 2);
    this.isRemoved = keyHead % 2 === 1;
    if (this.isRemoved) {
      this.valueLength = 0;
    } else {
      this.valueLength = this.#varint();
      this.time = this.body.readDoubleBE(this.#at);
      this.#at += 8;
    }
    this.keyAt = this.#at;
    this.valueAt = this.#at + this.keyLength;
    this.#at = this.valueAt + this.valueLength;
    assert(this.#at <= this.#sectionEnd, 'an entry is within its section');
    return true;
  }

  #nextSection(): boolean {
    const { body } = this;
    for (let at = this.#sectionEnd; at < body.length; at = this.#sectionEnd) {
      this.table = body.readUInt32BE(at);
      this.group = body.readUInt16BE(at + sectionGroupAt);
      this.#at = at + sectionHeadBytes;
      this.#sectionEnd = this.#at + body.readUInt32BE(at + sectionBytesAt);
      if (this.#wants(this.table, this.group)) return true;
    }
    this.#at = this.#sectionEnd;
    return false;
  }

  #varint(): number {
    const { body } = this;
    let byte = body[this.#at++] as number;
    if (byte < 128) return byte;
    let value = byte - 128;
    let unit = 128;
    do {
      byte = body[this.#at++] as number;
      value += (byte % 128) * unit;
      unit *= 128;
    } while (byte >= 128);
    return value;
  }
}
