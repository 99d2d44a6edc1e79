/**
 * Makes the files of one run from entries that come in its order. file-format.ts has the format.
 *
 * A body is deflated when samples of it say that a fifth is saved: digests, which nothing makes
 * smaller, cost no time.
 */
import { createHash } from 'node:crypto';
import { deflatedFast } from '../../state/deflate-blocks.ts';
import { never } from '../../state/entries.ts';
import type { EntryPlace } from './file-format.ts';
import {
  bodyBytesAt,
  deflatedFlag,
  entryHeadMaxBytes,
  fileHeadBytes,
  fileMaxBytes,
  fileName,
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
import type { StateFile, TableShare } from './sorted-run.ts';

export interface MadeFile {
  readonly file: StateFile;
  /** All of its memory, to be handed over. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What it has to save of a body, as one part of so many. */
const deflateSavesPart = 5;
const samples = 4;
const sampleBytes = 16 * 1_024;

const firstBodyBytes = 64 * 1_024;

interface Share {
  readonly table: number;
  puts: number;
  removed: number;
  latest: number;
}

export class FileBuilder {
  readonly #prefix: string;
  #body = Buffer.allocUnsafeSlow(firstBodyBytes);
  #at = 0;
  #sections = 0;
  /** Where the open section begins. */
  #sectionAt = 0;
  #sectionEntries = 0;
  #group = 0;
  #first: readonly [number, number] = [0, 0];
  readonly #shares: Share[] = [];

  /** `prefix`: what the files' names begin with. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Whether the entry goes into this file; else `finish` it first. */
  fits({ keyLength, valueLength }: EntryPlace): boolean {
    const bytes = sectionHeadBytes + entryHeadMaxBytes + keyLength + valueLength;
    return this.#sections === 0 || this.#at + bytes <= fileMaxBytes;
  }

  put({ table, group, time, body, keyAt, keyLength, valueAt, valueLength }: EntryPlace): void {
    const share = this.#enter(table, group, keyLength + valueLength);
    if (time > share.latest || share.puts === 0) share.latest = time;
    share.puts++;
    this.#varint(keyLength * 2);
    this.#varint(valueLength);
    this.#body.writeDoubleBE(time, this.#at);
    this.#at += 8;
    this.#copy(body, keyAt, keyLength);
    this.#copy(body, valueAt, valueLength);
  }

  remove({ table, group, body, keyAt, keyLength }: EntryPlace): void {
    this.#enter(table, group, keyLength).removed++;
    this.#varint(keyLength * 2 + 1);
    this.#copy(body, keyAt, keyLength);
  }

  /** The file of what was put since the last call, undefined when that is nothing. */
  finish(): MadeFile | undefined {
    if (this.#sections === 0) return undefined;
    this.#closeSection();
    const bytes = encodeFile(this.#body.subarray(0, this.#at), this.#sections);
    const last = this.#shares.at(-1) as Share;
    const file: StateFile = {
      name: fileName(this.#prefix, createHash('sha256').update(bytes).digest('hex')),
      bytes: bytes.length,
      first: this.#first,
      last: [last.table, this.#group],
      tables: this.#shares.map(shareOf),
    };
    this.#at = 0;
    this.#sections = 0;
    this.#shares.length = 0;
    return { file, bytes };
  }

  /** Makes room for an entry, in its section. */
  #enter(table: number, group: number, bytes: number): Share {
    this.#reserve(sectionHeadBytes + entryHeadMaxBytes + bytes);
    let share = this.#shares.at(-1);
    if (share?.table !== table || this.#group !== group) {
      if (share === undefined) this.#first = [table, group];
      else this.#closeSection();
      if (share?.table !== table) {
        share = { table, puts: 0, removed: 0, latest: 0 };
        this.#shares.push(share);
      }
      this.#openSection(table, group);
    }
    this.#sectionEntries++;
    return share as Share;
  }

  #openSection(table: number, group: number): void {
    this.#group = group;
    this.#sections++;
    this.#sectionEntries = 0;
    this.#sectionAt = this.#at;
    this.#body.writeUInt32BE(table, this.#at);
    this.#body.writeUInt16BE(group, this.#at + sectionGroupAt);
    this.#at += sectionHeadBytes;
  }

  #closeSection(): void {
    const at = this.#sectionAt;
    this.#body.writeUInt32BE(this.#sectionEntries, at + sectionEntriesAt);
    this.#body.writeUInt32BE(this.#at - at - sectionHeadBytes, at + sectionBytesAt);
  }

  #varint(value: number): void {
    let left = value;
    while (left >= 128) {
      this.#body[this.#at++] = (left % 128) + 128;
      left = Math.floor(left / 128);
    }
    this.#body[this.#at++] = left;
  }

  #copy(from: Uint8Array, at: number, length: number): void {
    // A call into the runtime costs more than a few bytes.
    if (length > 32) this.#body.set(from.subarray(at, at + length), this.#at);
    else for (let n = 0; n < length; n++) this.#body[this.#at + n] = from[at + n] as number;
    this.#at += length;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#body.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#body.length * 2));
    larger.set(this.#body.subarray(0, this.#at));
    this.#body = larger;
  }
}

function shareOf({ table, puts, removed, latest }: Share): TableShare {
  if (puts === 0) return { table, puts, removed };
  return { table, puts, removed, latest: latest === never ? 'never' : latest };
}

function encodeFile(body: Buffer, sections: number): Uint8Array<ArrayBuffer> {
  const deflated = deflate(body);
  const kept = deflated ?? body;
  const file = Buffer.allocUnsafeSlow(fileHeadBytes + kept.length);
  file.set(magic);
  file[versionAt] = formatVersion;
  file[flagsAt] = deflated === undefined ? 0 : deflatedFlag;
  file.writeUInt32BE(body.length, bodyBytesAt);
  file.writeUInt32BE(sections, sectionsAt);
  file.set(kept, fileHeadBytes);
  return new Uint8Array(file.buffer as ArrayBuffer);
}

/** Undefined when that does not save enough. */
function deflate(body: Buffer): Buffer | undefined {
  const sample = sampleOf(body);
  const deflated = deflatedFast(sample);
  if (!savesEnough(sample, deflated)) return undefined;
  if (sample === body) return deflated;
  const all = deflatedFast(body);
  return savesEnough(body, all) ? all : undefined;
}

function savesEnough(before: Buffer, after: Buffer): boolean {
  return before.length - after.length >= before.length / deflateSavesPart;
}

function sampleOf(body: Buffer): Buffer {
  if (body.length <= samples * sampleBytes) return body;
  const apart = Math.floor((body.length - sampleBytes) / (samples - 1));
  return Buffer.concat(
    Array.from({ length: samples }, (_, n) => body.subarray(n * apart, n * apart + sampleBytes)),
  );
}
