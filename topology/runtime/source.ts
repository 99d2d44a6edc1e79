/**
 * The sources of a job: which splits there are, which is read next, and how far the job has read.
 *
 * Invariants:
 * 1. A position counts as read once its record is in a turn; what was read ahead is not in any checkpoint.
 * 2. Per split at most one read is under way and one result waits: memory is bounded by the splits and the bounds of a turn.
 * 3. Splits with records take turns; a split without is asked again after a pause.
 * 4. A split is read once all its parents were read to their ends. A parent's end is told only when its children have begun, so that its
 *    watermark holds the time until theirs stands in its place.
 * 5. A split is heard by a read that asked the stream and found its end, from when that read began, once its records are in a turn. One that
 *    cannot be read, is slow, throttled or held is not heard.
 * 6. A split that the stream does not list any more has ended.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { ReadBounds } from '../../schemas/ports/record-reader.ts';
import type { Cursor, SourceInput, SplitChange } from './cursor.ts';
import { changesOf, foundEnd, isRead, merged, untilEnd, withinDrain } from './cursor.ts';

export interface SourceSchedule {
  readonly cursors: readonly Cursor[];
  /** The next records, or undefined when `waitMs` passed or `stop` was called first. Rejects when a split cannot be read on. */
  next(waitMs: number): Promise<{ readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined>;
  /** Which splits began and ended since it was asked last. Asked between two turns, when what was taken has entered. */
  changes(): readonly SplitChange[];
  /** While held, nothing is read or given. */
  hold(held: boolean): void;
  /** Lets the waiting `next` return at once. */
  interrupt(): void;
  /** Reads each split to where it ends now, and no further; waits for streams that do not answer. */
  drain(): Promise<void>;
  /** Whether everything is read that `drain` asked for. */
  drained(): boolean;
  stop(): void;
}

const retryPauseMs = 1_000;

/** Lists the splits of all inputs. Rejects when one cannot be listed. */
export async function scheduleSources(inputs: readonly SourceInput[], bounds: ReadBounds, clock: Clock): Promise<SourceSchedule> {
  let cursors: readonly Cursor[] = [];
  /** Of splits that were listed once and are not any more. */
  const left = new Map<string, string | undefined>();
  let turn = 0;
  let failure: unknown;
  let stopped = false;
  let held = false;
  let interrupted = false;
  let draining = false;
  let discovering: Promise<void> | undefined;
  let discoverAtMs = 0;
  let notify: (() => void) | undefined;
  const wake = (): void => notify?.();

  const discover = async (): Promise<void> => {
    discoverAtMs = clock.monotonic() + limits.splitDiscoveryMs;
    const endedBefore = new Set(cursors.filter(({ ended }) => ended));
    const listed = await Promise.all(inputs.map(({ reader }) => reader.splits()));
    cursors = inputs.flatMap((input, index) => merged(input, listed[index] ?? [], cursors, left, draining ? null : undefined));
    for (const cursor of endedBefore) cursor.childrenKnown = true;
    wake();
  };

  /** In the background; what can be asked again is. */
  const rediscover = (): void => {
    if (discovering !== undefined) return;
    discovering = discover()
      .catch((thrown: unknown) => {
        if (thrown instanceof SluiceError && thrown.retryable) discoverAtMs = clock.monotonic() + retryPauseMs;
        else fail(thrown);
      })
      .finally(() => {
        discovering = undefined;
      });
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
        if (stopped || !(thrown instanceof SluiceError && thrown.retryable)) throw thrown;
        await sleep(clock, retryPauseMs);
      }
    }
  };

  /** Before the stream is listed again a split that is gone looks like one that is broken. */
  const failUnlessGone = async (cursor: Cursor, thrown: unknown): Promise<void> => {
    await discovering;
    await discover().catch(() => undefined);
    if (!cursor.ended) failure ??= thrown;
  };

  const read = async (cursor: Cursor): Promise<void> => {
    cursor.reading = true;
    const { until } = cursor;
    const begunMs = clock.monotonic();
    cursor.answeredMs ??= begunMs;
    try {
      const result = await cursor.reader.read(cursor.split, cursor.ahead, bounds);
      cursor.failure = undefined;
      if (result.inconclusive !== true) cursor.answeredMs = clock.monotonic();
      cursor.behindMs = result.behindMs;
      const atEnd = foundEnd(result);
      if (result.inconclusive !== true) cursor.caughtUp = atEnd;
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
        cursor.notBeforeMs = clock.monotonic() + limits.sourcePollMs;
      }
      if (result.ended) {
        cursor.ended = true;
        discoverAtMs = 0;
      }
    } catch (thrown) {
      if (thrown instanceof SluiceError && thrown.retryable) {
        cursor.failure = thrown.message;
        cursor.caughtUp = false;
        cursor.notBeforeMs = clock.monotonic() + retryPauseMs;
      } else await failUnlessGone(cursor, thrown);
    } finally {
      cursor.reading = false;
      wake();
    }
  };

  const prefetch = (cursor: Cursor): void => {
    if (held || cursor.phase !== 'begun' || cursor.reading || cursor.ready !== undefined || cursor.ended || isRead(cursor)) return;
    if (cursor.notBeforeMs > clock.monotonic()) return;
    void read(cursor);
  };

  const take = (): { cursor: Cursor; records: readonly IncomingRecord[] } | undefined => {
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[(turn + i) % cursors.length] as Cursor;
      const { ready } = cursor;
      if (ready === undefined) continue;
      turn = (turn + i + 1) % cursors.length;
      cursor.ready = undefined;
      cursor.heardMs = cursor.readyHeardMs ?? cursor.heardMs;
      const records = withinDrain(cursor, ready.records);
      if (records.length === 0) continue;
      prefetch(cursor);
      return { cursor, records };
    }
    return undefined;
  };

  await discover();
  return {
    get cursors() {
      return cursors;
    },
    changes: () => changesOf(cursors, draining),
    stop() {
      stopped = true;
      wake();
    },
    hold(hold) {
      held = hold;
    },
    interrupt() {
      interrupted = true;
      wake();
    },
    async drain() {
      await discovering;
      await persistently(discover);
      const asked = cursors.filter(({ phase }) => phase !== 'done');
      draining = true;
      const ends = await persistently(() => Promise.all(asked.map((cursor) => cursor.reader.latest(cursor.split))));
      for (const [index, cursor] of asked.entries()) {
        const end = ends[index];
        cursor.until = end === null ? untilEnd : (end ?? null);
      }
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
        if (!draining && clock.monotonic() >= discoverAtMs) rediscover();
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

function pause(ms: number, clock: Clock, onWake: (resume: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    onWake(() => {
      timer.cancel();
      resolve();
    });
  });
}
