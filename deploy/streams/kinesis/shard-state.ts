/**
 * What a reader keeps of a shard between two reads. No calls are made here.
 */
import { limits } from '../../../schemas/limits.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import type { ReadBounds, ReadFrom, ReadResult } from '../../../schemas/ports/record-reader.ts';
import type { ReadRecords, ShardPlace } from './kinesis-source-client.ts';

export interface ShardState {
  /** Where `kept` begins, and `iterator` after it. */
  after: string | undefined;
  kept: readonly IncomingRecord[];
  iterator: string | undefined;
  /** Its end was read; what is kept is the last. */
  ended: boolean;
  /** Monotonic ms. */
  notBeforeMs: number;
  throttles: number;
  /** The record that has to come first, where it may not be kept any more. */
  expects: string | undefined;
  /** Of one without a position that begins with what comes: when that was, epoch ms. */
  latestAtMs: number | undefined;
}

/** `before`: what is known of it at another position; its pace continues. */
export function newShardState(
  after: string | undefined,
  before: ShardState | undefined,
): ShardState {
  const { notBeforeMs = 0, throttles = 0 } = before ?? {};
  const fresh = { iterator: undefined, expects: undefined, latestAtMs: undefined };
  return { after, kept: [], ended: false, notBeforeMs, throttles, ...fresh };
}

/** Where reading begins. */
export function derivePlace(
  state: ShardState,
  from: ReadFrom | undefined,
  nowMs: number,
): ShardPlace {
  if (state.after !== undefined) return { kind: 'after', position: state.after };
  if (from === undefined) return { kind: 'oldest' };
  if (typeof from === 'number') return { kind: 'since', atMs: from };
  // Asked for again it would leave out what has come since.
  if (state.latestAtMs !== undefined)
    return { kind: 'since', atMs: state.latestAtMs - limits.latestMarginMs };
  state.latestAtMs = nowMs;
  return { kind: 'latest' };
}

/**
 * What was got without the record that was looked for; undefined where that is no longer there.
 */
export function confirmed(state: ShardState, got: ReadRecords): ReadRecords | undefined {
  if (state.expects === undefined) return got;
  const [first, ...rest] = got.records;
  // Kinesis may give nothing and be far from the end.
  if (first === undefined && got.behindMs > 0 && got.next !== undefined) return got;
  const isThere = first?.position === state.expects;
  state.expects = undefined;
  if (isThere) return { ...got, records: rest };
  state.iterator = undefined;
  return undefined;
}

/** What fits of what is kept; the rest stays for the read after it. */
export function take(
  state: ShardState,
  { maxRecords, maxBytes }: ReadBounds,
  behindMs: number | undefined,
): ReadResult {
  let count = 0;
  let bytes = 0;
  for (const { value } of state.kept) {
    if (count > 0 && (count >= maxRecords || bytes + value.length > maxBytes)) break;
    count++;
    bytes += value.length;
  }
  const records = state.kept.slice(0, count);
  state.kept = state.kept.slice(count);
  const last = records.at(-1);
  if (last !== undefined) state.after = last.position;
  const whole = state.kept.length === 0;
  return {
    records,
    ended: state.ended && whole,
    ...(whole && behindMs !== undefined ? { behindMs } : {}),
  };
}

export function bytesOf(records: readonly IncomingRecord[]): number {
  let bytes = 0;
  for (const { value } of records) bytes += value.length;
  return bytes;
}
