/**
 * The small route's source: one Kinesis stream, its shards as splits, sequence numbers as
 * positions.
 *
 * Kinesis gives whole batches, when it is asked or, to a consumer of enhanced fan-out, by itself
 * (fan-out-client.ts); what does not fit a read is kept for the next, at most one batch a shard. It
 * cannot be asked for its newest positions: reads say how far behind they are.
 *
 * Invariants:
 * 1. Between two calls of a shard passes at least `readEveryMs`, `idleReadEveryMs` where the first
 *    found the end, and as long as the bytes of the last one take at 2 MB/s. Earlier reads give
 *    nothing, and ask nothing: Kinesis gives a shard five calls and 2 MB a second, which all its
 *    readers share. One that was throttled waits longer each time, and is not a failure.
 * 2. `behindMs` is of a call that began with this read, and only when nothing of it is kept back.
 * 3. A call that failed changes nothing: the next read resumes from the same position.
 * 4. Nothing is passed over silently. Kinesis continues with the oldest record when the one behind
 *    a position is no longer kept, and says nothing of it. So where records may have been
 *    removed, which is when the last that is known to be read is about as old as the retention, a
 *    read begins with the record at the position: as long as that is there, so is everything behind
 *    it.
 */

import { present } from '../../../schemas/kernel/assert.ts';
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Split } from '../../../schemas/ports/record.ts';
import type {
  ReadBounds,
  ReadKnown,
  ReadResult,
  RecordReader,
} from '../../../schemas/ports/record-reader.ts';
import { fanOutApi } from './fan-out-client.ts';
import type {
  KinesisSourceApi,
  KinesisSourceClientOptions,
  ReadRecords,
} from './kinesis-source-client.ts';
import { createKinesisSourceClient } from './kinesis-source-client.ts';
import { readFaultOf } from './read-fault.ts';
import { Retention } from './retention.ts';
import type { ShardState } from './shard-state.ts';
import { bytesOf, confirmed, derivePlace, newShardState, take } from './shard-state.ts';
import { splitsOf } from './shards.ts';

/**
 * Tries of a list of shards that is throttled, and what one shard may be read by the second (a
 * quota of Kinesis).
 */
const kinesisListTriesMax = 8;
const kinesisShardReadBytesPerSecond = 2_000_000;

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

const throttleBackoff = { baseMs: 500, maxMs: 10_000 };
const nothing: ReadResult = { records: [], ended: false, inconclusive: true };
const throttled = (isPushed: boolean): ReadResult => ({
  ...nothing,
  waitsFor: isPushed
    ? 'Kinesis does not give it the shard yet: an earlier subscription of its consumer is not over'
    : 'it is throttled: Kinesis gives a shard 5 reads and 2 MB a second for all its readers together',
});

/**
 * @example
 * const region = 'eu-central-1';
 * createKinesisReader({ region, streamName: 'rpp-promo-clicks-dev', clock, random });
 */
export function createKinesisReader(options: KinesisReaderOptions): RecordReader {
  return new KinesisReader(options);
}

class KinesisReader implements RecordReader {
  readonly route = 'kinesis';
  readonly slowMs: number;
  readonly #options: KinesisReaderOptions;
  readonly #readEveryMs: number;
  readonly #idleReadEveryMs: number;
  readonly #api: KinesisSourceApi;
  readonly #retention: Retention;
  readonly #states = new Map<string, ShardState>();

