/**
 * The small path's source: one Kinesis stream, its shards as splits, sequence numbers as positions.
 *
 * Kinesis gives whole batches, when it is asked or, to a consumer of enhanced fan-out, by itself
 * (fan-out-client.ts); what does not fit a read is kept for the next, at most one batch a shard. It
 * cannot be asked for its newest positions: reads say how far behind they are.
 *
 * Invariants:
 * 1. Between two calls of a shard passes at least `readEveryMs`, `idleReadEveryMs` where the first
 *    found the end, and as long as the bytes of the last one take at 2 MB/s. Earlier reads give
 *    nothing, and ask nothing: Kinesis gives a shard five calls and 2 MB a second, which all its
 *    readers share. One that was throttled waits longer each time, and is no failure.
 * 2. `behindMs` is of a call that began with this read, and only when nothing of it is kept back.
 * 3. A call that failed changes nothing: the next read goes on from the same position.
 * 4. Nothing is passed over in silence. Kinesis goes on with the oldest record when the one behind
 *    a position is not kept any more, and says nothing of it. So where records may have been
 *    removed, which is when the last that is known to be read is about as old as the retention, a
 *    read begins with the record at the position: as long as that is there, so is everything behind
 *    it.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { IncomingRecord, Split } from '../../../schemas/ports/record.ts';
import type {
  ReadBounds,
  ReadFrom,
  ReadKnown,
  ReadResult,
  RecordReader,
} from '../../../schemas/ports/record-reader.ts';
import { fanOutApi } from './fan-out-client.ts';
import type {
  KinesisSourceClientOptions,
  ReadRecords,
  ShardPlace,
} from './kinesis-source-client.ts';
import { createKinesisSourceClient } from './kinesis-source-client.ts';
import { readFaultOf } from './read-fault.ts';
import { splitsOf } from './shards.ts';

export interface KinesisReaderOptions extends KinesisSourceClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Between two reads of a shard that has more; default `limits.kinesisReadEveryMs`. */
  readonly readEveryMs?: number;
  /** And of one whose end was found; default `limits.kinesisIdleReadEveryMs`. */
  readonly idleReadEveryMs?: number;
  /**
   * The consumer of enhanced fan-out by which it is read, whose shards are read by nobody else;
   * default: by reads that all share.
   */
  readonly consumer?: string | undefined;
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
  /** The record that has to come first, where it may not be kept any more. */
  expects: string | undefined;
  /** Of one without a position that begins with what comes: when that was, epoch ms. */
  latestAtMs: number | undefined;
}

const throttleBackoff = { baseMs: 500, maxMs: 10_000 };
const nothing: ReadResult = { records: [], ended: false, inconclusive: true };
const throttled = (isPushed: boolean): ReadResult => ({
  ...nothing,
  waitsFor: isPushed
    ? 'Kinesis does not give it the shard yet: an earlier subscription of its consumer is not over'
    : 'it is throttled: Kinesis gives a shard 5 reads and 2 MB a second for all its readers together',
});

/**
 * @example createKinesisReader({ region: 'eu-central-1', streamName: 'rpp-promo-clicks-dev', clock, random })
 */
