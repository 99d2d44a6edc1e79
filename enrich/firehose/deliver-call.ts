/**
 * Brings the records of one call to a delivery stream: what was not taken is put again, until all
 * of it was.
 *
 * Invariants:
 * 1. Throttling is not a failure: it makes all calls to the stream slower (schemas/kernel/pace.ts),
 *    and continues for as long as the sink is open.
 * 2. Tries that fail otherwise are bounded, counted in a row: one that something was taken of
 *    begins the count again.
 */
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { Pace } from '../../schemas/kernel/pace.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { DeliveryOutcome, DeliveryStream } from '../../schemas/ports/delivery-stream.ts';
import type { PackedRecord } from './pack-rows.ts';

/** Calls in flight of one sink; past it `write` waits. */
export const firehoseCallsMax = 4;
/** Tries of one call's records that fail in a row, and the pauses between them. */
export const firehoseAttemptsMax = 10;
const firehoseRetryBaseMs = 100;
const firehoseRetryMaxMs = 5_000;
/**
 * Firehose: the pause between two calls of one sink while the stream throttles, the first and the
 * longest; how long a look at the stream waits for that.
 */
const firehosePaceBaseMs = 50;
const firehosePaceMaxMs = 5_000;
const firehoseDescribeMaxMs = 30_000;

/**
 * What is counted, in rows. `throttled`: put again later, as the stream was asked too often.
 * `again`: put again after a failure. `unknown`: put again though they may have been taken; only
 * these can be there twice. `fallback`: too large for a record.
 */
export type FirehoseCount = 'delivered' | 'throttled' | 'again' | 'unknown' | 'fallback';

export interface DeliveryOptions {
  readonly stream: DeliveryStream;
  readonly clock: Clock;
  readonly random: Random;
  readonly pace: Pace;
  /** Whether nobody waits for it any more. */
  readonly isOver: () => boolean;
  readonly count: (what: FirehoseCount, rows: number) => void;
}

const backoff = { baseMs: firehoseRetryBaseMs, maxMs: firehoseRetryMaxMs };
const countOf = { throttled: 'throttled', failed: 'again', unknown: 'unknown' } as const;

export function deliveryPace(clock: Clock): Pace {
  return new Pace({ clock, baseMs: firehosePaceBaseMs, maxMs: firehosePaceMaxMs });
}

/**
 * Resolves when all records were taken. Throws the delivery stream's errors.
 */
export async function deliverCall(
  records: readonly PackedRecord[],
  options: DeliveryOptions,
): Promise<void> {
  const { stream, clock, random, pace, isOver, count } = options;
  let left = records;
  let failures = 0;
  for (let attempt = 0; ; attempt++) {
    await pace.turn();
    const outcome = await stream.put(left.map((record) => record.data));
    if (outcome.kind === 'refused') throw outcome.error;
    const again =
      outcome.kind === 'done' ? [] : outcome.places.map((place) => left[place] as PackedRecord);
    count('delivered', rowsOf(left) - rowsOf(again));
    keepPace(pace, outcome);
    if (outcome.kind === 'done') return;
    count(countOf[outcome.why], rowsOf(again));
    if (again.length < left.length) failures = 0;
    if (outcome.why !== 'throttled') failures++;
    if (isOver() || failures >= firehoseAttemptsMax) throw outcome.error;
    left = again;
    await sleep(clock, backoffMs(attempt, backoff, random));
  }
}

/**
 * Resolves when the delivery stream is there and may be seen. Throws as `deliverCall`. Throttled,
 * it asks again for a bounded time.
 */
export async function describeStream({
  stream,
  clock,
  random,
}: Pick<DeliveryOptions, 'stream' | 'clock' | 'random'>): Promise<void> {
  const begunMs = clock.monotonic();
  for (let attempt = 0; ; attempt++) {
    const outcome = await stream.describe();
    if (outcome.kind === 'done') return;
    const isThrottled = outcome.kind === 'again' && outcome.why === 'throttled';
    if (!isThrottled || clock.monotonic() - begunMs >= firehoseDescribeMaxMs) throw outcome.error;
    await sleep(clock, backoffMs(attempt, backoff, random));
  }
}

function keepPace(pace: Pace, outcome: DeliveryOutcome): void {
  if (outcome.kind === 'again' && outcome.why === 'throttled') pace.slowDown();
  else pace.ease();
}

function rowsOf(records: readonly PackedRecord[]): number {
  return records.reduce((sum, { rows }) => sum + rows, 0);
}
