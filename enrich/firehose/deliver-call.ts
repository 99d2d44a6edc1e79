/**
 * Brings the records of one call to a delivery stream: what was not taken is put again, until all
 * of it was.
 *
 * Invariants:
 * 1. Throttling is no failure: it makes all calls to the stream slower (schemas/kernel/pace.ts),
 *    and goes on for as long as the sink is open.
 * 2. Tries that fail otherwise are bounded, counted in a row: one that something was taken of
 *    begins the count again.
 */
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { Pace } from '../../schemas/kernel/pace.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { FirehoseApi } from './firehose-client.ts';
import type { PackedRecord } from './pack-rows.ts';
import type { PutOutcome } from './put-outcome.ts';
import { derivePutFault, derivePutReply, firehoseFault } from './put-outcome.ts';

/**
 * What is counted, in rows. `throttled`: put again later, as the stream was asked too often.
 * `again`: put again after a failure. `unknown`: put again though they may have been taken; only
 * these can be there twice. `fallback`: too large for a record.
 */
export type FirehoseCount = 'delivered' | 'throttled' | 'again' | 'unknown' | 'fallback';

export interface DeliveryOptions {
  readonly api: FirehoseApi;
  readonly deliveryStream: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly pace: Pace;
  /** Whether nobody waits for it any more. */
  readonly isOver: () => boolean;
  readonly count: (what: FirehoseCount, rows: number) => void;
}

const backoff = { baseMs: limits.firehoseRetryBaseMs, maxMs: limits.firehoseRetryMaxMs };
const countOf = { throttled: 'throttled', failed: 'again', unknown: 'unknown' } as const;

export function deliveryPace(clock: Clock): Pace {
  return new Pace({ clock, baseMs: limits.firehosePaceBaseMs, maxMs: limits.firehosePaceMaxMs });
}

/**
 * Resolves when all records were taken. Throws `SluiceError` `firehose-refused`, `firehose-failed`,
 * `delivery-stream-missing`.
 */
export async function deliverCall(
  records: readonly PackedRecord[],
  options: DeliveryOptions,
): Promise<void> {
  const { api, deliveryStream, clock, random, pace, isOver, count } = options;
  let left = records;
  let failures = 0;
  for (let attempt = 0; ; attempt++) {
    await pace.turn();
    let cause: unknown;
    const data = left.map((record) => record.data);
    const outcome = await api.put(deliveryStream, data).then(
      (reply) => derivePutReply(reply, left.length),
      (thrown: unknown) => {
        cause = thrown;
        return derivePutFault(thrown, left.length);
      },
    );
    if (outcome.kind === 'refused')
      throw firehoseFault(deliveryStream, 'PutRecordBatch', outcome.code, true, cause);
    const again =
      outcome.kind === 'done' ? [] : outcome.places.map((place) => left[place] as PackedRecord);
    count('delivered', rowsOf(left) - rowsOf(again));
    keepPace(pace, outcome);
    if (outcome.kind === 'done') return;
    count(countOf[outcome.why], rowsOf(again));
    if (again.length < left.length) failures = 0;
    if (outcome.why !== 'throttled') failures++;
    if (isOver() || failures >= limits.firehoseAttemptsMax) {
      throw firehoseFault(deliveryStream, 'PutRecordBatch', outcome.code, false, cause);
    }
    left = again;
    await sleep(clock, backoffMs(attempt, backoff, random));
  }
}

/**
 * Resolves when the delivery stream is there and may be seen. Throws as `deliverCall`. Throttled,
 * it asks again for a bounded time.
 */
export async function describeStream({
  api,
  deliveryStream,
  clock,
  random,
}: Pick<DeliveryOptions, 'api' | 'deliveryStream' | 'clock' | 'random'>): Promise<void> {
  const begunMs = clock.monotonic();
  for (let attempt = 0; ; attempt++) {
    try {
      return await api.describe(deliveryStream);
    } catch (thrown) {
      const outcome = derivePutFault(thrown, 0);
      const code = outcome.kind === 'done' ? '' : outcome.code;
      const isThrottled = outcome.kind === 'again' && outcome.why === 'throttled';
      if (!isThrottled || clock.monotonic() - begunMs >= limits.firehoseDescribeMaxMs) {
        throw firehoseFault(
          deliveryStream,
          'DescribeDeliveryStream',
          code,
          outcome.kind === 'refused',
          thrown,
        );
      }
      await sleep(clock, backoffMs(attempt, backoff, random));
    }
  }
}

function keepPace(pace: Pace, outcome: PutOutcome): void {
  if (outcome.kind === 'again' && outcome.why === 'throttled') pace.slowDown();
  else pace.ease();
}

function rowsOf(records: readonly PackedRecord[]): number {
  return records.reduce((sum, { rows }) => sum + rows, 0);
}
