/**
 * One record in a segment file. All numbers are little-endian.
 *
 *   u32 length of the rest | u32 CRC-32 of the rest | rest:
 *   u64 offset | u64 offset of the first frame of its commit | f64 time, epoch ms |
 *   u16 key bytes | u32 header bytes | key | headers (JSON) | value
 *
 * Invariant: frames of a split have dense offsets. The commit's first offset tells a torn commit
 * (nothing of it was acknowledged) from damage to acknowledged data: a later commit can only exist
 * when the earlier one was durable.
 */
import { crc32 } from 'node:zlib';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';

export const prefixBytes = 8;
const fixedBytes = 30;
export const frameMinBytes = prefixBytes + fixedBytes;

export interface Frame {
  readonly offset: number;
  readonly commit: number;
  readonly atMs: number;
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A view into the buffer that was decoded. */
  readonly value: Uint8Array;
  /** Where the next frame begins in that buffer. */
  readonly end: number;
}

interface SizedRecord {
  readonly record: OutgoingRecord;
  readonly headers: string;
  readonly bytes: number;
}

export function sizeOf(record: OutgoingRecord): SizedRecord {
  const headers = record.headers === undefined ? '' : JSON.stringify(record.headers);
  let bytes =
    frameMinBytes +
    Buffer.byteLength(record.key) +
    (headers === '' ? 0 : Buffer.byteLength(headers));
  for (const piece of record.value) bytes += piece.length;
  return { record, headers, bytes };
}

/** Writes `sized` into `target` at `at`; returns the end. */
export function encodeFrame(
  target: Buffer,
  at: number,
  sized: SizedRecord,
  offset: number,
  commit: number,
  atMs: number,
): number {
  const { record, headers, bytes } = sized;
  const rest = at + prefixBytes;
  target.writeUInt32LE(bytes - prefixBytes, at);
  writeU64(target, offset, rest);
  writeU64(target, commit, rest + 8);
  target.writeDoubleLE(atMs, rest + 16);
  let to = rest + fixedBytes;
  const keyBytes = target.write(record.key, to);
  to += keyBytes;
  target.writeUInt16LE(keyBytes, rest + 24);
  const headerBytes = headers === '' ? 0 : target.write(headers, to);
  target.writeUInt32LE(headerBytes, rest + 26);
  to += headerBytes;
  for (const piece of record.value) {
    target.set(piece, to);
    to += piece.length;
  }
  target.writeUInt32LE(crc32(target.subarray(rest, to)), at + 4);
  return to;
}

/**
 * The frame at `at`; `partial` when `source` ends inside it, `bad` when its bytes are not what was
 * written.
 */
export function decodeFrame(
  source: Buffer,
  at: number,
  length = source.length,
): Frame | 'partial' | 'bad' {
  if (at + prefixBytes > length) return 'partial';
  const restBytes = source.readUInt32LE(at);
  if (restBytes < fixedBytes) return 'bad';
  const rest = at + prefixBytes;
  const end = rest + restBytes;
  if (end > length) return 'partial';
  if (crc32(source.subarray(rest, end)) !== source.readUInt32LE(at + 4)) return 'bad';
  const keyEnd = rest + fixedBytes + source.readUInt16LE(rest + 24);
  const headersEnd = keyEnd + source.readUInt32LE(rest + 26);
  if (headersEnd > end) return 'bad';
  const frame = {
    offset: readU64(source, rest),
    commit: readU64(source, rest + 8),
    atMs: source.readDoubleLE(rest + 16),
    key: source.toString('utf8', rest + fixedBytes, keyEnd),
    value: source.subarray(headersEnd, end),
    end,
  };
  return keyEnd === headersEnd
    ? frame
    : {
        ...frame,
        headers: JSON.parse(source.toString('utf8', keyEnd, headersEnd)) as Record<string, string>,
      };
}

/** Offsets stay far below 2^53: at a million records a second for 285 years. */
function writeU64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 4_294_967_296, at);
  target.writeUInt32LE(Math.floor(value / 4_294_967_296), at + 4);
}

function readU64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 4_294_967_296;
}
