/**
 * The large path's source: one Kafka topic, its partitions as splits, offsets as positions. Positions come from the checkpoint; there is no group,
 * so that no rebalance ever takes a partition away. A split is a partition of one topic, with the topic's id in its name: a topic that was deleted and
 * created again has other splits, read from their first records, and those of the topic before are listed no more.
 *
 * Kafka gives whole batches; what does not fit a read is kept for the next, at most one answer a partition. Records of transactions that were
 * broken off are given as well: the ingress writes none.
 *
 * Invariants:
 * 1. Nothing is fetched that was not asked for.
 * 2. A split's records are of the topic in its name. A name without an id, from brokers that know none, is the topic's as it is.
 * 3. A call that failed changes nothing: the next read goes on from the same position, over new connections where these are to blame.
 */

import type { KafkaFailure } from '../../schemas/kafka-failure.ts';
import { deriveKafkaFailure } from '../../schemas/kafka-failure.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { KafkaConnection } from '../../schemas/ports/kafka-connection.ts';
import type { IncomingRecord, Split } from '../../schemas/ports/record.ts';
import type { ReadBounds, RecordReader } from '../../schemas/ports/record-reader.ts';
import type { FetchedMessage, KafkaFetcher, TopicPartition } from './kafka-fetcher.ts';
import { createKafkaFetcher } from './kafka-fetcher.ts';

export interface KafkaReaderOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /** Told when connections are made anew, and when the topic is found to have been created again. */
  readonly tell?: (news: 'reconnected' | 'topic-replaced') => void;
}

interface PartitionState {
  readonly after: string | undefined;
  /** What `kept` goes on to, or where the next fetch begins. */
  next: bigint;
  kept: readonly IncomingRecord[];
}

const prefix = 'partition-';

/** Failures that are answers: the connections are not to blame, and whoever lists the splits has the metadata asked anew. */
const answered: ReadonlySet<KafkaFailure> = new Set(['out-of-range', 'partition-missing', 'topic-replaced']);

