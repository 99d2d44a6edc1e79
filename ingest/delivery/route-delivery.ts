/**
 * One route of one stream: its breaker, its batcher, and its spool with its drain.
 *
 * Invariants:
 * 1. In a stream with order nothing passes what the spool holds, also when an earlier run left it
 *    and nothing may join it any more.
 * 2. A record that the stream will never accept is set aside durably before the spool releases it.
 */
import type { Aggregation } from '../../schemas/config.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { OutgoingRecord, Route } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import { Batcher } from './batcher.ts';
import type { Breaker, BreakerState } from './breaker.ts';
import { createBreaker } from './breaker.ts';
import type { RoutedRecord } from './route.ts';
import type { Spool, SpoolOutcome } from './spool.ts';
import type { DrainNews } from './spool-drain.ts';
import { SpoolDrain } from './spool-drain.ts';
import type { SpoolMemory } from './spool-memory.ts';

/**
 * A stream's path is left alone after so many failed writes in a row, for a pause that grows
 * between these.
 */
const breakerFailures = 5;
const breakerPauseBaseMs = 500;
const breakerPauseMaxMs = 15_000;
/** How long the file of refused events stays open after one was added. */
const refusedIdleMs = 500;

export interface RouteDeliveryOptions {
  readonly writer: RecordWriter;
  readonly stream: string;
  readonly order: 'none' | 'key';
  readonly aggregate: Aggregation;
  readonly spool: Spool | undefined;
  /** False: the spool is only emptied of what an earlier run left. */
  readonly spools: boolean;
  /** Shared by the spools of the process. */
  readonly memory: SpoolMemory;
  /** Where spooled records go that the stream will never take; opened when the first one does. */
  readonly openAside: () => Promise<Spool>;
  readonly clock: Clock;
  readonly random: Random;
  readonly wrote?: (outcomes: readonly WriteOutcome[], bytes: number, tookMs: number) => void;
  readonly tell?: (what: DeliveryNews) => void;
}

export type DeliveryNews = { readonly path: Route; readonly stream: string } & (
  | DrainNews
  | { readonly kind: 'breaker'; readonly state: BreakerState }
);

export interface RouteState {
  readonly path: Route;
  readonly breaker: BreakerState;
  readonly queueBytes: number;
  readonly spoolBytes: number;
  readonly spoolRecords: number;
  readonly spoolAgeMs: number;
}

export interface StreamRouteState extends RouteState {
  /** `team/app` */
  readonly stream: string;
}

export interface RouteDelivery {
  write(routed: RoutedRecord, settle: (outcome: WriteOutcome) => void): void;
  /** Durable on this machine's disk when it settles with `applied`. */
  spool(routed: RoutedRecord, settle: (outcome: SpoolOutcome) => void): void;
  /** Whether a record must go behind what the spool holds. */
  readonly mustSpool: boolean;
  readonly canSpool: boolean;
  readonly pendingBytes: number;
  state(): RouteState;
  /** Stops emptying the spool and closes it. */
  close(): Promise<void>;
}

export function createRouteDelivery(options: RouteDeliveryOptions): RouteDelivery {
  const { writer, stream, order, aggregate, spool, spools, clock, random, tell } = options;
  const breaker = watched(options);
  const batcher: Batcher = new Batcher({
    writer,
    stream,
    order,
    aggregate,
    breaker,
    clock,
    random,
    ...(options.wrote === undefined ? {} : { wrote: options.wrote }),
  });
  const aside = asideOf(options.openAside, clock);
  const drain =
    spool === undefined
      ? undefined
      : new SpoolDrain({
          spool,
          batcher,
          breaker,
          setAside: (record) => aside.append(record),
          memory: options.memory,
          clock,
          tell: (news) => tell?.({ ...news, path: writer.route, stream }),
        });

  return {
    write(routed, settle) {
      if (order === 'key' && !spools && spool?.pending === true) settle(leftoverFirst);
      else batcher.add(routed.record, routed.bytes, settle);
    },
    spool(routed, settle) {
      if (spool === undefined || !spools) {
        settle({ kind: 'refused', code: 'io-error', message: 'there is no spool' });
        return;
      }
      void spool.append([routed.record]).then((outcome) => {
        settle(outcome);
        if (outcome.kind === 'applied') drain?.wake();
      });
    },
    get mustSpool() {
      return order === 'key' && spools && spool !== undefined && spool.pending;
    },
    canSpool: spool !== undefined && spools,
    get pendingBytes() {
      return batcher.pendingBytes;
    },
    state: () => ({
      path: writer.route,
      breaker: breaker.state,
      queueBytes: batcher.pendingBytes,
      spoolBytes: spool?.bytes ?? 0,
      spoolRecords: spool?.records ?? 0,
      spoolAgeMs: spool?.oldestAgeMs(clock.now()) ?? 0,
    }),
    async close() {
      await drain?.stop();
      await spool?.close();
      await aside.close();
    },
  };
}

const leftoverFirst: WriteOutcome = {
  kind: 'refused',
  code: 'order-kept',
  message: 'events that an earlier run left on the disk are written first',
  retryable: true,
};

/**
 * Open only while records come: `sluice refused` takes the folder in between. One that cannot be
 * opened now is opened with the next record. Appends must not overlap.
 */
function asideOf(
  openAside: () => Promise<Spool>,
  clock: Clock,
): {
  append(record: OutgoingRecord): Promise<SpoolOutcome>;
  close(): Promise<void>;
} {
  let opened: Spool | undefined;
  let idle: Timer | undefined;
  let closing: Promise<void> = Promise.resolve();
  const close = (): Promise<void> => {
    idle?.cancel();
    const spool = opened;
    opened = undefined;
    closing = closing.then(() => spool?.close());
    return closing;
  };
  return {
    async append(record) {
      idle?.cancel();
      await closing;
      opened ??= await openAside();
      try {
        return await opened.append([record]);
      } finally {
        idle = clock.setTimer(refusedIdleMs, () => void close().catch(() => undefined));
      }
    },
    close,
  };
}

/** A breaker that tells of its changes. */
function watched({ writer, stream, random, tell }: RouteDeliveryOptions): Breaker {
  const breaker = createBreaker(
    {
      failuresToOpen: breakerFailures,
      pauseBaseMs: breakerPauseBaseMs,
      pauseMaxMs: breakerPauseMaxMs,
    },
    random,
  );
  const watch = (act: () => void): void => {
    const before = breaker.state;
    act();
    if (breaker.state !== before)
      tell?.({ kind: 'breaker', path: writer.route, stream, state: breaker.state });
  };
  return {
    get state() {
      return breaker.state;
    },
    admits: (nowMs) => breaker.admits(nowMs),
    retryInMs: (nowMs) => breaker.retryInMs(nowMs),
    succeeded: (nowMs) => watch(() => breaker.succeeded(nowMs)),
    failed: (nowMs) => watch(() => breaker.failed(nowMs)),
  };
}
