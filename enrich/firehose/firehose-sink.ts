/**
 * A table delivered by Firehose: rows as JSON lines, many to a record, put in calls in flight
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
 *    (deliver-call.ts). What fails permanently fails the sink.
 * 3. A row beyond one record goes to the fallback, whose state is part of this sink's; so does one
 *    whose folders the delivery stream cannot name as a table does.
 * 4. Bounded: one call is being filled, and `firehoseCallsMax` are in flight; past that `write`
 *    waits. So a stream that throttles is written to as fast as it takes, and the topology with it.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Pace } from '../../schemas/kernel/pace.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { DeliveryStream } from '../../schemas/ports/delivery-stream.ts';
import type { ElementBatch, RejectedRow, Sink, SinkState } from '../../topology/index.ts';
import { undelivered } from '../parquet/table-state.ts';
import type { FirehoseCount } from './deliver-call.ts';
import { deliverCall, deliveryPace, describeStream, firehoseCallsMax } from './deliver-call.ts';
import type { PackedCall } from './pack-rows.ts';
import { firehoseRecordMaxBytes, RowPacker } from './pack-rows.ts';
import type { LineOptions } from './row-line.ts';
import { lineWriter } from './row-line.ts';

export interface FirehoseSinkOptions extends LineOptions {
  /** Closed with the sink. */
  readonly connect: () => DeliveryStream;
  readonly clock: Clock;
  readonly random: Random;
  /** 1 where the delivery stream takes no record apart. Default: as many as a record takes. */
  readonly rowsPerRecord?: number;
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
 * fallback's; after one only a new sink continues.
 */
export function firehoseSink(options: FirehoseSinkOptions): Sink {
  return new FirehoseSink(options);
}

class FirehoseSink implements Sink {
  readonly #options: FirehoseSinkOptions;
  readonly #fallback: Sink;
  readonly #count: (what: FirehoseCount, rows: number) => void;
  readonly #linesOf: ReturnType<typeof lineWriter>;
  readonly #packer: RowPacker;
  readonly #pace: Pace;
  readonly #underWay = new Set<Promise<void>>();
  #rowsUnderWay = 0;
  #stream: DeliveryStream | undefined;
  #failed: { readonly fault: unknown } | undefined;
  #closed = false;

  constructor(options: FirehoseSinkOptions) {
    this.#options = options;
    this.#fallback = options.fallback;
    this.#count = options.count ?? (() => undefined);
    this.#linesOf = lineWriter(options);
    this.#packer = new RowPacker(options.rowsPerRecord);
    this.#pace = deliveryPace(options.clock);
  }

  async open(restored: SinkState | undefined): Promise<void> {
    const stream = this.#options.connect();
    this.#stream = stream;
    await describeStream({ ...this.#options, stream });
    // A state from before the table was delivered is the fallback's, which makes it visible.
    await this.#fallback.open(undelivered(restored, `the table '${this.#options.sink}'`));
  }

  async write(batch: ElementBatch): Promise<readonly RejectedRow[]> {
    this.#check();
    const { lines, rejected } = this.#linesOf(batch);
    const beside: number[] = [];
    for (const { index, line, isPlain } of lines) {
      if (!isPlain || line.length > firehoseRecordMaxBytes) beside.push(index);
      else await this.#startWithin(this.#packer.add(line));
    }
    if (beside.length === 0) return rejected;
    this.#count('fallback', beside.length);
    const more = await this.#fallback.write(partOf(batch, beside));
    return [
      ...rejected,
      ...more.map((row): RejectedRow => ({ ...row, index: beside[row.index] as number })),
    ].sort((a, b) => a.index - b.index);
  }

  async prepare(checkpoint: number, last: boolean): Promise<FirehoseState> {
    await this.#startWithin(this.#packer.flush());
    await Promise.all(this.#underWay);
    this.#check();
    return { fallback: await this.#fallback.prepare(checkpoint, last) };
  }

  commit(checkpoint: number): Promise<void> {
    return this.#fallback.commit(checkpoint);
  }

  pendingRows(): number {
    return this.#packer.rows + this.#rowsUnderWay + this.#fallback.pendingRows();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#underWay);
    this.#stream?.close();
    await this.#fallback.close();
  }

  async #startWithin(call: PackedCall | undefined): Promise<void> {
    if (call === undefined) return;
    while (this.#underWay.size >= firehoseCallsMax) await Promise.race(this.#underWay);
    this.#check();
    this.#start(call);
  }

  #start(call: PackedCall): void {
    const stream = this.#stream;
    assert(stream !== undefined, 'the Firehose sink is open');
    this.#rowsUnderWay += call.rows;
    const delivering = deliverCall(call.records, {
      ...this.#options,
      stream,
      pace: this.#pace,
      count: this.#count,
      isOver: () => this.#closed,
    })
      .then(() => void (this.#rowsUnderWay -= call.rows))
      .catch((fault: unknown) => {
        this.#failed ??= { fault };
      })
      .finally(() => this.#underWay.delete(delivering));
    this.#underWay.add(delivering);
  }

  #check(): void {
    if (this.#failed !== undefined) throw this.#failed.fault;
  }
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
