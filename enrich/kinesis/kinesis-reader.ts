/**
 * The small path's source: one Kinesis stream, its shards as splits, sequence numbers as positions.
 *
 * Kinesis gives whole batches, five times a second a shard; what does not fit a read is kept for the next, at most one batch a shard. It cannot
 * be asked for its newest positions: reads say how far behind they are.
 *
 * Invariants:
 * 1. Between two calls of a shard passes at least `limits.kinesisReadIntervalMs`, and as long as the bytes of the last one take at 2 MB/s: what
 *    Kinesis gives a shard. Earlier reads give nothing, and ask nothing.
 * 2. `behindMs` is of a call that began with this read, and only when nothing of it is kept back.
 * 3. A call that failed changes nothing: the next read goes on from the same position.
 */
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { ReadBounds, ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import type { KinesisSourceClientOptions, ReadRecords } from './kinesis-client.ts';
import { createKinesisSourceClient } from './kinesis-client.ts';
import { readFaultOf } from './read-fault.ts';
import { splitsOf } from './shards.ts';

export interface KinesisReaderOptions extends KinesisSourceClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of `throttled` and `iterator-expired`. */
  readonly tell?: (news: 'throttled' | 'iterator-expired') => void;
}

interface ShardState {
  /** Where `kept` begins, and `iterator` after it. */
  after: string | undefined;
  kept: readonly IncomingRecord[];
  iterator: string | undefined;
  /** Its end was read; what is kept is the last. */
  ended: boolean;
  /** Monotonic ms. */
  notBeforeMs: number;
  throttles: number;
}

const throttleBackoff = { baseMs: limits.kinesisReadIntervalMs, maxMs: 10_000 };
const nothing: ReadResult = { records: [], ended: false, inconclusive: true };

/** @example createKinesisReader({ region: 'eu-central-1', streamName: 'rpp-promo-clicks-dev', clock, random }) */
export function createKinesisReader({ clock, random, tell, ...options }: KinesisReaderOptions): RecordReader {
  const { streamName } = options;
  const api = createKinesisSourceClient(options);
  const states = new Map<string, ShardState>();

  const stateOf = (split: string, after: string | undefined): ShardState => {
    const known = states.get(split);
    if (known !== undefined && known.after === after) return known;
    const { notBeforeMs = 0, throttles = 0 } = known ?? {};
    const state: ShardState = { after, kept: [], iterator: undefined, ended: false, notBeforeMs, throttles };
    states.set(split, state);
    return state;
  };

  /** One call, and another when its iterator had expired. Undefined: nothing now. */
  const fetch = async (split: string, state: ShardState): Promise<ReadRecords | undefined> => {
    for (let attempt = 0; ; attempt++) {
      const startedMs = clock.monotonic();
      state.notBeforeMs = startedMs + limits.kinesisReadIntervalMs;
      let action = 'kinesis:GetShardIterator';
      try {
        state.iterator ??= await api.iterator(split, state.after);
        action = 'kinesis:GetRecords';
        const got = await api.records(state.iterator);
        state.throttles = 0;
        const paceMs = (bytesOf(got.records) * 1_000) / limits.kinesisShardReadBytesPerSecond;
        state.notBeforeMs = startedMs + Math.max(limits.kinesisReadIntervalMs, paceMs);
        return got;
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, action, true);
        if (fault.kind === 'error') throw fault.error;
        if (fault.kind === 'throttled') {
          tell?.('throttled');
          state.notBeforeMs = clock.monotonic() + throttleBackoff.baseMs + backoffMs(state.throttles++, throttleBackoff, random);
          return undefined;
        }
        tell?.('iterator-expired');
        state.iterator = undefined;
        if (attempt > 0) return undefined;
      }
    }
  };

  return {
    path: 'kinesis',
    async splits() {
      try {
        return splitsOf(await api.shards());
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, 'kinesis:ListShards', false);
        if (fault.kind === 'error') throw fault.error;
        throw new SluiceError('stream-unreachable', `Kinesis stream '${streamName}': it is asked too often`, { retryable: true });
      }
    },
    async read(split, after, bounds) {
      const state = stateOf(split, after);
      if (state.kept.length > 0) return take(state, bounds, undefined);
      if (state.ended) return { records: [], ended: true };
      if (clock.monotonic() < state.notBeforeMs) return nothing;
      const got = await fetch(split, state);
      if (got === undefined) return nothing;
      state.kept = got.records;
      state.iterator = got.next;
      state.ended = got.next === undefined;
      return take(state, bounds, got.behindMs);
    },
    latest: () => Promise.resolve(null),
    lag: () => Promise.resolve(undefined),
    close() {
      states.clear();
      api.close();
      return Promise.resolve();
    },
  };
}

/** What fits of what is kept; the rest stays for the read after it. */
function take(state: ShardState, { maxRecords, maxBytes }: ReadBounds, behindMs: number | undefined): ReadResult {
  let count = 0;
  let bytes = 0;
  for (const { value } of state.kept) {
    if (count > 0 && (count >= maxRecords || bytes + value.length > maxBytes)) break;
    count++;
    bytes += value.length;
  }
  const records = state.kept.slice(0, count);
  state.kept = state.kept.slice(count);
  const last = records.at(-1);
  if (last !== undefined) state.after = last.position;
  const whole = state.kept.length === 0;
  return { records, ended: state.ended && whole, ...(whole && behindMs !== undefined ? { behindMs } : {}) };
}

function bytesOf(records: readonly IncomingRecord[]): number {
  let bytes = 0;
  for (const { value } of records) bytes += value.length;
  return bytes;
}
