/**
 * The large route's source: one Kafka topic, its partitions as splits, offsets as positions.
 * Positions come from the checkpoint; there is no group, so that no rebalance ever takes a
 * partition away. A split is a partition of one topic, with the topic's id in its name: a topic
 * that was deleted and created again has other splits, read from their first records, and those of
 * the topic before are no longer listed.
 *
 * Kafka gives whole batches; what does not fit a read is kept for the next, at most one answer a
 * partition, of which no more is taken apart than one batch beyond a read. Only what is committed
 * is read: others may write to the topic in transactions.
 *
 * Invariants:
 * 1. Nothing is fetched that was not asked for.
 * 2. A split's records are of the topic in its name. A name without an id, from brokers that know
 *    none, is the topic's as it is.
 * 3. A call that failed changes nothing: the next read resumes from the same position, over new
 *    connections where these are to blame (asked-topic.ts).
 * 4. The end is where the first open transaction begins (the last stable offset), in `latest` and
 *    in `lag`. While one is open no read has found the end: there may be records after it.
 * 5. What is not a record does not hold a split: a read says how far it came.
 * 6. A batch that cannot be read is an error of its own split, once all that comes before it was
 *    given.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { IncomingRecord, Split } from '../../../schemas/ports/record.ts';
import type {
  OldestKept,
  ReadBounds,
  ReadFrom,
  ReadResult,
  RecordReader,
} from '../../../schemas/ports/record-reader.ts';
import { AskedTopic } from './asked-topic.ts';
import { CommittedRecords } from './committed-records.ts';
import type { FetchedPartition } from './fetch-request.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type { KafkaFetcher, TopicPartition } from './kafka-fetcher.ts';

export interface KafkaReaderOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /**
   * Told when connections are made again, when the topic is found to have been created again, and
   * once when it cannot be read until somebody acts.
   */
  readonly tell?: (news: 'reconnected' | 'topic-replaced' | 'permanent-failure') => void;
}

/** What a read left for the one that resumes from `after`. */
interface PartitionState {
  readonly after: string | undefined;
  /** What `after` stands for: the first offset to read. */
  readonly begin: bigint;
  readonly kept: readonly IncomingRecord[];
  /** What comes behind `kept`. */
  readonly rest: CommittedRecords;
}

const prefix = 'partition-';

/**
 * @example
 * const connection = { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth };
 * createKafkaReader({ connection, topic: 'rpp-clicks-dev' });
 */
export function createKafkaReader(options: KafkaReaderOptions): RecordReader {
  return new KafkaReader(options);
}

class KafkaReader implements RecordReader {
  readonly route = 'kafka';
  readonly #asked: AskedTopic;
  readonly #tell: KafkaReaderOptions['tell'];
  readonly #states = new Map<string, PartitionState>();
  /** The topic's id as it was listed first and last. */
  #firstId: string | undefined;
  #listedId: string | undefined;

  constructor({ connection, topic, tell }: KafkaReaderOptions) {
    this.#asked = new AskedTopic(connection, topic, (news) => tell?.(news));
    this.#tell = tell;
  }

