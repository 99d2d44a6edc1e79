/**
 * The records of one answer that count: those of transactions that were broken off, and the markers
 * of how transactions ended, are no records. Batches are taken apart one by one as they are asked
 * for, so that what is compressed stays so until then. As Kafka's own client does it:
 * https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/clients/consumer/internals/CompletedFetch.java
 *
 * Invariants:
 * 1. `next` is behind all that was given or left out: a batch without records counts as read.
 * 2. A batch that cannot be read is thrown each time, and what comes before it was given.
 */
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import { kafkaCodec } from './codecs/codecs.ts';
import type { AbortedTransaction, FetchedPartition } from './fetch-request.ts';
import type { RecordBatch } from './record-batches.ts';
import { batchesIn, currentForm, damagedForm, isAbortMarker, recordsOf } from './record-batches.ts';

export class CommittedRecords {
  /** Undefined when all were taken: the answer's memory is dropped. */
  #batches: Generator<RecordBatch, undefined> | undefined;
  /** In the order of their first records. */
  readonly #aborted: AbortedTransaction[];
  /** Producers whose transaction was broken off, and has not ended yet at this place. */
  readonly #breaking = new Set<bigint>();
  readonly #of: string;
  #next: bigint;
  /** Taken from `#batches`, and not given yet. */
  #ahead: RecordBatch | undefined;

  /** `of`: what the batches are of, for errors. */
  constructor(
    { batches, aborted }: Pick<FetchedPartition, 'batches' | 'aborted'>,
    from: bigint,
    of: string,
  ) {
    this.#batches = batchesIn(batches);
    this.#aborted = [...aborted].sort((a, b) => Number(a.first - b.first));
    this.#next = from;
    this.#of = of;
  }

  /** Where to read on once all that was given is taken. */
  get next(): bigint {
    return this.#next;
  }

  /**
   * The records of the next batch that has any; undefined when there is none left. Throws
   * `SluiceError` `codec-unreadable`, `records-unreadable`, `stream-corrupt`.
   */
  async batch(): Promise<IncomingRecord[] | undefined> {
    for (;;) {
      this.#ahead ??= this.#batches?.next().value;
      const batch = this.#ahead;
      if (batch === undefined) {
        this.#batches = undefined;
        return undefined;
      }
      const records = await this.#recordsOf(batch);
      this.#ahead = undefined;
      if (batch.last >= this.#next) this.#next = batch.last + 1n;
      if (records.length > 0) return records;
    }
  }

  /** Asked again about the same batch, it says the same. */
  async #recordsOf(batch: RecordBatch): Promise<IncomingRecord[]> {
    try {
      return this.#isLeftOut(batch) ? [] : recordsOf(batch, await inflated(batch), this.#next);
    } catch (thrown) {
      throw unreadable(batch, this.#of, thrown);
    }
  }

  #isLeftOut(batch: RecordBatch): boolean {
    for (
      let [begun] = this.#aborted;
      begun !== undefined && begun.first <= batch.last;
      [begun] = this.#aborted
    ) {
      this.#breaking.add(begun.producerId);
      this.#aborted.shift();
    }
    if (!batch.isControl) return batch.isTransactional && this.#breaking.has(batch.producerId);
    if (isAbortMarker(batch)) this.#breaking.delete(batch.producerId);
    return true;
  }
}

async function inflated({ form, codec, records }: RecordBatch): Promise<Buffer> {
  if (form !== currentForm) {
    throw form === damagedForm
      ? new RangeError('it is too short for a batch')
      : new SluiceError(
          'records-unreadable',
          `of the form ${form}, which Kafka wrote before 0.11 and is not read here`,
        );
  }
  const coding = kafkaCodec(codec);
  if (!('missing' in coding)) return coding.inflate(records);
  const { name, missing, fix } = coding;
  throw new SluiceError(
    'codec-unreadable',
    `compressed with ${name}, ${missing}`,
    fix === undefined ? {} : { fix },
  );
}

/** What is wrong with a batch, and where: what is not told by a code of ours is damage. */
function unreadable({ first, last, codec }: RecordBatch, of: string, thrown: unknown): SluiceError {
  const skip = `continue after them with \`sluice skip TOPOLOGY SPLIT --to ${last}\``;
  const { code, message, fix } =
    thrown instanceof SluiceError
      ? thrown
      : { code: 'stream-corrupt' as const, message: damage(codec, thrown), fix: undefined };
  return new SluiceError(code, `${of}: the records at ${first} to ${last} are ${message}`, {
    cause: thrown,
    fix: fix === undefined ? skip : `${fix}, or ${skip}`,
    details: { first, last, codec },
  });
}

function damage(codec: number, thrown: unknown): string {
  const { name } = kafkaCodec(codec);
  return `${name === 'none' ? 'damaged' : `compressed with ${name}, and cannot be taken apart`}: ${messageOf(thrown)}`;
}
