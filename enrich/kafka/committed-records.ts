/**
 * The records of one answer that count: those of transactions that were broken off, and the markers of how transactions ended, are no records. Batches
 * are taken apart one by one as they are asked for, so that what is compressed stays so until then.
 * As Kafka's own client does it: https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/clients/consumer/internals/CompletedFetch.java
 *
 * Invariants:
 * 1. `next` is behind all that was given or left out: a batch without records counts as read.
 * 2. A batch that cannot be read is thrown each time, and what comes before it was given.
 */
import { kafkaCodec } from '../../schemas/kafka-codecs/codecs.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { AbortedTransaction, FetchedPartition } from './fetch-request.ts';
import type { RecordBatch } from './record-batches.ts';
import { batchesIn, currentForm, isAbortMarker, recordsOf } from './record-batches.ts';

export class CommittedRecords {
  readonly #batches: Generator<RecordBatch, undefined>;
  /** In the order of their first records. */
  readonly #aborted: AbortedTransaction[];
  /** Producers whose transaction was broken off, and has not ended yet at this place. */
  readonly #breaking = new Set<bigint>();
  readonly #of: string;
  #next: bigint;
  /** Taken from `#batches`, and not given yet. */
  #ahead: RecordBatch | undefined;

  /** `of`: what the batches are of, for errors. */
  constructor({ batches, aborted }: Pick<FetchedPartition, 'batches' | 'aborted'>, from: bigint, of: string) {
    this.#batches = batchesIn(batches);
    this.#aborted = [...aborted].sort((a, b) => Number(a.first - b.first));
    this.#next = from;
    this.#of = of;
  }

  /** Where to read on once all that was given is taken. */
  get next(): bigint {
    return this.#next;
  }

  /** The records of the next batch that has any; undefined when there is none left. Throws `SluiceError` `codec-unreadable`, `records-unreadable`, `stream-corrupt`. */
  async batch(): Promise<IncomingRecord[] | undefined> {
    for (;;) {
      this.#ahead ??= this.#batches.next().value;
      const batch = this.#ahead;
      if (batch === undefined) return undefined;
      const records = this.#isLeftOut(batch) ? [] : await readBatch(batch, this.#next, this.#of);
      this.#ahead = undefined;
      if (batch.last >= this.#next) this.#next = batch.last + 1n;
      if (records.length > 0) return records;
    }
  }

  #isLeftOut(batch: RecordBatch): boolean {
    for (let [begun] = this.#aborted; begun !== undefined && begun.first <= batch.last; [begun] = this.#aborted) {
      this.#breaking.add(begun.producerId);
      this.#aborted.shift();
    }
    if (!batch.isControl) return batch.isTransactional && this.#breaking.has(batch.producerId);
    if (isAbortMarker(batch)) this.#breaking.delete(batch.producerId);
    return true;
  }
}

async function readBatch(batch: RecordBatch, from: bigint, of: string): Promise<IncomingRecord[]> {
  const { first, last, form, codec } = batch;
  const skip = `go on behind them with \`sluice skip TOPOLOGY SPLIT --to ${last}\``;
  const unreadable = (
    code: string,
    why: string,
    { fix, cause }: { readonly fix?: string | undefined; readonly cause?: unknown } = {},
  ): SluiceError =>
    new SluiceError(code, `${of}: the records at ${first} to ${last} are ${why}`, {
      cause,
      fix: fix === undefined ? skip : `${fix}, or ${skip}`,
    });
  if (form !== currentForm)
    throw unreadable('records-unreadable', `in the form ${form}, which Kafka wrote before 0.11 and is not read here`);
  const compressed = kafkaCodec(codec);
  if ('missing' in compressed)
    throw unreadable('codec-unreadable', `compressed with ${compressed.name}, ${compressed.missing}`, compressed);
  try {
    return recordsOf(batch, await compressed.inflate(batch.records), from);
  } catch (thrown) {
    const how = codec === 0 ? 'damaged' : `compressed with ${compressed.name}, and cannot be taken apart`;
    throw unreadable('stream-corrupt', `${how}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
