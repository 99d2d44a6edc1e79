/**
 * Reads a run's file, entry after entry. file-format.ts has the format.
 *
 * Invariants:
 * 1. Bytes that are not those that the file's name was made of are refused before any is read.
 * 2. Sections that nobody wants are passed over without a look at their entries.
 * 3. Bytes that the format does not allow are refused with the name of the file, whoever made them,
 *    before memory is taken for what they claim; the order of keys in a section is not looked at.
 */
import { createHash, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import type { ZlibOptions } from 'node:zlib';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { keyGroups } from '../../state/entries.ts';
import { entryMaxBytes } from './entry-chunks.ts';
import type { EntryPlace } from './file-format.ts';
import {
  bodyBytesAt,
  claimedHash,
  deflatedFlag,
  entryHeadMaxBytes,
  fileHeadBytes,
  fileMaxBytes,
  flagsAt,
  formatVersion,
  magic,
  sectionBytesAt,
  sectionEntriesAt,
  sectionGroupAt,
  sectionHeadBytes,
  sectionsAt,
  versionAt,
} from './file-format.ts';

/** One entry of the largest size, in a section. */
const bodyMaxBytes = sectionHeadBytes + entryHeadMaxBytes + entryMaxBytes;
const timeBytes = 8;
/** Below it, another thread costs more than it saves. */
const asideMinBytes = 65_536;
/** What one byte of DEFLATE may say at most (zlib's technical details, "Maximum Compression Factor"). */
const inflatedMaxFactor = 1_032;
/** Left over, it says that all came; and zlib takes no smaller piece. */
const spareBytes = 64;

const inflateAside = promisify(inflateRaw);

/** A file after its head was read. */
export interface OpenFile {
  readonly name: string;
  readonly body: Buffer;
  readonly sections: number;
}

/** The body of the file `name`. Throws `SluiceError` `checkpoint-corrupt` naming it. */
export function openFile(name: string, bytes: Uint8Array): OpenFile {
  const file = bufferOf(bytes);
  requireHash(name, createHash('sha256').update(file).digest('hex'));
  const stored = storedBody(name, file);
  const { kept, isDeflated } = stored;
  if (!isDeflated) return opened(name, file, kept);
  let body: Buffer;
  try {
    body = inflateRawSync(kept, inflation(stored));
  } catch {
    throw notInflated(name, stored);
  }
  return opened(name, file, body);
}

/** The same; a large file is hashed and inflated beside the thread that asks. */
export async function openFileAside(name: string, bytes: Uint8Array): Promise<OpenFile> {
  if (bytes.length < asideMinBytes) return openFile(name, bytes);
  const file = bufferOf(bytes);
  const digest = await webcrypto.subtle.digest('SHA-256', file);
  requireHash(name, Buffer.from(digest).toString('hex'));
  const stored = storedBody(name, file);
  const { kept, isDeflated } = stored;
  if (!isDeflated) return opened(name, file, kept);
  const body = await inflateAside(kept, inflation(stored)).catch(() => {
    throw notInflated(name, stored);
  });
  return opened(name, file, body);
}

function requireHash(name: string, hash: string): void {
  if (hash !== claimedHash(name)) throw damaged(name, 'its SHA-256 is another one');
}

/** A body as the file has it. Its memory is bounded by that of the largest entry. */
interface StoredBody {
  readonly kept: Buffer;
  readonly bodyBytes: number;
  readonly isDeflated: boolean;
}

function storedBody(name: string, file: Buffer): StoredBody {
  if (!file.subarray(0, magic.length).equals(magic) || file[versionAt] !== formatVersion)
    throw new SluiceError(
      'checkpoint-corrupt',
      `${name} is not a state file of format ${formatVersion}`,
      {
        fix: 'another version of Sluice wrote it: run that one, or start from an empty state with `sluice reset`',
      },
    );
  if (file.length < fileHeadBytes) throw damaged(name, 'it ends within its head');
  const kept = file.subarray(fileHeadBytes);
  const bodyBytes = file.readUInt32BE(bodyBytesAt);
  const isDeflated = ((file[flagsAt] as number) & deflatedFlag) !== 0;
  if (
    bodyBytes > bodyMaxBytes ||
    bodyBytes < sectionHeadBytes ||
    (!isDeflated && bodyBytes !== kept.length)
  )
    throw damaged(name, `a body of ${bodyBytes} bytes cannot be`);
  return { kept, bodyBytes, isDeflated };
}

/** Into one piece of memory: in pieces of 16 KiB each of them is a turn of the thread that waits. */
function inflation({ kept, bodyBytes }: StoredBody): ZlibOptions {
  const chunkSize = Math.min(bodyBytes, kept.length * inflatedMaxFactor) + spareBytes;
  return { maxOutputLength: bodyBytes, chunkSize };
}

function opened(name: string, file: Buffer, body: Buffer): OpenFile {
  const bodyBytes = file.readUInt32BE(bodyBytesAt);
  if (body.length !== bodyBytes) throw damaged(name, `its body is not of ${bodyBytes} bytes`);
  const sections = file.readUInt32BE(sectionsAt);
  if (body.length > fileMaxBytes && (sections !== 1 || body.readUInt32BE(sectionEntriesAt) !== 1))
    throw damaged(name, `${body.length} bytes are more than several entries may take`);
  return { name, body, sections };
}

function notInflated(name: string, { bodyBytes }: StoredBody): SluiceError {
  return damaged(name, `its body cannot be inflated to ${bodyBytes} bytes`);
}

function damaged(name: string, why: string): SluiceError {
  return new SluiceError('checkpoint-corrupt', `${name} is damaged: ${why}`, {
    fix: 'restore it from a copy, or start from an empty state with `sluice reset`',
  });
}

/** Whether anybody wants what a section has. */
export type Wants = (table: number, group: number) => boolean;

/**
 * Its fields are those of the entry where it stands, once `next` was called, which throws
 * `SluiceError` `checkpoint-corrupt` where the bytes are no entry.
 */
export class FileCursor implements EntryPlace {
  table = -1;
  group = 0;
  time = 0;
  keyAt = 0;
  keyLength = 0;
  valueAt = 0;
  valueLength = 0;
  isRemoved = false;
  readonly body: Buffer;
  readonly #name: string;
  readonly #wants: Wants;
  #at = 0;
  #sectionEnd = 0;
  /** Of the section where it stands, and sections, that are to come. */
  #entriesLeft = 0;
  #sectionsLeft: number;

  constructor({ name, body, sections }: OpenFile, wants: Wants) {
    this.#name = name;
    this.body = body;
    this.#sectionsLeft = sections;
    this.#wants = wants;
  }

  /** Goes to the next entry; false when there is none. */
  next(): boolean {
    if (this.#at === this.#sectionEnd && !this.#nextSection()) return false;
    const keyHead = this.#varint();
    const keyLength = Math.floor(keyHead / 2);
    this.isRemoved = keyHead % 2 === 1;
    const valueLength = this.isRemoved ? 0 : this.#varint();
    const keyAt = this.#at + (this.isRemoved ? 0 : timeBytes);
    const valueAt = keyAt + keyLength;
    const end = valueAt + valueLength;
    // What is no number at all is not within it either.
    if (!(end <= this.#sectionEnd && this.#entriesLeft > 0)) throw this.#damaged();
    this.#entriesLeft--;
    if (!this.isRemoved) {
      this.time = this.body.readDoubleBE(this.#at);
      if (!(this.time > Number.NEGATIVE_INFINITY)) throw this.#damaged();
    }
    this.keyAt = keyAt;
    this.keyLength = keyLength;
    this.valueAt = valueAt;
    this.valueLength = valueLength;
    this.#at = end;
    return true;
  }

  #nextSection(): boolean {
    const { body } = this;
    if (this.#entriesLeft !== 0) throw this.#damaged();
    for (let at = this.#sectionEnd; at < body.length; at = this.#sectionEnd) {
      if (at + sectionHeadBytes > body.length || this.#sectionsLeft === 0) throw this.#damaged();
      this.#sectionsLeft--;
      const table = body.readUInt32BE(at);
      const group = body.readUInt16BE(at + sectionGroupAt);
      const entries = body.readUInt32BE(at + sectionEntriesAt);
      this.#at = at + sectionHeadBytes;
      this.#sectionEnd = this.#at + body.readUInt32BE(at + sectionBytesAt);
      const isBehind = table > this.table || (table === this.table && group > this.group);
      const isWhole = this.#sectionEnd <= body.length && this.#sectionEnd > this.#at && entries > 0;
      if (!(isBehind && isWhole && group < keyGroups)) throw this.#damaged();
      this.table = table;
      this.group = group;
      if (!this.#wants(table, group)) continue;
      this.#entriesLeft = entries;
      return true;
    }
    if (this.#sectionsLeft !== 0) throw this.#damaged();
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

  #damaged(): SluiceError {
    return damaged(this.#name, `its bytes from ${this.#at} on are not what its format says`);
  }
}