export function createKinesisReader({
  clock,
  random,
  readEveryMs = limits.kinesisReadEveryMs,
  idleReadEveryMs = limits.kinesisIdleReadEveryMs,
  consumer,
  tell,
  ...options
}: KinesisReaderOptions): RecordReader {
  const { streamName } = options;
  const shared = createKinesisSourceClient(options);
  const api = consumer === undefined ? shared : fanOutApi(shared, { ...options, consumer, clock });
  const states = new Map<string, ShardState>();
  /** As it was asked last. */
  let retention: { readonly ms: number; readonly askedMs: number } | undefined;
  const trimmed = (
    why = 'the record at the position that was read last is not kept any more, nor may be what came behind it',
  ): SluiceError => new SluiceError('position-trimmed', `Kinesis stream '${streamName}': ${why}`);

  const stateOf = (split: string, after: string | undefined): ShardState => {
    const known = states.get(split);
    if (known !== undefined && known.after === after) return known;
    const { notBeforeMs = 0, throttles = 0 } = known ?? {};
    const fresh = { iterator: undefined, expects: undefined, latestAtMs: undefined };
    const state: ShardState = { after, kept: [], ended: false, notBeforeMs, throttles, ...fresh };
    states.set(split, state);
    return state;
  };

  /**
   * Whether records that came after the last one that is known to be read may be removed by now.
   */
  const mayBeTrimmed = async (readToMs: number | undefined): Promise<boolean> => {
    if (readToMs === undefined) return false;
    const ageMs = clock.now() - readToMs + limits.kinesisTrimMarginMs;
    if (ageMs <= limits.kinesisRetentionLeastMs) return false;
    if (
      retention === undefined ||
      clock.monotonic() - retention.askedMs > limits.kinesisRetentionKnownMs
    ) {
      retention = { ms: await api.retentionMs(), askedMs: clock.monotonic() };
    }
    return ageMs > retention.ms;
  };

  const placeOf = (state: ShardState, from: ReadFrom | undefined): ShardPlace => {
    if (state.after !== undefined) return { kind: 'after', position: state.after };
    if (from === undefined) return { kind: 'oldest' };
    if (typeof from === 'number') return { kind: 'since', atMs: from };
    // Asked for again it would leave out what has come since.
    if (state.latestAtMs !== undefined)
      return { kind: 'since', atMs: state.latestAtMs - limits.latestMarginMs };
    state.latestAtMs = clock.now();
    return { kind: 'latest' };
  };

  /** Makes `iterator` one that goes on where the state is. */
  const seek = async (
    split: string,
    state: ShardState,
    { readToMs, from }: ReadKnown,
  ): Promise<void> => {
    // What was begun is gone through first; of what is pushed nothing is missing.
    if (state.iterator !== undefined && (state.expects !== undefined || api.isPushed)) return;
    state.expects = undefined;
    if (await mayBeTrimmed(readToMs)) {
      if (state.after === undefined) throw trimmed();
      state.iterator = await api.iterator(split, { kind: 'at', position: state.after });
      state.expects = state.after;
    } else state.iterator ??= await api.iterator(split, placeOf(state, from));
  };

  /**
   * What was got without the record that was looked for. Throws `position-trimmed` where that is
   * not there.
   */
  const confirmed = (state: ShardState, got: ReadRecords): ReadRecords => {
    if (state.expects === undefined) return got;
    const [first, ...rest] = got.records;
    // Kinesis may give nothing and be far from the end.
    if (first === undefined && got.behindMs > 0 && got.next !== undefined) return got;
    const isThere = first?.position === state.expects;
    state.expects = undefined;
    if (isThere) return { ...got, records: rest };
    state.iterator = undefined;
    throw trimmed();
  };

  /** Of a position at which there is nothing: the stream or the shard may not be there either. */
  const lost = async (split: string, { after }: ShardState, why: string): Promise<SluiceError> => {
    const listed = await list();
    if (listed.some(({ id }) => id === split)) {
      if (after !== undefined) return trimmed(why);
      // Of a stream that is being created or deleted.
      return new SluiceError('stream-unreachable', `Kinesis stream '${streamName}': ${why}`, {
        retryable: true,
      });
    }
    return new SluiceError(
      'split-gone',
      `Kinesis stream '${streamName}': it has no shard ${split} any more`,
    );
  };

  /**
   * Tried again while it is throttled: the quotas of listing are a stream's, or an account's, and
   * not ours alone.
   */
  const list = async (): Promise<readonly Split[]> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return splitsOf(await api.shards());
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, 'kinesis:ListShards', false);
        if (fault.kind === 'error') throw fault.error;
        tell?.('throttled');
        if (attempt + 1 >= limits.kinesisListTriesMax)
          throw new SluiceError(
            'stream-unreachable',
            `Kinesis stream '${streamName}': listing its shards is throttled`,
            {
              retryable: true,
            },
          );
        await sleep(clock, throttleBackoff.baseMs + backoffMs(attempt, throttleBackoff, random));
      }
    }
  };

  /** One call, and another when its iterator had expired. Undefined: nothing now. */
  const fetch = async (
    split: string,
    state: ShardState,
    known: ReadKnown,
  ): Promise<ReadRecords | undefined> => {
    for (let attempt = 0; ; attempt++) {
      const startedMs = clock.monotonic();
      state.notBeforeMs = startedMs + readEveryMs;
      let action = api.actions.iterator;
      try {
        await seek(split, state, known);
        action = api.actions.records;
        const got = await api.records(present(state.iterator, 'an iterator'));
        state.throttles = 0;
        if (api.isPushed) state.notBeforeMs = startedMs;
        if (got === undefined || api.isPushed) return got && confirmed(state, got);
        const paceMs = (bytesOf(got.records) * 1_000) / limits.kinesisShardReadBytesPerSecond;
        const everyMs = got.behindMs === 0 ? Math.max(readEveryMs, idleReadEveryMs) : readEveryMs;
        state.notBeforeMs = startedMs + Math.max(everyMs, paceMs);
        return confirmed(state, got);
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, action, true);
        if (fault.kind === 'error') throw fault.error;
        if (fault.kind === 'throttled') {
          tell?.('throttled');
          state.notBeforeMs =
            clock.monotonic() +
            throttleBackoff.baseMs +
            backoffMs(state.throttles++, throttleBackoff, random);
          return undefined;
        }
        state.iterator = undefined;
        if (fault.kind === 'lost') throw await lost(split, state, fault.why);
        tell?.('iterator-expired');
        if (attempt > 0) return undefined;
      }
    }
  };

  return {
    path: 'kinesis',
    slowMs:
      limits.readSlowMs +
      (api.isPushed ? limits.kinesisFanOutWaitMs : 2 * Math.max(readEveryMs, idleReadEveryMs)),
    splits: list,
    async read(split, after, bounds, known = {}) {
      const state = stateOf(split, after);
      if (state.kept.length > 0) return take(state, bounds, undefined);
      if (state.ended) return { records: [], ended: true };
      if (clock.monotonic() < state.notBeforeMs)
        return state.throttles > 0 ? throttled(api.isPushed) : nothing;
      const got = await fetch(split, state, known);
      if (got === undefined) return state.throttles > 0 ? throttled(api.isPushed) : nothing;
      state.kept = got.records;
      state.iterator = got.next;
      state.ended = got.next === undefined;
      return take(state, bounds, got.behindMs);
    },
    latest: () => Promise.resolve(null),
    lag: () => Promise.resolve(undefined),
    async oldest(split) {
      return { position: await api.oldest(split), counts: false };
    },
    positionAt: () => Promise.resolve(null),
    close() {
      states.clear();
      api.close();
      return Promise.resolve();
    },
  };
}

/** What fits of what is kept; the rest stays for the read after it. */
function take(
  state: ShardState,
  { maxRecords, maxBytes }: ReadBounds,
  behindMs: number | undefined,
): ReadResult {
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
  return {
    records,
    ended: state.ended && whole,
    ...(whole && behindMs !== undefined ? { behindMs } : {}),
  };
}

function bytesOf(records: readonly IncomingRecord[]): number {
  let bytes = 0;
  for (const { value } of records) bytes += value.length;
  return bytes;
}
