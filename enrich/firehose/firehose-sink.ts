/**
 * A table delivered by Firehose: rows as JSON lines, many to a record, put in calls under way beside each other.
 *
 * At least once: what a checkpoint covers was taken by Firehose before `prepare` returns, and rows of a run that ended before its checkpoint come again
 * under the same `row_id` (row-line.ts); readers keep one of each.
 *
 * Invariants:
 * 1. `prepare` returns only when every row written before it was taken: by Firehose, or by the fallback.
 * 2. Only records that were not taken, or whose outcome is unknown, are put again, with full jitter and a bound on tries; then the sink fails, for good.
 * 3. A row beyond one record goes to the fallback, whose state is part of this sink's.
 * 4. Bounded: one call is being filled, and `firehoseCallsMax` are under way; past that `write` waits.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { ElementBatch, RefusedRow, Sink, SinkState } from '../../topology/index.ts';
import { tableStateOf } from '../parquet/worker-protocol.ts';
import type { FirehoseApi, FirehoseClientOptions } from './firehose-client.ts';
import { createFirehoseClient } from './firehose-client.ts';
import type { PackedCall, PackedRecord } from './pack-rows.ts';
import { RowPacker } from './pack-rows.ts';
import type { PutOutcome } from './put-outcome.ts';
import { derivePutFault, derivePutReply, firehoseFault } from './put-outcome.ts';
import type { LineOptions } from './row-line.ts';
import { lineWriter } from './row-line.ts';

/** What is counted, in rows. `unknown`: put again though they may have been taken; only these can be there twice. */
export type FirehoseCount = 'delivered' | 'again' | 'unknown' | 'fallback';

export interface FirehoseSinkOptions extends FirehoseClientOptions, LineOptions {
  readonly deliveryStream: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes the rows that no record can hold: the table's Parquet sink. Opened, prepared, committed and closed with this one. */
  readonly fallback: Sink;
  readonly count?: (what: FirehoseCount, rows: number) => void;
}

interface FirehoseState {
  readonly fallback: SinkState;
}

const backoff = { baseMs: limits.firehoseRetryBaseMs, maxMs: limits.firehoseRetryMaxMs };

/** Faults: `delivery-stream-missing`, `firehose-refused`, `firehose-failed` (retryable), and the fallback's; after one only a new sink goes on. */
export function firehoseSink(options: FirehoseSinkOptions): Sink {
  const { deliveryStream, fallback } = options;
  const count = options.count ?? (() => undefined);
  const linesOf = lineWriter(options);
  const packer = new RowPacker();
  const underWay = new Set<Promise<void>>();
  let rowsUnderWay = 0;
  let api: FirehoseApi | undefined;
  let failed: { readonly fault: unknown } | undefined;

  const start = (call: PackedCall): void => {
    assert(api !== undefined, 'the Firehose sink is open');
    rowsUnderWay += call.rows;
    const delivering = deliver(api, call.records, { ...options, count })
      .then(() => void (rowsUnderWay -= call.rows))
      .catch((fault: unknown) => {
        failed ??= { fault };
      })
      .finally(() => underWay.delete(delivering));
    underWay.add(delivering);
  };

  const startWithin = async (call: PackedCall | undefined): Promise<void> => {
    if (call === undefined) return;
    while (underWay.size >= limits.firehoseCallsMax) await Promise.race(underWay);
    check();
    start(call);
  };

  const check = (): void => {
    if (failed !== undefined) throw failed.fault;
  };

  return {
    async open(restored) {
      api = createFirehoseClient(options);
      await describe(api, deliveryStream);
      // A state from before the table was delivered is the fallback's, which makes it visible.
      await fallback.open(tableStateOf(restored));
    },
    async write(batch) {
      check();
      const { lines, refused } = linesOf(batch);
      const large: number[] = [];
      for (const { index, line } of lines) {
        if (line.length > limits.firehoseRecordMaxBytes) large.push(index);
        else await startWithin(packer.add(line));
      }
      if (large.length === 0) return refused;
      count('fallback', large.length);
      const more = await fallback.write(partOf(batch, large));
      return [...refused, ...more.map((row): RefusedRow => ({ ...row, index: large[row.index] as number }))].sort(
        (a, b) => a.index - b.index,
      );
    },
    async prepare(checkpoint, last): Promise<FirehoseState> {
      await startWithin(packer.flush());
      await Promise.all(underWay);
      check();
      return { fallback: await fallback.prepare(checkpoint, last) };
    },
    commit: (checkpoint) => fallback.commit(checkpoint),
    pendingRows: () => packer.rows + rowsUnderWay + fallback.pendingRows(),
    async close() {
      await Promise.all(underWay);
      api?.close();
      await fallback.close();
    },
  };
}

type Delivery = Pick<FirehoseSinkOptions, 'deliveryStream' | 'clock' | 'random'> & Required<Pick<FirehoseSinkOptions, 'count'>>;

/** Resolves when all records were taken. */
async function deliver(
  api: FirehoseApi,
  records: readonly PackedRecord[],
  { deliveryStream, clock, random, count }: Delivery,
): Promise<void> {
  let left = records;
  for (let attempt = 0; ; attempt++) {
    let cause: unknown;
    const outcome: PutOutcome = await api
      .put(
        deliveryStream,
        left.map(({ data }) => data),
      )
      .then(
        (reply) => derivePutReply(reply, left.length),
        (thrown: unknown) => {
          cause = thrown;
          return derivePutFault(thrown, left.length);
        },
      );
    if (outcome.kind === 'refused') throw firehoseFault(deliveryStream, 'PutRecordBatch', outcome.code, true, cause);
    const again = outcome.kind === 'done' ? [] : outcome.places.map((place) => left[place] as PackedRecord);
    count('delivered', rowsOf(left) - rowsOf(again));
    if (outcome.kind === 'done') return;
    count(outcome.unknown ? 'unknown' : 'again', rowsOf(again));
    if (attempt + 1 >= limits.firehoseAttemptsMax) throw firehoseFault(deliveryStream, 'PutRecordBatch', outcome.code, false, cause);
    left = again;
    await sleep(clock, backoffMs(attempt, backoff, random));
  }
}

/** Resolves when the delivery stream is there and may be seen. Throws `SluiceError` `delivery-stream-missing`, `firehose-refused`, `firehose-failed`. */
export async function checkDeliveryStream({
  deliveryStream,
  ...client
}: FirehoseClientOptions & { readonly deliveryStream: string }): Promise<void> {
  const api = createFirehoseClient(client);
  try {
    await describe(api, deliveryStream);
  } finally {
    api.close();
  }
}

async function describe(api: FirehoseApi, stream: string): Promise<void> {
  await api.describe(stream).catch((thrown: unknown) => {
    const outcome = derivePutFault(thrown, 0);
    const code = outcome.kind === 'done' ? '' : outcome.code;
    throw firehoseFault(stream, 'DescribeDeliveryStream', code, outcome.kind === 'refused', thrown);
  });
}

function rowsOf(records: readonly PackedRecord[]): number {
  return records.reduce((sum, { rows }) => sum + rows, 0);
}

function partOf({ values, timestamps, origins }: ElementBatch, indexes: readonly number[]): ElementBatch {
  return {
    length: indexes.length,
    values: indexes.map((index) => values[index]),
    timestamps: indexes.map((index) => timestamps[index] as number),
    origins: indexes.map((index) => origins[index]),
  };
}
