/**
 * Ingestion warnings: what a stream refused lately, why, and one sample of it, for the developers who send it.
 *
 * Invariants:
 * 1. Whoever may write to a stream sees all that it refused; a sample is shown only to the key that sent it.
 * 2. Bounded: so many kinds a stream, the longest unseen goes first; a sample is renewed at most once a minute. Kept for a day.
 */
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../protocol/refusal.ts';

export interface IngestionWarning {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly expected?: string;
  readonly pointer?: string;
  readonly count: number;
  /** RFC 3339 */
  readonly first: string;
  readonly last: string;
  /** The beginning of one that was refused, as text. */
  readonly sample?: string;
}

export interface Warnings {
  note(stream: string, keyName: string, refusal: Refusal, sample: Uint8Array | undefined, nowMs: number): void;
  /** Latest first, as the key `keyName` may see them. */
  of(stream: string, keyName: string, nowMs: number): readonly IngestionWarning[];
}

interface Entry {
  readonly refusal: Refusal;
  readonly keyName: string;
  readonly firstMs: number;
  count: number;
  lastMs: number;
  sampledMs: number;
  sample: string | undefined;
}

export function createWarnings(): Warnings {
  const byStream = new Map<string, Map<string, Entry>>();
  return {
    note(stream, keyName, refusal, sample, nowMs) {
      let entries = byStream.get(stream);
      if (entries === undefined) byStream.set(stream, (entries = new Map()));
      const kind = `${keyName}\n${refusal.code}\n${refusal.pointer ?? ''}`;
      const found = entries.get(kind);
      const entry: Entry = found ?? {
        refusal,
        keyName,
        firstMs: nowMs,
        count: 0,
        lastMs: nowMs,
        sampledMs: Number.NEGATIVE_INFINITY,
        sample: undefined,
      };
      entry.count++;
      entry.lastMs = nowMs;
      if (sample !== undefined && nowMs - entry.sampledMs >= limits.warningSampleMs) {
        entry.sample = textOf(sample);
        entry.sampledMs = nowMs;
      }
      // Maps keep the order of insertion: the longest unseen is the first.
      if (found !== undefined) entries.delete(kind);
      entries.set(kind, entry);
      if (entries.size > limits.warningsPerStreamMax) for (const oldest of entries.keys()) return void entries.delete(oldest);
    },
    of(stream, keyName, nowMs) {
      const entries = [...(byStream.get(stream)?.values() ?? [])].reverse();
      return entries.filter((entry) => nowMs - entry.lastMs <= limits.warningsKeptMs).map((entry) => shown(entry, keyName));
    },
  };
}

function shown({ refusal, keyName, firstMs, count, lastMs, sample }: Entry, viewer: string): IngestionWarning {
  const { code, status, message, expected, pointer } = refusal;
  return {
    code,
    status,
    message,
    ...(expected === undefined ? {} : { expected }),
    ...(pointer === undefined ? {} : { pointer }),
    count,
    first: new Date(firstMs).toISOString(),
    last: new Date(lastMs).toISOString(),
    ...(sample === undefined || keyName !== viewer ? {} : { sample }),
  };
}

function textOf(sample: Uint8Array): string {
  return Buffer.from(sample.subarray(0, limits.warningSampleMaxBytes)).toString('utf8');
}

/** What `GET /v1/{team}/{app}/warnings` answers. */
export function warningsBody(stream: string, warnings: readonly IngestionWarning[]): string {
  return JSON.stringify({ stream, warnings });
}
