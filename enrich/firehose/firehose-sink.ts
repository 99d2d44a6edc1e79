/**
 * A table delivered by Firehose: rows as JSON lines, many to a record, put in calls under way
 * beside each other.
 *
 * At least once: what a checkpoint covers was taken by Firehose before `prepare` returns, and rows
 * of a run that ended before its checkpoint come again under the same `row_id` (row-line.ts);
 * readers keep one of each.
 *
 * Invariants:
 * 1. `prepare` returns only when every row written before it was taken: by Firehose, or by the
 *    fallback.
 * 2. Only records that were not taken, or whose outcome is unknown, are put again
 *    (deliver-call.ts). What fails for good fails the sink.
 * 3. A row beyond one record goes to the fallback, whose state is part of this sink's; so does one
 *    whose folders the delivery stream cannot name as a table does.
 * 4. Bounded: one call is being filled, and `firehoseCallsMax` are under way; past that `write`
 *    waits. So a stream that throttles is written to as fast as it takes, and the topology with it.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { DeliveryStream } from '../../schemas/ports/delivery-stream.ts';
import type { ElementBatch, RefusedRow, Sink, SinkState } from '../../topology/index.ts';
import { tableStateOf } from '../parquet/worker-protocol.ts';
import type { FirehoseCount } from './deliver-call.ts';
import { deliverCall, deliveryPace, describeStream } from './deliver-call.ts';
import type { PackedCall } from './pack-rows.ts';
import { RowPacker } from './pack-rows.ts';
import type { LineOptions } from './row-line.ts';
import { lineWriter } from './row-line.ts';

export interface FirehoseSinkOptions extends LineOptions {
  /** Closed with the sink. */
  readonly connect: () => DeliveryStream;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Takes the rows that are not delivered: the table's Parquet sink. Opened, prepared, committed
   * and closed with this one.
   */
  readonly fallback: Sink;
  readonly count?: (what: FirehoseCount, rows: number) => void;
}

interface FirehoseState {
  readonly fallback: SinkState;
}

/**
 * Faults: `delivery-stream-missing`, `firehose-refused`, `firehose-failed` (retryable), and the
 * fallback's; after one only a new sink goes on.
 */
export function firehoseSink(options: FirehoseSinkOptions): Sink {
  const { fallback } = options;
  const count = options.count ?? (() => undefined);
  const linesOf = lineWriter(options);
  const packer = new RowPacker();
  const underWay = new Set<Promise<void>>();
  let rowsUnderWay = 0;
  let stream: DeliveryStream | undefined;
  let failed: { readonly fault: unknown } | undefined;
  let closed = false;
  const pace = deliveryPace(options.clock);

  const start = (call: PackedCall): void => {
    assert(stream !== undefined, 'the Firehose sink is open');
    rowsUnderWay += call.rows;
    const delivering = deliverCall(call.records, {
      ...options,
      stream,
      pace,
      count,
      isOver: () => closed,
    })
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
      stream = options.connect();
      await describeStream({ ...options, stream });
      // A state from before the table was delivered is the fallback's, which makes it visible.
      await fallback.open(tableStateOf(restored));
    },
    async write(batch) {
      check();
      const { lines, refused } = linesOf(batch);
      const beside: number[] = [];
      for (const { index, line, isPlain } of lines) {
        if (!isPlain || line.length > limits.firehoseRecordMaxBytes) beside.push(index);
        else await startWithin(packer.add(line));
      }
      if (beside.length === 0) return refused;
      count('fallback', beside.length);
      const more = await fallback.write(partOf(batch, beside));
      return [
        ...refused,
        ...more.map((row): RefusedRow => ({ ...row, index: beside[row.index] as number })),
      ].sort((a, b) => a.index - b.index);
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
      closed = true;
      await Promise.all(underWay);
      stream?.close();
      await fallback.close();
    },
  };
}

function partOf(
  { values, timestamps, origins }: ElementBatch,
  indexes: readonly number[],
): ElementBatch {
  return {
    length: indexes.length,
    values: indexes.map((index) => values[index]),
    timestamps: indexes.map((index) => timestamps[index] as number),
    origins: indexes.map((index) => origins[index]),
  };
}
