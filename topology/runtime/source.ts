/**
 * The sources of a job: which splits there are, which is read next, and how far the job has read.
 *
 * Invariants:
 * 1. A position counts as read once its record is in a turn; what was read ahead is not in any
 *    checkpoint. What is no record is gone past between two turns.
 * 2. Per split at most one read is under way and one result waits: memory is bounded by the splits
 *    and the bounds of a turn.
 * 3. Splits with records take turns; a split without is asked again after a pause.
 * 4. A split is read once all its parents were read to their ends. A parent's end is told only when
 *    its children have begun, so that its watermark holds the time until theirs stands in its
 *    place.
 * 5. A split is heard by a read that asked the stream and found its end, from when that read began,
 *    once its records are in a turn. One that cannot be read, is slow, throttled or held is not
 *    heard.
 * 6. A split that the stream does not list any more has ended. One that is listed and cannot be
 *    read holds its place, whatever its reads fail of, and is asked again; the others go on.
 * 7. A pause does not outlive its cause: whatever is asked is given up after `readMaxMs`, and asked
 *    again.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { OldestKept, ReadBounds, ReadFrom } from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import { lossText } from '../checkpoint/losses.ts';
import type { Cursor, SourceInput, SplitChange } from './cursor.ts';
import {
  changesOf,
  foundEnd,
  isRead,
  merged,
  readToOf,
  skipTo,
  unskipped,
  untilEnd,
  withinDrain,
} from './cursor.ts';
import { beforeOldest, goneLosses, trimmedLoss, truncatedLoss, wayOn } from './losses.ts';
import type { SplitStart, StartFrom } from './start-from.ts';

export interface SourceSchedule {
  readonly cursors: readonly Cursor[];
  /**
   * The next records, or undefined when `waitMs` passed or `stop` was called first. Rejects when a
   * split cannot be read on.
   */
  next(
    waitMs: number,
  ): Promise<{ readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined>;
  /** Whether a position has gone past what is no record since it was asked last. */
  hasPassed(): boolean;
  /**
   * Which splits began and ended since it was asked last. Asked between two turns, when what was
   * taken has entered; what lost its end is read on from there then.
   */
  changes(): readonly SplitChange[];
  /** While held, nothing is read or given. */
  hold(held: boolean): void;
  /**
   * Goes past what cannot be read: up to a position, to the oldest that is kept where there is
   * none, or to `begin`, or past the whole split. Between two turns.
   */
  skip(cursor: Cursor, to: string | 'whole' | undefined, begin?: ReadFrom): void;
  /** What was found to be lost since it was asked last. */
  losses(): readonly LossRecord[];
  /**
   * Splits whose position is not kept any more and that begin where they were told to: to be
   * skipped between two turns.
   */
  starts(): readonly SplitStart[];
  /** Reads a split that was skipped as a whole again, from where it was. */
  unskip(cursor: Cursor): void;
  /** Lets the waiting `next` return at once. */
  interrupt(): void;
  /**
   * Reads each split to where it ends now, and no further; waits for streams that do not answer.
   */
  drain(): Promise<void>;
  /** Whether everything is read that `drain` asked for. */
  drained(): boolean;
  stop(): void;
}

export interface ScheduleOptions {
  /**
   * Where splits begin that no checkpoint knows, and those whose position is found not to be kept
   * any more by their first read.
   */
  readonly from?: StartFrom | undefined;
  /** For what is said to a person. */
  readonly topology?: string;
}

const retryPauseMs = 1_000;
/**
 * Of what fails for good until somebody does something: damaged bytes, a position that is not kept
 * any more.
 */
const brokenPauseMs = 5_000;

