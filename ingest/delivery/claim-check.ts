/**
 * Claim check (https://www.enterpriseintegrationpatterns.com/StoreInLibrary.html): data too
 * large for both routes goes to the blob store, and a record with a pointer to it into the stream;
 * the source fetches it (topology/runtime/unfold.ts).
 *
 * The pointer is CloudEvents' `dataref`
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/dataref.md):
 * `claim:<team>/<app>/<day>/<uuid>`, beside `datasize` in bytes and `datasha256`.
 *
 * Invariants:
 * 1. The blob is durable before its record is written: no record points to nothing.
 * 2. A blob without a record may be left when the record is refused; the sweep takes it with the
 *    rest of its day.
 * 3. A record that points leaves alone, never in an aggregate: what must be fetched for one record
 *    is bounded by one event's size.
 */
import { webcrypto } from 'node:crypto';
import { claimExtensions, claimScheme, mayClaim } from '../../schemas/claim.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { uuidv7 } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { Refusal } from '../event/refusal.ts';
import type { RoutedRecord, RouteLimits } from './route.ts';
import { routeTo } from './route.ts';

/** The record that points to the data, once that is durable. Never rejects. */
export type ClaimCheck = (
  attributes: EventAttributes,
  data: Uint8Array,
) => Promise<RoutedRecord | Refusal>;

export interface ClaimCheckOptions {
  readonly store: BlobStore;
  readonly bounds: RouteLimits;
  readonly clock: Clock;
  readonly random: Random;
}

const noData = Buffer.from('null');
const dayMs = 24 * 3_600_000;

export function createClaimCheck({ store, bounds, clock, random }: ClaimCheckOptions): ClaimCheck {
  return async (attributes, data) => {
    const { team, app, receivedtime, extensions } = attributes;
    const taken = claimExtensions.find((name) => extensions?.[name] !== undefined);
    if (taken !== undefined) {
      const message = `an event whose data is in the claim store cannot have an extension '${taken}'`;
      return {
        status: 400,
        code: 'extension-reserved',
        message,
        expected: 'another name',
        pointer: `/${taken}`,
      };
    }
    const key = `${team}/${app}/${receivedtime.slice(0, 10)}/${uuidv7(clock.now(), random)}`;
    let pointer: Readonly<Record<string, string>>;
    try {
      // Both off this thread: neither may hold up the requests of others.
      const [digest, isNew] = await Promise.all([
        webcrypto.subtle.digest('SHA-256', data),
        store.createIfAbsent(key, data),
      ]);
      if (!isNew) throw new Error(`the blob '${key}' already exists`);
      pointer = {
        dataref: `${claimScheme}${key}`,
        datasize: String(data.length),
        datasha256: Buffer.from(digest).toString('hex'),
      };
    } catch (thrown) {
      const message = `the data of ${data.length} bytes cannot be stored: ${messageOf(thrown)}`;
      return {
        status: 503,
        code: 'claim-not-stored',
        message,
        expected: 'send it again, under the same id, after Retry-After',
      };
    }
    const routed = routeTo(
      'kinesis',
      { ...attributes, extensions: { ...extensions, ...pointer } },
      noData,
      bounds,
    );
    // Attributes are bounded far below a record's size.
    if (routed === undefined)
      return {
        status: 413,
        code: 'event-too-large',
        message: 'the attributes do not fit a record',
      };
    return { ...routed, bytes: Math.max(routed.bytes, pointerWeightBytes) };
  };
}

/** A unit of an ordered stream takes nothing beside what fills it. */
const pointerWeightBytes = limits.unitMaxBytes;

/** What a record that comes from a spool counts as when it is gathered into writes. */
export function weightOf({ value, headers }: OutgoingRecord, bytes: number): number {
  const [whole] = value;
  const points =
    headers === undefined && value.length === 1 && whole !== undefined && mayClaim(whole);
  return points ? Math.max(bytes, pointerWeightBytes) : bytes;
}

/**
 * Deletes the blobs whose day ended more than `retentionMs` ago; how many there were. One that
 * cannot be deleted does not keep the others: it rejects at the end, and the next sweep meets it
 * again.
 */
export async function sweepClaims(
  store: BlobStore,
  nowMs: number,
  retentionMs: number,
): Promise<number> {
  let swept = 0;
  let fault: unknown;
  for (const key of await store.list('')) {
    const day = Date.parse(`${key.split('/')[2]}T00:00:00Z`);
    if (Number.isNaN(day) || day + dayMs + retentionMs > nowMs) continue;
    try {
      await store.delete(key);
      swept++;
    } catch (thrown) {
      fault ??= thrown;
    }
  }
  if (fault !== undefined) throw fault;
  return swept;
}
