/**
 * Ingestion warnings: what was refused lately, or taken although it does not fit, why, and one
 * sample of it, for the developers who send it.
 *
 * Invariants:
 * 1. A key sees only what it sent itself: the message and the pointer of a refusal say as much of
 *    an event as a sample does.
 * 2. Bounded: so many kinds of one key on one stream, the longest unseen goes first; past the bound
 *    on all of them the one with the most pays, so that a key that makes ever new kinds pushes out
 *    its own. A sample is renewed at most once a minute. Kept for a day.
 */

import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../event/refusal.ts';

/** How long each warning is kept, and its sample. */
const warningsKeptMs = 24 * 3_600_000;
const warningSampleMaxBytes = kibi;
const warningSampleMs = 60_000;

export interface IngestionWarning {
  readonly code: RefusedCode;
  /** 200: it was taken all the same. */
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

/** A refusal, or what would be one where the stream did not say to take it all the same. */
export type Notice = Omit<Refusal, 'status'> & { readonly status: Refusal['status'] | 200 };

export interface Warnings {
  note(
    stream: string,
    keyName: string,
    refusal: Notice,
    sample: Uint8Array | undefined,
    nowMs: number,
  ): void;
  /** Latest first: what the key `keyName` sent to `stream`. */
  of(stream: string, keyName: string, nowMs: number): readonly IngestionWarning[];
}

interface Entry {
  readonly refusal: Notice;
  readonly firstMs: number;
  count: number;
  lastMs: number;
  sampledMs: number;
  sample: string | undefined;
}

/** By kind, the longest unseen first: maps keep the order of insertion. */
type Kinds = Map<string, Entry>;

export function createWarnings(): Warnings {
  const bySender = new Map<string, Kinds>();
  let count = 0;

  const letGo = (sender: string, kinds: Kinds): void => {
    for (const oldest of kinds.keys()) {
      kinds.delete(oldest);
      count--;
      break;
    }
    if (kinds.size === 0) bySender.delete(sender);
  };

  return {
    note(stream, keyName, refusal, sample, nowMs) {
      const sender = senderOf(stream, keyName);
      let kinds = bySender.get(sender);
      if (kinds === undefined) bySender.set(sender, (kinds = new Map()));
      const kind = `${refusal.code}\n${refusal.pointer ?? ''}`;
      const found = kinds.get(kind);
      const entry = found ?? {
        refusal,
        firstMs: nowMs,
        count: 0,
        lastMs: nowMs,
        sampledMs: Number.NEGATIVE_INFINITY,
        sample: undefined,
      };
      entry.count++;
      entry.lastMs = nowMs;
      if (sample !== undefined && nowMs - entry.sampledMs >= warningSampleMs) {
        entry.sample = textOf(sample);
        entry.sampledMs = nowMs;
      }
      if (found !== undefined) kinds.delete(kind);
      else count++;
      kinds.set(kind, entry);
      if (kinds.size > limits.warningsPerSenderMax) letGo(sender, kinds);
      else if (count > limits.warningsMax) letGo(...largest(bySender));
    },
    of(stream, keyName, nowMs) {
      const entries = [...(bySender.get(senderOf(stream, keyName))?.values() ?? [])].reverse();
      return entries.filter((entry) => nowMs - entry.lastMs <= warningsKeptMs).map(shown);
    },
  };
}

/** Names of streams have no line break. */
function senderOf(stream: string, keyName: string): string {
  return `${stream}\n${keyName}`;
}

/** Of equals the one that came first. */
function largest(bySender: ReadonlyMap<string, Kinds>): [string, Kinds] {
  let found: [string, Kinds] | undefined;
  for (const [sender, kinds] of bySender)
    if (found === undefined || kinds.size > found[1].size) found = [sender, kinds];
  assert(found !== undefined, 'what is over the bound has a sender');
  return found;
}

function shown({ refusal, firstMs, count, lastMs, sample }: Entry): IngestionWarning {
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
    ...(sample === undefined ? {} : { sample }),
  };
}

function textOf(sample: Uint8Array): string {
  return Buffer.from(sample.subarray(0, warningSampleMaxBytes)).toString('utf8');
}

/** What `GET /v1/{team}/{app}/warnings` answers. */
export function warningsBody(stream: string, warnings: readonly IngestionWarning[]): string {
  return JSON.stringify({ stream, warnings });
}
