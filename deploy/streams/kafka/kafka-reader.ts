/**
 * The large path's source: one Kafka topic, its partitions as splits, offsets as positions.
 * Positions come from the checkpoint; there is no group, so that no rebalance ever takes a
 * partition away. A split is a partition of one topic, with the topic's id in its name: a topic
 * that was deleted and created again has other splits, read from their first records, and those of
 * the topic before are listed no more.
 *
 * Kafka gives whole batches; what does not fit a read is kept for the next, at most one answer a
 * partition, of which no more is taken apart than one batch beyond a read. Only what is committed
 * is read: others may write to the topic in transactions.
 *
 * Invariants:
 * 1. Nothing is fetched that was not asked for.
 * 2. A split's records are of the topic in its name. A name without an id, from brokers that know
 *    none, is the topic's as it is.
 * 3. A call that failed changes nothing: the next read goes on from the same position, over new
 *    connections where these are to blame: those of one broker, or all, where none is left or who
 *    asks is not let in. These are made less and less often while they fail; until then the failure
 *    is given again.
 * 4. The end is where the first open transaction begins (the last stable offset), in `latest` and
 *    in `lag`. While one is open no read has found the end: there may be records behind it.
 * 5. What is no record does not hold a split: a read says how far it came.
 * 6. A batch that cannot be read is an error of its own split, once all that comes before it was
 *    given.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { IncomingRecord, Split } from '../../../schemas/ports/record.ts';
import type { ReadBounds, ReadResult, RecordReader } from '../../../schemas/ports/record-reader.ts';
import { CommittedRecords } from './committed-records.ts';
import type { FetchedPartition } from './fetch-request.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { paceOf } from './kafka-connection.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure, isPermanent } from './kafka-failure.ts';
import type { KafkaFetcher, TopicPartition } from './kafka-fetcher.ts';
import { createKafkaFetcher } from './kafka-fetcher.ts';

export interface KafkaReaderOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /**
   * Told when connections are made anew, when the topic is found to have been created again, and
   * once when it cannot be read until somebody acts.
   */
  readonly tell?: (news: 'reconnected' | 'topic-replaced' | 'permanent-failure') => void;
}

/** What a read left for the one that goes on from `after`. */
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
 * Failures that are answers: the connections are not to blame, and whoever lists the splits has the
 * metadata asked anew.
 */
const answered: ReadonlySet<KafkaFailure> = new Set([
  'out-of-range',
  'partition-missing',
  'topic-replaced',
  'codec-refused',
]);

/** Failures of one broker, or of what is known of one: the fetcher itself sees to that. */
const ofOneBroker: ReadonlySet<KafkaFailure> = new Set(['stale', 'not-connected', 'unclear']);

/**
 * @example createKafkaReader({ connection: { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth }, topic: 'rpp-clicks-dev' })
 */
