/**
 * Claim check (https://www.enterpriseintegrationpatterns.com/StoreInLibrary.html): data beyond both paths goes to the blob store, and a
 * record with a pointer to it into the stream; the source fetches it (topology/runtime/claims.ts).
 *
 * The pointer is CloudEvents' `dataref` (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/dataref.md):
 * `claim:<team>/<app>/<day>/<uuid>`, beside `datasize` in bytes and `datasha256`.
 *
 * Invariants:
 * 1. The blob is durable before its record is written: no record points to nothing.
 * 2. A blob without a record may be left when the record is refused; the sweep takes it with the rest of its day.
 */
import { createHash } from 'node:crypto';
import type { EventAttributes } from '../../schemas/event.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { uuidv7 } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { claimScheme } from '../../schemas/wire.ts';
import type { Refusal } from '../protocol/refusal.ts';
import type { RoutedRecord, RouteLimits } from './route.ts';
import { routeTo } from './route.ts';

/** The record that points to the data, once that is durable. */
export type ClaimCheck = (attributes: EventAttributes, data: Uint8Array) => Promise<RoutedRecord | Refusal>;

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
    const key = `${team}/${app}/${receivedtime.slice(0, 10)}/${uuidv7(clock.now(), random)}`;
    try {
      await store.createIfAbsent(key, data);
    } catch (thrown) {
      const message = `the data of ${data.length} bytes cannot be stored: ${messageOf(thrown)}`;
      return { status: 503, code: 'claim-not-stored', message, expected: 'send it again, under the same id, after Retry-After' };
    }
    const pointer = {
      dataref: `${claimScheme}${key}`,
      datasize: String(data.length),
      datasha256: createHash('sha256').update(data).digest('hex'),
    };
    const routed = routeTo('kinesis', { ...attributes, extensions: { ...extensions, ...pointer } }, noData, bounds);
    // Attributes are bounded far below a record's size.
    return routed ?? { status: 413, code: 'event-too-large', message: 'the attributes do not fit a record' };
  };
}

/** Deletes the blobs whose day ended more than `retentionMs` ago; how many there were. */
export async function sweepClaims(store: BlobStore, nowMs: number, retentionMs: number): Promise<number> {
  let swept = 0;
  for (const key of await store.list('')) {
    const day = Date.parse(`${key.split('/')[2]}T00:00:00Z`);
    if (Number.isNaN(day) || day + dayMs + retentionMs > nowMs) continue;
    await store.delete(key);
    swept++;
  }
  return swept;
}
