/**
 * One stream's delivery: which of its paths an event takes, what its declared durability asks for,
 * and what happens while a path is down.
 *
 * Invariants:
 * 1. Durable first: `replicated` settles after the stream, `spooled` after the disk. Only
 *    `buffered` settles before.
 * 2. Nothing is truncated and nothing is dropped without a word: an event that was answered from
 *    memory and is lost is told of.
 * 3. What may be in the stream already goes to no other path. To the spool it goes: its identity
 *    makes the repeat harmless.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { limits } from '../../schemas/limits.ts';
import type { Path } from '../../schemas/ports/record.ts';
import { paths } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { ClaimCheck } from './claim-check.ts';
import { createClaimLine } from './claim-line.ts';
import type { Delivered } from './delivered.ts';
import { refusalOf } from './delivered.ts';
import type { PathDelivery, PathState } from './path-delivery.ts';
import type { RoutedRecord, RouteLimits } from './route.ts';
import { decideRoute, routeTo } from './route.ts';

export interface StreamDeliveryOptions {
  readonly stream: StreamConfig;
  readonly bounds: RouteLimits;
  readonly byPath: Readonly<Record<Path, PathDelivery>>;
  readonly failover: boolean;
  readonly claimCheck: ClaimCheck | undefined;
  readonly bufferMaxBytes: number;
  /** An event that had been answered from memory could not be kept. */
  readonly dropped: (refusal: Refusal) => void;
}

export interface StreamDelivery {
  /** `settle` is called once. `data` must not change until then. */
  deliver(
    attributes: EventAttributes,
    data: Uint8Array,
    settle: (delivered: Delivered) => void,
  ): void;
  /** Bytes of events that were answered from memory and are on their way. */
  readonly bufferedBytes: number;
  states(): readonly PathState[];
  close(): Promise<void>;
}

const otherPath: Readonly<Record<Path, Path>> = { kinesis: 'kafka', kafka: 'kinesis' };

/** An event on its way: its record, and the record that it can take the other path as. */
interface Parcel {
  readonly routed: RoutedRecord;
  readonly detour: () => RoutedRecord | undefined;
}

type Settle = (delivered: Delivered) => void;
type Missed = Exclude<WriteOutcome, { kind: 'applied' }>;

export function createStreamDelivery(options: StreamDeliveryOptions): StreamDelivery {
  const { stream, bounds, byPath, claimCheck, bufferMaxBytes, dropped } = options;
  // The other path keeps no order with the first.
  const failover = options.failover && stream.order === 'none';
  const line = stream.order === 'key' ? createClaimLine() : undefined;
  let bufferedBytes = 0;

  const toSpool = ({ routed }: Parcel, settle: Settle): void => {
    byPath[routed.route].spool(routed, (outcome) => {
      if (outcome.kind === 'applied') settle({ kind: 'spooled', route: routed.route });
      else
        settle(
          refused(
            refusalOf(outcome.kind === 'refused' ? { ...outcome, retryable: true } : outcome),
          ),
        );
    });
  };

  const missed = (parcel: Parcel, outcome: Missed, spools: boolean, settle: Settle): void => {
    const lasting = outcome.kind === 'refused' && !outcome.retryable;
    if (spools && !lasting) toSpool(parcel, settle);
    else settle(refused(refusalOf(outcome)));
  };

  const toStream = (parcel: Parcel, spools: boolean, settle: Settle): void => {
    const { routed } = parcel;
    const path = byPath[routed.route];
    if (spools && path.mustSpool) return toSpool(parcel, settle);
    path.write(routed, (outcome) => {
      if (outcome.kind === 'applied') return settle(replicated(routed.route, outcome, false));
      const detour =
        failover && outcome.kind === 'refused' && outcome.retryable ? parcel.detour() : undefined;
      if (detour === undefined) return missed(parcel, outcome, spools, settle);
      byPath[detour.route].write(detour, (second) => {
        if (second.kind === 'applied') settle(replicated(detour.route, second, true));
        else missed(parcel, second.kind === 'unknown' ? second : outcome, spools, settle);
      });
    });
  };

  const fromMemory = (parcel: Parcel, settle: Settle): void => {
    const { route, bytes } = parcel.routed;
    if (bufferedBytes + bytes > bufferMaxBytes) {
      const message = `${bufferedBytes} bytes of '${stream.name}' are on their way from memory; at most ${bufferMaxBytes} may`;
      return settle(
        refused({
          status: 503,
          code: 'buffer-full',
          message,
          expected: 'send it again after Retry-After',
        }),
      );
    }
    bufferedBytes += bytes;
    settle({ kind: 'buffered', route });
    toStream(parcel, byPath[route].canSpool, (delivered) => {
      bufferedBytes -= bytes;
      if (delivered.kind === 'not-delivered') dropped(delivered.refusal);
    });
  };

  const take = (parcel: Parcel, settle: Settle): void => {
    switch (stream.ack) {
      case 'replicated':
        return toStream(parcel, stream.whenDown === 'spool', settle);
      case 'spooled':
        return toSpool(parcel, settle);
      case 'buffered':
        return fromMemory(parcel, settle);
    }
  };

  const deliver: StreamDelivery['deliver'] = (attributes, data, settle) => {
    const { partitionkey: key } = attributes;
    const routed = decideRoute(attributes, data, bounds);
    // Order is kept within a path; a claim's record takes the small one.
    const goOn = (refusal: Refusal | undefined): void =>
      refusal === undefined ? deliver(attributes, data, settle) : settle(refused(refusal));
    if (routed?.route !== 'kafka' && line?.waits(key, goOn) === true) return;
    if (routed !== undefined)
      return take(
        { routed, detour: () => routeTo(otherPath[routed.route], attributes, data, bounds) },
        settle,
      );
    if (claimCheck === undefined) return settle(refused(tooLarge(data.length, bounds)));
    line?.begin(key);
    void claimCheck(attributes, data).then((claimed) => {
      const refusal = isRefusal(claimed) ? claimed : undefined;
      if (isRefusal(claimed)) settle(refused(claimed));
      else take({ routed: claimed, detour: () => undefined }, settle);
      line?.end(key, refusal);
    });
  };

  return {
    deliver,
    get bufferedBytes() {
      return bufferedBytes;
    },
    states: () => paths.map((path) => byPath[path].state()),
    async close() {
      await Promise.all(paths.map((path) => byPath[path].close()));
    },
  };
}

function replicated(
  route: Path,
  { split, position }: { readonly split: string; readonly position: string },
  failover: boolean,
): Delivered {
  return { kind: 'replicated', route, split, position, failover };
}

function refused(refusal: Refusal): Delivered {
  return { kind: 'not-delivered', refusal };
}

function tooLarge(bytes: number, bounds: RouteLimits): Refusal {
  return {
    status: 413,
    code: 'event-too-large',
    message: `the data has ${bytes} bytes`,
    expected: `at most ${bounds.kafkaRecordMaxBytes - limits.recordHeadMaxBytes} bytes, the largest configured route`,
  };
}