/** @example createKafkaReader({ connection: { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth }, topic: 'rpp-clicks-dev' }) */
export function createKafkaReader({ connection, topic, tell }: KafkaReaderOptions): RecordReader {
  const states = new Map<string, PartitionState>();
  let fetcher: Promise<KafkaFetcher> | undefined;
  let connects = 0;
  /** The topic's id as it was listed first and last. */
  let firstId: string | undefined;
  let listedId: string | undefined;
  let closed = false;

  const connected = (): Promise<KafkaFetcher> => {
    // A connection that nobody ends would keep its thread alive.
    if (closed) throw new SluiceError('reader-closed', `Kafka topic '${topic}': its reader is closed`, { retryable: true });
    if (fetcher === undefined) {
      if (connects++ > 0) tell?.('reconnected');
      fetcher = createKafkaFetcher(connection, topic);
    }
    return fetcher;
  };

  /** What fails because of connections, leaders or principals is tried over new ones next time. */
  const ask = async <T>(what: (using: KafkaFetcher) => Promise<T>, position?: string): Promise<T> => {
    const using = connected();
    try {
      return await what(await using);
    } catch (thrown) {
      const failure = deriveKafkaFailure(thrown);
      if (!answered.has(failure) && fetcher === using) {
        fetcher = undefined;
        void using.then((old) => old.close()).catch(() => undefined);
      }
      throw asError(thrown);
    }

    function asError(thrown: unknown): SluiceError {
      const of = `Kafka topic '${topic}'`;
      switch (deriveKafkaFailure(thrown)) {
        case 'topic-missing':
          return new SluiceError('stream-missing', `${of}: it is not there`, { cause: thrown, fix: 'create it, or correct kafka_topic' });
        case 'partition-missing':
        case 'topic-replaced':
          return new SluiceError('split-gone', `${of}: it was deleted and created again, and what this split had is gone with it`, {
            cause: thrown,
            fix: 'nothing: its partitions are read from their first records as splits of their own',
          });
        case 'denied':
          return new SluiceError('stream-denied', `${of}: these credentials may not read it`, {
            cause: thrown,
            fix: 'allow kafka-cluster:Connect, DescribeTopic and ReadData',
            retryable: true,
          });
        case 'out-of-range':
          return new SluiceError('position-trimmed', `${of}: the position ${position ?? ''} is not kept any more`, {
            cause: thrown,
            fix: 'records were lost to the retention: go on from the oldest with `sluice skip TOPOLOGY SPLIT --to oldest`',
          });
        case 'stale':
        case 'principal-changed':
        case 'too-large':
        case 'not-valid':
        case 'not-connected':
        case 'unclear':
          return new SluiceError('stream-unreachable', `${of}: the brokers cannot be asked`, { cause: thrown, retryable: true });
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
      const state = known !== undefined && known.after === after ? known : undefined;
      if (state !== undefined && state.kept.length > 0) return { records: take(split, state, bounds), ended: false };
      let next = state?.next ?? (after === undefined ? undefined : BigInt(after) + 1n);
      next ??= (await ask((using) => using.bounds(place))).first;
      const from = next;
      const found = await ask((using) => using.fetch(place, from, bounds.maxBytes), String(from));
      // A batch is given whole, and may begin before what was asked for.
      const begin = found.messages.findIndex(({ offset }) => BigInt(offset) >= from);
      const kept: IncomingRecord[] = [];
      for (let n = begin < 0 ? found.messages.length : begin; n < found.messages.length; n++) {
        const message = found.messages[n] as FetchedMessage;
        if (!message.isControlRecord) kept.push(recordOf(message));
      }
      const last = found.messages.at(-1);
      // An answer may hold only what lies before, and then the next one begins behind it.
      const reached = last === undefined || BigInt(last.offset) < from ? from : BigInt(last.offset) + 1n;
      const records = take(split, { after, next: reached, kept }, bounds);
      return records.length === 0 && reached > from ? { records, ended: false, inconclusive: true } : { records, ended: false };
    },
    async latest(split) {
      const { first, end } = await ask((using) => using.bounds(partitionOf(split)));
      return end > first ? String(end - 1n) : undefined;
    },
    async lag(split, after) {
      const { first, end } = await ask((using) => using.bounds(partitionOf(split)));
      const next = after === undefined ? first : BigInt(after) + 1n;
      return Number(end > next ? end - next : 0n);
    },
    async close() {
      closed = true;
      states.clear();
      const old = fetcher;
      fetcher = undefined;
      await old?.then((using) => using.close()).catch(() => undefined);
    },
  };

  /** What fits of what is kept; the rest stays for the read after it. */
  function take(split: string, { after, next, kept }: PartitionState, { maxRecords, maxBytes }: ReadBounds): readonly IncomingRecord[] {
    let count = 0;
    let bytes = 0;
    for (const { value } of kept) {
      if (count > 0 && (count >= maxRecords || bytes + value.length > maxBytes)) break;
      count++;
      bytes += value.length;
    }
    const records = kept.slice(0, count);
    states.set(split, { after: records.at(-1)?.position ?? after, next, kept: kept.slice(count) });
    return records;
  }
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

function recordOf({ key, value, headers, offset, timestamp }: FetchedMessage): IncomingRecord {
  const texts: Record<string, string> = {};
  let hasHeaders = false;
  for (const name in headers) {
    texts[name] = textOf(headers[name]);
    hasHeaders = true;
  }
  return {
    key: key?.toString('utf8') ?? '',
    value: value ?? new Uint8Array(0),
    position: offset,
    arrivedAtMs: Number(timestamp),
    ...(hasHeaders ? { headers: texts } : {}),
  };
}

/** A header that comes several times counts by its last. */
function textOf(given: FetchedMessage['headers'][string]): string {
  const last = Array.isArray(given) ? (given.at(-1) as Buffer | string | undefined) : (given as Buffer | string | undefined);
  return last === undefined ? '' : last.toString();
}