/** Lists the splits of all inputs. Rejects when one cannot be listed. */
export async function scheduleSources(
  inputs: readonly SourceInput[],
  bounds: ReadBounds,
  clock: Clock,
  { from, topology = 'TOPOLOGY' }: ScheduleOptions = {},
): Promise<SourceSchedule> {
  let cursors: readonly Cursor[] = [];
  const losses: LossRecord[] = [];
  const starts: SplitStart[] = [];
  /** Splits that lost their ends, and the position behind which they go on. */
  const cut: { readonly cursor: Cursor; readonly to: string | undefined }[] = [];
  /** The names of all splits that were ever listed, by input. */
  const seen = inputs.map(() => new Set<string>());
  /** Of splits that were listed once and are not any more. */
  const left = new Map<string, string | undefined>();
  let turn = 0;
  let failure: unknown;
  let stopped = false;
  let held = false;
  let interrupted = false;
  let hasPassed = false;
  let draining = false;
  let discovering: Promise<void> | undefined;
  let discoverAtMs = 0;
  let notify: (() => void) | undefined;
  const wake = (): void => notify?.();

  const readTo = (cursor: Cursor): number | undefined =>
    readToOf(cursor, clock.now(), clock.monotonic());

  const discover = async (): Promise<void> => {
    discoverAtMs = clock.monotonic() + limits.splitDiscoveryMs;
    const endedBefore = new Set(cursors.filter(({ ended }) => ended));
    const listed = await Promise.all(
      inputs.map(({ reader }) => inTime(reader.splits(), 'does not list its splits')),
    );
    for (const [index, input] of inputs.entries()) {
      const own = listed[index] ?? [];
      const names = seen[index] ?? new Set();
      losses.push(...goneLosses(input, own, cursors, names, readTo, clock.now()));
      for (const { id } of own) names.add(id);
    }
    cursors = inputs.flatMap((input, index) =>
      merged(input, listed[index] ?? [], cursors, left, draining ? null : undefined),
    );
    for (const cursor of endedBefore) cursor.childrenKnown = true;
    wake();
  };

  /** In the background; what can be asked again is, and a stream that is gone may come back. */
  const rediscover = (): Promise<void> => {
    discovering ??= discover()
      .catch((thrown: unknown) => {
        if (isOperational(thrown)) discoverAtMs = clock.monotonic() + retryPauseMs;
        else fail(thrown);
      })
      .finally(() => {
        discovering = undefined;
      });
    return discovering;
  };

  const fail = (thrown: unknown): void => {
    failure ??= thrown;
    wake();
  };

  /** What can be asked again is, until it is answered or the source stopped. */
  const persistently = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await ask();
      } catch (thrown) {
        if (stopped || !isOperational(thrown)) throw thrown;
        await sleep(clock, retryPauseMs);
      }
    }
  };

  /** Bounded: nothing that a reader never answers keeps anything from going on once it could. */
  const inTime = <T>(answer: Promise<T>, what: string): Promise<T> => {
    const seconds = limits.readMaxMs / 1_000;
    return within(clock, limits.readMaxMs, answer, () => {
      return new SluiceError('stream-unreachable', `the stream ${what} within ${seconds} s`, {
        retryable: true,
      });
    });
  };

  /** It holds, and is asked again: what may pass soon, the rest more seldom. */
  const failed = async (cursor: Cursor, read: number, thrown: unknown): Promise<void> => {
    const mayPass = thrown instanceof SluiceError && thrown.retryable;
    const code = thrown instanceof SluiceError ? thrown.code : 'read-failed';
    // Before the stream is listed again a split that is gone looks like one that is broken; so does
    // one whose stream is gone, until there is another.
    if (!mayPass && cursor.failureCode !== code) {
      await discovering;
      await rediscover();
    }
    if (cursor.reads !== read || cursor.ended) return;
    if (code === 'position-trimmed') return trimmed(cursor, read, thrown);
    if (code === 'position-truncated') return truncated(cursor, read, thrown);
    const fix = thrown instanceof SluiceError && thrown.fix !== undefined ? ` (${thrown.fix})` : '';
    cursor.failure = `${messageOf(thrown)}${fix}`;
    cursor.failureCode = code;
    cursor.caughtUp = false;
    cursor.notBeforeMs = clock.monotonic() + (mayPass ? retryPauseMs : brokenPauseMs);
  };

  /**
   * Retention took what comes next: it holds until somebody says where to go on, at the start or by
   * a skip.
   */
  const trimmed = async (cursor: Cursor, read: number, thrown: unknown): Promise<void> => {
    const oldest = await inTime(
      cursor.reader.oldest(cursor.split),
      'does not say what it keeps',
    ).catch(() => undefined);
    if (cursor.reads !== read || cursor.ended) return;
    const loss = trimmedLoss(cursor, oldest, readTo(cursor), clock.now());
    losses.push(loss);
    const to =
      from === undefined || !cursor.isFresh
        ? undefined
        : await startOf(cursor, from, oldest).catch(() => undefined);
    if (cursor.reads !== read || cursor.ended) return;
    if (from !== undefined && to !== undefined)
      starts.push({ cursor, from, to, why: messageOf(thrown) });
    cursor.failure = `${messageOf(thrown)}: ${lossText(loss)} (${wayOn(topology, cursor.key)})`;
    cursor.failureCode = 'position-trimmed';
    cursor.caughtUp = false;
    cursor.notBeforeMs = clock.monotonic() + brokenPauseMs;
  };

  /**
   * The split lost its end, with records that were read. What is left was read, and what comes has
   * the positions of those that went: it is read on from the end, unless the start said otherwise.
   */
  const truncated = async (cursor: Cursor, read: number, thrown: unknown): Promise<void> => {
    const ask = cursor.reader.latest(cursor.split);
    const latest = await inTime(ask, 'does not say what its newest position is').catch(() => null);
    const isStart = from !== undefined && cursor.isFresh;
    const to = isStart ? await startOf(cursor, from, undefined).catch(() => undefined) : latest;
    if (cursor.reads !== read || cursor.ended) return;
    cursor.failure = messageOf(thrown);
    cursor.failureCode = 'position-truncated';
    cursor.caughtUp = false;
    cursor.notBeforeMs = clock.monotonic() + retryPauseMs;
    if (latest === null || (isStart && to === undefined)) return;
    losses.push(truncatedLoss(cursor, latest, readTo(cursor), clock.now()));
    if (isStart) starts.push({ cursor, from, to: to ?? null, why: messageOf(thrown) });
    else cut.push({ cursor, to: latest });
  };

  /** The last position before where it begins; null where its stream begins there by itself. */
  const startOf = async (
    cursor: Cursor,
    begin: StartFrom,
    oldest: OldestKept | undefined,
  ): Promise<string | null> => {
    const at =
      begin === 'oldest'
        ? undefined
        : await inTime(cursor.reader.positionAt(cursor.split, begin), 'does not say what is there');
    return at === undefined ? beforeOldest(cursor, oldest) : at;
  };

  /** Splits that no checkpoint knows begin where they were told to. */
  const begin = async (): Promise<void> => {
    if (from === undefined || from === 'oldest') return;
    for (const cursor of cursors) {
      if (cursor.position !== undefined || cursor.skipped || !cursor.isNew) continue;
      const at = await inTime(
        cursor.reader.positionAt(cursor.split, from),
        'does not say what is there',
      );
      if (at === null) cursor.from = from;
      else skipTo(cursor, at, clock.monotonic());
    }
  };

  const read = async (cursor: Cursor): Promise<void> => {
    cursor.reading = true;
    const own = ++cursor.reads;
    const { until } = cursor;
    const begunMs = clock.monotonic();
    cursor.answeredMs ??= begunMs;
    try {
      const after = cursor.ahead;
      const known = { readToMs: readTo(cursor), from: cursor.from };
      const result = await inTime(
        cursor.reader.read(cursor.split, after, bounds, known),
        'does not answer a read',
      );
      if (cursor.reads !== own) return;
      if (after === undefined && result.begins !== undefined) begins(cursor, result.begins);
      cursor.failure = undefined;
      cursor.failureCode = undefined;
      cursor.waitsFor = result.waitsFor;
      if (result.inconclusive !== true) cursor.answeredMs = clock.monotonic();
      cursor.behindMs = result.behindMs;
      const atEnd = foundEnd(result);
      if (result.inconclusive !== true) {
        cursor.caughtUp = atEnd;
        cursor.isFresh = false;
      }
      if (until === untilEnd && result.behindMs === 0) cursor.atEnd = true;
      if (result.records.length > 0) {
        cursor.ready = result;
        cursor.readyHeardMs = atEnd ? begunMs : undefined;
        cursor.ahead = result.records.at(-1)?.position;
      } else {
        if (atEnd) {
          cursor.heardMs = begunMs;
          cursor.met = true;
        }
        cursor.passed = result.reached;
        cursor.ahead = result.reached ?? cursor.ahead;
        // What is no record is gone past at once.
        if (result.reached === undefined || atEnd)
          cursor.notBeforeMs = clock.monotonic() + limits.sourcePollMs;
      }
      if (result.ended) {
        cursor.ended = true;
        discoverAtMs = 0;
      }
    } catch (thrown) {
      if (isOperational(thrown)) await failed(cursor, own, thrown);
      else fail(thrown);
    } finally {
      if (cursor.reads === own) cursor.reading = false;
      wake();
    }
  };

  const prefetch = (cursor: Cursor): void => {
    if (
      held ||
      cursor.phase !== 'begun' ||
      cursor.reading ||
      cursor.ready !== undefined ||
      cursor.ended ||
      isRead(cursor)
    )
      return;
    // What was passed becomes the position before anything behind it is read.
    if (cursor.passed !== undefined || cursor.notBeforeMs > clock.monotonic()) return;
    void read(cursor);
  };

  /** Between two turns: what was taken has entered. */
  const pass = (cursor: Cursor): void => {
    if (cursor.passed === undefined) return;
    cursor.position = cursor.passed;
    cursor.passed = undefined;
    hasPassed = true;
  };

  const take = (): { cursor: Cursor; records: readonly IncomingRecord[] } | undefined => {
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[(turn + i) % cursors.length] as Cursor;
      pass(cursor);
      const { ready } = cursor;
      if (ready === undefined) continue;
      turn = (turn + i + 1) % cursors.length;
      cursor.ready = undefined;
      cursor.heardMs = cursor.readyHeardMs ?? cursor.heardMs;
      const records = withinDrain(cursor, ready.records);
      // Read past where the drain ends: what is not there before that is no record.
      if (records.length < ready.records.length) cursor.passed = cursor.until ?? undefined;
      if (records.length === 0) pass(cursor);
      else {
        prefetch(cursor);
        return { cursor, records };
      }
    }
    return undefined;
  };

  await discover();
  await begin();
  return {
    get cursors() {
      return cursors;
    },
    changes() {
      for (const { cursor, to } of cut.splice(0)) {
        skipTo(cursor, to, clock.monotonic());
        if (cursor.until !== undefined && cursor.until !== untilEnd) cursor.until = to ?? null;
      }
      return changesOf(cursors, draining);
    },
    hasPassed() {
      const passed = hasPassed;
      hasPassed = false;
      return passed;
    },
    stop() {
      stopped = true;
      wake();
    },
    hold(hold) {
      held = hold;
    },
    losses: () => losses.splice(0),
    starts: () => starts.splice(0),
    skip(cursor, to, begin) {
      skipTo(cursor, to, clock.monotonic());
      cursor.from = begin;
    },
    unskip(cursor) {
      const input = inputs.find(
        ({ source, reader }) => source === cursor.source && reader === cursor.reader,
      );
      if (input !== undefined)
        cursors = cursors.map((other) =>
          other === cursor ? unskipped(cursor, input, draining ? null : undefined) : other,
        );
    },
    interrupt() {
      interrupted = true;
      wake();
    },
    async drain() {
      await discovering;
      await persistently(discover);
      draining = true;
      // One that is skipped meanwhile is not asked any more.
      const ends = await persistently(() =>
        Promise.all(
          cursors
            .filter(({ phase, skipped, ended }) => phase !== 'done' && !skipped && !ended)
            .map(async (cursor) => {
              const latest = await inTime(
                cursor.reader.latest(cursor.split),
                'does not say what its newest position is',
              );
              return { cursor, until: latest === null ? untilEnd : (latest ?? null) };
            }),
        ).catch(async (thrown: unknown) => {
          // One of them may be gone by now.
          await discover().catch(() => undefined);
          throw thrown;
        }),
      );
      for (const { cursor, until } of ends) cursor.until = until;
      interrupted = true;
      wake();
    },
    drained: () => cursors.every((cursor) => isRead(cursor)),
    async next(waitMs) {
      const deadline = clock.monotonic() + waitMs;
      for (;;) {
        if (failure !== undefined) throw failure;
        const taken = held ? undefined : take();
        if (taken !== undefined) return taken;
        if (!draining && clock.monotonic() >= discoverAtMs) void rediscover();
        for (const cursor of cursors) prefetch(cursor);
        const left = deadline - clock.monotonic();
        if (left <= 0 || stopped || interrupted) {
          interrupted = false;
          return undefined;
        }
        await pause(Math.min(left, limits.sourcePollMs), clock, (resume) => {
          notify = resume;
        });
        notify = undefined;
      }
    },
  };
}

/**
 * Where a split of which nothing was read begins: when that is behind where it began, what was
 * between is gone.
 */
function begins(cursor: Cursor, at: string): void {
  cursor.begins ??= at;
  if (comparePositions(at, cursor.begins) > 0)
    throw new SluiceError(
      'position-trimmed',
      `nothing of it was read, and it began at ${cursor.begins}`,
    );
}

/** What the world does, and not a defect of a reader. */
function isOperational(thrown: unknown): boolean {
  return thrown instanceof SluiceError || systemCodeOf(thrown) !== undefined;
}

function pause(ms: number, clock: Clock, onWake: (resume: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    onWake(() => {
      timer.cancel();
      resolve();
    });
  });
}
