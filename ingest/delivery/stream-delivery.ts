/**
 * One stream's delivery: the route of an event, what its declared durability requires, and what
 * happens while a route is down.
 *
 * Invariants:
 * 1. Durable first: `replicated` settles after the stream, `spooled` after the disk. Only
 *    `buffered` settles before.
 * 2. Nothing is truncated and nothing is dropped silently: an event that was answered from
 *    memory and is lost is reported.
 * 3. An event that may already be in the stream never goes to the other route. It may go to the
 *    spool, because its identity makes the repeat harmless.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { limits } from '../../schemas/limits.ts';
import type { Route } from '../../schemas/ports/record.ts';
import { routes } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { ClaimCheck } from './claim-check.ts';
import { createClaimLine } from './claim-line.ts';
import type { Delivered } from './delivered.ts';
import { refusalOf } from './delivered.ts';
import type { RoutedRecord, RouteLimits } from './route.ts';
import { decideRoute, routeTo } from './route.ts';
import type { RouteDelivery, RouteState } from './route-delivery.ts';

export interface StreamDeliveryOptions {
  readonly stream: StreamConfig;
  readonly bounds: RouteLimits;
  readonly byRoute: Readonly<Record<Route, RouteDelivery>>;
  readonly failover: boolean;
  readonly claimCheck: ClaimCheck | undefined;
  readonly bufferMaxBytes: number;
  /** An event that had been answered from memory could not be kept. */
  readonly dropped: (refusal: Refusal) => void;
}

const otherRoute: Readonly<Record<Route, Route>> = { kinesis: 'kafka', kafka: 'kinesis' };

/** An event on its way: its record, and the record that it can take the other route as. */
interface Parcel {
  readonly routed: RoutedRecord;
  readonly detour: () => RoutedRecord | undefined;
}

type Settle = (delivered: Delivered) => void;
type Missed = Exclude<WriteOutcome, { kind: 'applied' }>;

export class StreamDelivery {
  readonly #options: StreamDeliveryOptions;
  /** The other route keeps no order with the first. */
  readonly #failover: boolean;
  readonly #line: ReturnType<typeof createClaimLine> | undefined;
  #bufferedBytes = 0;

  constructor(options: StreamDeliveryOptions) {
    this.#options = options;
    this.#failover = options.failover && options.stream.order === 'none';
    this.#line = options.stream.order === 'key' ? createClaimLine() : undefined;
  }

  /** `settle` is called once. `data` must not change until then. */
  deliver(attributes: EventAttributes, data: Uint8Array, settle: Settle): void {
    const { bounds, claimCheck } = this.#options;
    const routed = decideRoute(attributes, data, bounds);
    if (this.#mustWait(routed, attributes, data, settle)) return;
    if (routed !== undefined)
      return this.#take(
        { routed, detour: () => routeTo(otherRoute[routed.route], attributes, data, bounds) },
        settle,
      );
    if (claimCheck === undefined) return settle(refused(tooLarge(data.length, bounds)));
    const { partitionkey: key } = attributes;
    this.#line?.begin(key);
    void claimCheck(attributes, data).then((claimed) => {
      const refusal = isRefusal(claimed) ? claimed : undefined;
      if (isRefusal(claimed)) settle(refused(claimed));
      else this.#take({ routed: claimed, detour: () => undefined }, settle);
      this.#line?.end(key, refusal);
    });
  }

  /** Bytes of events that were answered from memory and are on their way. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  states(): readonly RouteState[] {
    return routes.map((route) => this.#options.byRoute[route].state());
  }

  async close(): Promise<void> {
    await Promise.all(routes.map((route) => this.#options.byRoute[route].close()));
  }

  /** Order is kept within a route; a claim's record takes the small one. */
  #mustWait(
    routed: RoutedRecord | undefined,
    attributes: EventAttributes,
    data: Uint8Array,
    settle: Settle,
  ): boolean {
    if (this.#line === undefined || routed?.route === 'kafka') return false;
    return this.#line.waits(attributes.partitionkey, (refusal) => {
      if (refusal === undefined) this.deliver(attributes, data, settle);
      else settle(refused(refusal));
    });
  }

  #take(parcel: Parcel, settle: Settle): void {
    const { stream } = this.#options;
    switch (stream.ack) {
      case 'replicated':
        return this.#toStream(parcel, stream.whenDown === 'spool', settle);
      case 'spooled':
        return this.#toSpool(parcel, settle);
      case 'buffered':
        return this.#fromMemory(parcel, settle);
    }
  }

  #toStream(parcel: Parcel, spools: boolean, settle: Settle): void {
    const { routed } = parcel;
    const own = this.#options.byRoute[routed.route];
    if (spools && own.mustSpool) return this.#toSpool(parcel, settle);
    own.write(routed, (outcome) => {
      if (outcome.kind === 'applied') settle(replicated(routed.route, outcome, false));
      else this.#orDetour(parcel, outcome, spools, settle);
    });
  }

  /** Its own route did not take it. */
  #orDetour(parcel: Parcel, outcome: Missed, spools: boolean, settle: Settle): void {
    const mayDetour = this.#failover && outcome.kind === 'refused' && outcome.retryable;
    const detour = mayDetour ? parcel.detour() : undefined;
    if (detour === undefined) return this.#missed(parcel, outcome, spools, settle);
    this.#options.byRoute[detour.route].write(detour, (second) => {
      if (second.kind === 'applied') settle(replicated(detour.route, second, true));
      else this.#missed(parcel, second.kind === 'unknown' ? second : outcome, spools, settle);
    });
  }

  #missed(parcel: Parcel, outcome: Missed, spools: boolean, settle: Settle): void {
    const lasting = outcome.kind === 'refused' && !outcome.retryable;
    if (spools && !lasting) this.#toSpool(parcel, settle);
    else settle(refused(refusalOf(outcome)));
  }

  #toSpool({ routed }: Parcel, settle: Settle): void {
    this.#options.byRoute[routed.route].spool(routed, (outcome) => {
      if (outcome.kind === 'applied') return settle({ kind: 'spooled', route: routed.route });
      const missed = outcome.kind === 'refused' ? { ...outcome, retryable: true } : outcome;
      settle(refused(refusalOf(missed)));
    });
  }

  #fromMemory(parcel: Parcel, settle: Settle): void {
    const { stream, byRoute, bufferMaxBytes, dropped } = this.#options;
    const { route, bytes } = parcel.routed;
    if (this.#bufferedBytes + bytes > bufferMaxBytes) {
      const message = `${this.#bufferedBytes} bytes of '${stream.name}' are on their way from memory; at most ${bufferMaxBytes} are allowed`;
      const expected = 'send it again after Retry-After';
      return settle(refused({ status: 503, code: 'buffer-full', message, expected }));
    }
    this.#bufferedBytes += bytes;
    settle({ kind: 'buffered', route });
    this.#toStream(parcel, byRoute[route].canSpool, (delivered) => {
      this.#bufferedBytes -= bytes;
      if (delivered.kind === 'not-delivered') dropped(delivered.refusal);
    });
  }
}

function replicated(
  route: Route,
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