  constructor(options: KinesisReaderOptions) {
    const { clock, consumer } = options;
    const shared = createKinesisSourceClient(options);
    this.#options = options;
    this.#readEveryMs = options.readEveryMs ?? limits.kinesisReadEveryMs;
    this.#idleReadEveryMs = options.idleReadEveryMs ?? limits.kinesisIdleReadEveryMs;
    this.#api =
      consumer === undefined ? shared : fanOutApi(shared, { ...options, consumer, clock });
    this.#retention = new Retention(() => this.#api.retentionMs(), clock);
    const waitMs = this.#api.isPushed
      ? limits.kinesisFanOutWaitMs
      : 2 * Math.max(this.#readEveryMs, this.#idleReadEveryMs);
    this.slowMs = limits.readSlowMs + waitMs;
  }

  /**
   * Tried again while it is throttled: the quotas of listing are a stream's, or an account's, and
   * not ours alone.
   */
  async splits(): Promise<readonly Split[]> {
    const { streamName, clock, random, tell } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return splitsOf(await this.#api.shards());
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, 'kinesis:ListShards', false);
        if (fault.kind === 'error') throw fault.error;
        tell?.('throttled');
        if (attempt + 1 >= kinesisListTriesMax)
          throw this.#error('stream-unreachable', 'listing its shards is throttled', true);
        await sleep(clock, throttleBackoff.baseMs + backoffMs(attempt, throttleBackoff, random));
      }
    }
  }

  async read(
    split: string,
    after: string | undefined,
    bounds: ReadBounds,
    known: ReadKnown = {},
  ): Promise<ReadResult> {
    const state = this.#stateOf(split, after);
    if (state.kept.length > 0) return take(state, bounds, undefined);
    if (state.ended) return { records: [], ended: true };
    if (this.#options.clock.monotonic() < state.notBeforeMs) return this.#nothingOf(state);
    const got = await this.#fetch(split, state, known);
    if (got === undefined) return this.#nothingOf(state);
    state.kept = got.records;
    state.iterator = got.next;
    state.ended = got.next === undefined;
    return take(state, bounds, got.behindMs);
  }

  latest(): Promise<null> {
    return Promise.resolve(null);
  }

  lag(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async oldest(split: string): Promise<{ readonly position: string | undefined; counts: false }> {
    return { position: await this.#api.oldest(split), counts: false };
  }

  positionAt(): Promise<null> {
    return Promise.resolve(null);
  }

  close(): Promise<void> {
    this.#states.clear();
    this.#api.close();
    return Promise.resolve();
  }

  #stateOf(split: string, after: string | undefined): ShardState {
    const known = this.#states.get(split);
    if (known !== undefined && known.after === after) return known;
    const state = newShardState(after, known);
    this.#states.set(split, state);
    return state;
  }

  #nothingOf({ throttles }: ShardState): ReadResult {
    return throttles > 0 ? throttled(this.#api.isPushed) : nothing;
  }

  /** One call, and another when its iterator had expired. Undefined: nothing now. */
  async #fetch(
    split: string,
    state: ShardState,
    known: ReadKnown,
  ): Promise<ReadRecords | undefined> {
    const { streamName, clock, tell } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const startedMs = clock.monotonic();
      state.notBeforeMs = startedMs + this.#readEveryMs;
      let action = this.#api.actions.iterator;
      try {
        await this.#seek(split, state, known);
        action = this.#api.actions.records;
        const got = await this.#api.records(present(state.iterator, 'an iterator'));
        state.throttles = 0;
        state.notBeforeMs = this.#notBefore(startedMs, state, got);
        if (got === undefined) return undefined;
        const own = confirmed(state, got);
        if (own === undefined) throw this.#trimmed();
        return own;
      } catch (thrown) {
        const fault = readFaultOf(thrown, streamName, action, true);
        if (fault.kind === 'error') throw fault.error;
        if (fault.kind === 'throttled') {
          this.#slowDown(state);
          return undefined;
        }
        state.iterator = undefined;
        if (fault.kind === 'lost') throw await this.#lost(split, state, fault.why);
        tell?.('iterator-expired');
        if (attempt > 0) return undefined;
      }
    }
  }

  /** When the shard may be asked again after what was got, monotonic ms. */
  #notBefore(startedMs: number, state: ShardState, got: ReadRecords | undefined): number {
    if (this.#api.isPushed) return startedMs;
    if (got === undefined) return state.notBeforeMs;
    const paceMs = (bytesOf(got.records) * 1_000) / kinesisShardReadBytesPerSecond;
    const everyMs =
      got.behindMs === 0 ? Math.max(this.#readEveryMs, this.#idleReadEveryMs) : this.#readEveryMs;
    return startedMs + Math.max(everyMs, paceMs);
  }

  #slowDown(state: ShardState): void {
    const { clock, random, tell } = this.#options;
    tell?.('throttled');
    const pauseMs = backoffMs(state.throttles++, throttleBackoff, random);
    state.notBeforeMs = clock.monotonic() + throttleBackoff.baseMs + pauseMs;
  }

  /** Makes `iterator` one that continues where the state is. */
  async #seek(split: string, state: ShardState, { readToMs, from }: ReadKnown): Promise<void> {
    const api = this.#api;
    // What was begun is gone through first; of what is pushed nothing is missing.
    if (state.iterator !== undefined && (state.expects !== undefined || api.isPushed)) return;
    state.expects = undefined;
    if (await this.#retention.mayBeOver(readToMs)) {
      if (state.after === undefined) throw this.#trimmed();
      state.iterator = await api.iterator(split, { kind: 'at', position: state.after });
      state.expects = state.after;
      return;
    }
    state.iterator ??= await api.iterator(
      split,
      derivePlace(state, from, this.#options.clock.now()),
    );
  }

  /** Of a position at which there is nothing: the stream or the shard may not be there either. */
  async #lost(split: string, { after }: ShardState, why: string): Promise<SluiceError> {
    const listed = await this.splits();
    if (!listed.some(({ id }) => id === split))
      return this.#error('split-gone', `it no longer has the shard ${split}`);
    if (after !== undefined) return this.#trimmed(why);
    // Of a stream that is being created or deleted.
    return this.#error('stream-unreachable', why, true);
  }

  #trimmed(
    why = 'the record at the last read position is no longer kept, and records after it may be gone too',
  ): SluiceError {
    return this.#error('position-trimmed', why);
  }

  #error(code: OperationalCode, why: string, retryable = false): SluiceError {
    const message = `Kinesis stream '${this.#options.streamName}': ${why}`;
    return new SluiceError(code, message, { retryable });
  }
}
