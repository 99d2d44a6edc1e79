/**
 * The bytes of a run's file.
 *
 * A head of 16 bytes: `SLUICE`, version u8, flags u8 (1: the body is deflated), bytes of the body
 * before it was deflated u32, sections u32. Then the body, section after section: table u32, key
 * group u16, entries u32, bytes of the entries u32, entries. An entry: twice the bytes of its key,
 * and one more when it was removed, as a varint (LEB128); of one that was not: bytes of the value
 * as a varint, time f64. Then the key, then the value. Numbers are big-endian.
 *
 * Invariants:
 * 1. Sections are sorted by table, then key group, and no two have the same. Entries of a section
 *    are sorted by the bytes of their keys, and no two have the same.
 * 2. A file has at least one entry. Its body has more than `fileMaxBytes` only when its one entry
 *    does.
 * 3. A file's name ends with the SHA-256 of its bytes.
 */

export const magic = Buffer.from('SLUICE', 'latin1');
export const formatVersion = 1;
export const deflatedFlag = 1;

export const fileHeadBytes = 16;
export const versionAt = 6;
export const flagsAt = 7;
export const bodyBytesAt = 8;
export const sectionsAt = 12;

export const sectionHeadBytes = 14;
export const sectionGroupAt = 4;
export const sectionEntriesAt = 6;
export const sectionBytesAt = 10;

/** A body before it is deflated. */
export const fileMaxBytes = 8 * 1_024 * 1_024;
/** Two varints of 32 bits and a time. */
export const entryHeadMaxBytes = 5 + 5 + 8;

/** An entry in the bytes where it was read; they may be others after a step. */
export interface EntryPlace {
  readonly table: number;
  readonly group: number;
  readonly time: number;
  readonly body: Uint8Array;
  readonly keyAt: number;
  readonly keyLength: number;
  readonly valueAt: number;
  readonly valueLength: number;
  readonly isRemoved: boolean;
}

/** `<prefix><SHA-256>.run` */
export function fileName(prefix: string, sha256: string): string {
  return `${prefix}${sha256}.run`;
}

/** The SHA-256 that a file's name claims, undefined when it claims none. */
export function claimedHash(name: string): string | undefined {
  return /([0-9a-f]{64})\.run$/.exec(name)?.[1];
}