  async splits(): Promise<readonly Split[]> {
    const { id: topicId, partitions } = await this.#asked.ask((using) => using.topic());
    if (this.#listedId !== undefined && topicId !== this.#listedId) this.#tell?.('topic-replaced');
    this.#listedId = topicId ?? this.#listedId;
    this.#firstId ??= this.#listedId;
    // A topic that came later was in no checkpoint of an earlier version.
    return partitions.map((partition) => splitOf(partition, topicId, topicId === this.#firstId));
  }

  async read(split: string, after: string | undefined, bounds: ReadBounds): Promise<ReadResult> {
    const place = partitionOf(split);
    const known = this.#states.get(split);
    // Nobody's before this read has ended well: two must not take from one answer.
    this.#states.delete(split);
    let state = known !== undefined && known.after === after ? known : undefined;
    const first =
      state === undefined && after === undefined ? (await this.#bounds(place)).first : undefined;
    state ??= this.#stateAt(after, first ?? BigInt(after ?? 0) + 1n);
    let kept = await filled(state, bounds);
    let found: FetchedPartition | undefined;
    if (kept.length === 0) {
      const from = state.rest.next;
      found = await this.#fetched(place, from, bounds.maxBytes);
      state = { ...state, rest: new CommittedRecords(found, from, this.#asked.name) };
      kept = await filled(state, bounds);
    }
    const records = kept.slice(0, countOf(kept, bounds));
    const last = records.at(-1)?.position;
    if (last !== undefined) state = { ...state, after: last, begin: BigInt(last) + 1n };
    this.#states.set(split, { ...state, kept: kept.slice(records.length) });
    const result: ReadResult =
      found === undefined || last !== undefined
        ? { records, ended: false }
        : emptyResult(found, state.begin, state.rest.next);
    return first === undefined ? result : { ...result, begins: String(first) };
  }

  async latest(split: string): Promise<string | undefined> {
    const { first, end } = await this.#bounds(partitionOf(split));
    const known = this.#states.get(split);
    if (known !== undefined && isReadTo(end, known)) return known.after;
    return end > first ? String(end - 1n) : undefined;
  }

  async lag(split: string, after: string | undefined): Promise<number> {
    const { first, end } = await this.#bounds(partitionOf(split));
    const known = this.#states.get(split);
    if (known !== undefined && known.after === after && isReadTo(end, known)) return 0;
    const next = after === undefined ? first : BigInt(after) + 1n;
    return Number(end > next ? end - next : 0n);
  }

  async oldest(split: string): Promise<OldestKept> {
    const { first } = await this.#bounds(partitionOf(split));
    return { position: String(first), counts: true };
  }

  async positionAt(split: string, from: ReadFrom): Promise<string | undefined> {
    const place = partitionOf(split);
    const { first, end } = await this.#bounds(place);
    const next =
      from === 'latest'
        ? end
        : ((await this.#asked.ask((using) => using.offsetAt(place, from))) ?? end);
    return next > first ? String(next - 1n) : undefined;
  }

  async close(): Promise<void> {
    this.#states.clear();
    await this.#asked.close();
  }

  #bounds(place: TopicPartition): ReturnType<KafkaFetcher['bounds']> {
    return this.#asked.ask((using) => using.bounds(place));
  }

  /** An offset that is not in the log is before its first record, or behind its end. */
  async #fetched(place: TopicPartition, from: bigint, maxBytes: number): Promise<FetchedPartition> {
    try {
      return await this.#asked.ask((using) => using.fetch(place, from, maxBytes), String(from));
    } catch (thrown) {
      if (!(thrown instanceof SluiceError && thrown.code === 'position-trimmed')) throw thrown;
      const { first, end } = await this.#bounds(place);
      if (from < first) throw thrown;
      throw new SluiceError(
        'position-truncated',
        `${this.#asked.name}: the offset ${from} is behind the end of the log, which continues at ${end}`,
        { cause: thrown },
      );
    }
  }

  #stateAt(after: string | undefined, begin: bigint): PartitionState {
    const none = { batches: Buffer.alloc(0), aborted: [] };
    return { after, begin, kept: [], rest: new CommittedRecords(none, begin, this.#asked.name) };
  }
}

/**
 * What is kept, with as much of the rest as a read takes. What is there is given before a batch
 * that cannot be read is an error.
 */
async function filled(
  { kept, rest }: PartitionState,
  { maxRecords, maxBytes }: ReadBounds,
): Promise<readonly IncomingRecord[]> {
  const all = [...kept];
  let bytes = 0;
  for (const { value } of all) bytes += value.length;
  while (all.length < maxRecords && bytes < maxBytes) {
    let records: readonly IncomingRecord[] | undefined;
    try {
      records = await rest.batch();
    } catch (thrown) {
      if (all.length === 0) throw thrown;
    }
    if (records === undefined) break;
    for (const record of records) {
      all.push(record);
      bytes += record.value.length;
    }
  }
  return all;
}

/** How many fit a read: one at least. */
function countOf(kept: readonly IncomingRecord[], { maxRecords, maxBytes }: ReadBounds): number {
  let count = 0;
  let bytes = 0;
  for (const { value } of kept) {
    if (count > 0 && (count >= maxRecords || bytes + value.length > maxBytes)) break;
    count++;
    bytes += value.length;
  }
  return count;
}

/** Whether every record before `end` was given. */
function isReadTo(end: bigint, { kept, rest }: PartitionState): boolean {
  return kept.length === 0 && rest.next >= end;
}

/** Of a read that asked from `begin` on, and came to `next` without a record. */
function emptyResult(
  { highWatermark, lastStable }: FetchedPartition,
  begin: bigint,
  next: bigint,
): ReadResult {
  const reached = next > begin ? { reached: String(next - 1n) } : {};
  const none = { records: [], ended: false, ...reached };
  if (next >= highWatermark) return none;
  if (next < lastStable) return { ...none, inconclusive: true };
  const waitsFor =
    `a transaction of another producer has been open since ${lastStable}, and what is behind it (${highWatermark - lastStable} positions) is read when it ends; ` +
    'one that never does is found with `kafka-transactions.sh find-hanging`, and ended with `abort`';
  return { ...none, inconclusive: true, waitsFor };
}

function splitOf(partition: number, topicId: string | undefined, isFirst: boolean): Split {
  const plain = `${prefix}${partition}`;
  if (topicId === undefined) return { id: plain, parents: [] };
  return { id: `${plain}-${topicId}`, parents: [], ...(isFirst ? { formerly: plain } : {}) };
}

function partitionOf(split: string): TopicPartition {
  const [, partition, topicId] = /^partition-(\d+)(?:-(.+))?$/.exec(split) ?? [];
  return { partition: Number(partition), topicId };
}