export function createKafkaReader({ connection, topic, tell }: KafkaReaderOptions): RecordReader {
  const of = `Kafka topic '${topic}'`;
  const states = new Map<string, PartitionState>();
  let fetcher: Promise<KafkaFetcher> | undefined;
  let connects = 0;
  /** The topic's id as it was listed first and last. */
  let firstId: string | undefined;
  let listedId: string | undefined;
  let closed = false;
  /** The error that had the connections made anew, and what of it was told already. */
  let lastError: SluiceError | undefined;
  let toldOf: KafkaFailure | undefined;
  const pace = paceOf(connection);

  const connected = (): Promise<KafkaFetcher> => {
    // A connection that nobody ends would keep its thread alive.
    if (closed)
      throw new SluiceError('reader-closed', `${of}: its reader is closed`, { retryable: true });
    if (fetcher === undefined) {
      if (lastError !== undefined && pace.waitMs(of) > 0) throw lastError;
      if (connects++ > 0) tell?.('reconnected');
      fetcher = createKafkaFetcher(connection, topic);
    }
    return fetcher;
  };

  /** What fails because of connections, leaders or principals is tried over new ones next time. */
  const ask = async <T>(
    what: (using: KafkaFetcher) => Promise<T>,
    position?: string,
  ): Promise<T> => {
    const using = connected();
    let asked: KafkaFetcher | undefined;
    try {
      asked = await using;
      const found = await what(asked);
      pace.worked(of);
      toldOf = undefined;
      return found;
    } catch (thrown) {
      const failure = deriveKafkaFailure(thrown);
      const error = asError(thrown);
      if (isPermanent(failure) && toldOf !== failure) {
        toldOf = failure;
        tell?.('permanent-failure');
      }
      const isKept = ofOneBroker.has(failure) && asked?.isConnected() === true;
      if (!answered.has(failure) && !isKept && fetcher === using) {
        fetcher = undefined;
        lastError = error;
        pace.failed(of);
        void using.then((old) => old.close()).catch(() => undefined);
      }
      throw error;
    }

    function asError(thrown: unknown): SluiceError {
      switch (deriveKafkaFailure(thrown)) {
        case 'topic-missing':
          return new SluiceError('stream-missing', `${of}: it is not there`, {
            cause: thrown,
            fix: 'create it, or correct kafka_topic',
          });
        case 'partition-missing':
        case 'topic-replaced':
          return new SluiceError(
            'split-gone',
            `${of}: it was deleted and created again, and what this split had is gone with it`,
            {
              cause: thrown,
              fix: 'nothing: its partitions are read from their first records as splits of their own',
            },
          );
        case 'denied':
          return new SluiceError('stream-denied', `${of}: these credentials may not read it`, {
            cause: thrown,
            fix: 'allow kafka-cluster:Connect, DescribeTopic and ReadData',
            retryable: true,
          });
        case 'out-of-range':
          return new SluiceError(
            'position-trimmed',
            `${of}: the offset ${position ?? ''} is not kept any more`,
            { cause: thrown },
          );
        case 'codec-refused':
          return new SluiceError(
            'codec-unreadable',
            `${of}: the records at ${position ?? ''} are compressed with zstd, which brokers before 2.3 do not give`,
            {
              cause: thrown,
              fix: 'let the topic have another `compression.type`, or go on behind them with `sluice skip TOPOLOGY SPLIT --to POSITION`',
            },
          );
        case 'stale':
        case 'replicas-missing':
        case 'replicas-lost':
        case 'principal-changed':
        case 'too-large':
        case 'not-valid':
        case 'not-connected':
        case 'unclear':
          return new SluiceError('stream-unreachable', `${of}: the brokers cannot be asked`, {
            cause: thrown,
            retryable: true,
          });
      }
    }
  };

  return {
    path: 'kafka',
    async splits() {
      const { id: topicId, partitions } = await ask((using) => using.topic());
      if (listedId !== undefined && topicId !== listedId) tell?.('topic-replaced');
      listedId = topicId ?? listedId;
      firstId ??= listedId;
      // A topic that came later was in no checkpoint of an earlier version.
      return partitions.map((partition) => splitOf(partition, topicId, topicId === firstId));
    },
    async read(split, after, bounds) {
      const place = partitionOf(split);
      const known = states.get(split);
      // Nobody's before this read has ended well: two must not take from one answer.
      states.delete(split);
      let state = known !== undefined && known.after === after ? known : undefined;
      const first =
        state === undefined && after === undefined
          ? (await ask((using) => using.bounds(place))).first
          : undefined;
      state ??= stateAt(after, first ?? BigInt(after ?? 0) + 1n);
      let kept = await filled(state, bounds);
      let found: FetchedPartition | undefined;
      if (kept.length === 0) {
        const from = state.rest.next;
        found = await fetched(place, from, bounds.maxBytes);
        state = { ...state, rest: new CommittedRecords(found, from, of) };
        kept = await filled(state, bounds);
      }
      const records = kept.slice(0, countOf(kept, bounds));
      const last = records.at(-1)?.position;
      if (last !== undefined) state = { ...state, after: last, begin: BigInt(last) + 1n };
      states.set(split, { ...state, kept: kept.slice(records.length) });
      const result: ReadResult =
        found === undefined || last !== undefined
          ? { records, ended: false }
          : emptyResult(found, state.begin, state.rest.next);
      return first === undefined ? result : { ...result, begins: String(first) };
    },
    async latest(split) {
      const { first, end } = await ask((using) => using.bounds(partitionOf(split)));
      const known = states.get(split);
      if (known !== undefined && isReadTo(end, known)) return known.after;
      return end > first ? String(end - 1n) : undefined;
    },
    async lag(split, after) {
      const { first, end } = await ask((using) => using.bounds(partitionOf(split)));
      const known = states.get(split);
      if (known !== undefined && known.after === after && isReadTo(end, known)) return 0;
      const next = after === undefined ? first : BigInt(after) + 1n;
      return Number(end > next ? end - next : 0n);
    },
    async oldest(split) {
      const { first } = await ask((using) => using.bounds(partitionOf(split)));
      return { position: String(first), counts: true };
    },
    async positionAt(split, from) {
      const place = partitionOf(split);
      const { first, end } = await ask((using) => using.bounds(place));
      const next =
        from === 'latest' ? end : ((await ask((using) => using.offsetAt(place, from))) ?? end);
      return next > first ? String(next - 1n) : undefined;
    },
    async close() {
      closed = true;
      states.clear();
      const old = fetcher;
      fetcher = undefined;
      await old?.then((using) => using.close()).catch(() => undefined);
    },
  };

  /** An offset that is not in the log is before its first record, or behind its end. */
  async function fetched(
    place: TopicPartition,
    from: bigint,
    maxBytes: number,
  ): Promise<FetchedPartition> {
    try {
      return await ask((using) => using.fetch(place, from, maxBytes), String(from));
    } catch (thrown) {
      if (!(thrown instanceof SluiceError && thrown.code === 'position-trimmed')) throw thrown;
      const { first, end } = await ask((using) => using.bounds(place));
      if (from < first) throw thrown;
      throw new SluiceError(
        'position-truncated',
        `${of}: the offset ${from} is behind the end of the log, which goes on at ${end}`,
        { cause: thrown },
      );
    }
  }

  function stateAt(after: string | undefined, begin: bigint): PartitionState {
    return {
      after,
      begin,
      kept: [],
      rest: new CommittedRecords({ batches: Buffer.alloc(0), aborted: [] }, begin, of),
    };
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

/** Whether all before `end` was given, and what was not is no record. */
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
