/**
 * Skips of a running job: what was asked waits for the gap between two turns, and is done there.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { SkipRecord } from '../checkpoint/manifest.ts';
import type { Reject } from '../operators/operator.ts';
import type { Cursor } from './cursor.ts';
import { hearingOf } from './cursor-heard.ts';
import { originOfPlace } from './enter.ts';
import { beforeOldest } from './losses.ts';
import type { SkipRequest } from './skips.ts';
import { addSkip, decideSkip, findSplit, skipText, withoutWhole } from './skips.ts';
import type { SourceSchedule } from './source-schedule.ts';
import type { StartFrom } from './start-from.ts';
import { startFromText } from './start-from.ts';

interface Asked {
  readonly cursor: Cursor;
  readonly to: string;
  readonly latest: string | null | undefined;
  readonly resolve: (done: string) => void;
  readonly reject: (refused: unknown) => void;
}

export class JobSkips {
  readonly #clock: Clock;
  readonly #reject: Reject;
  #done: readonly SkipRecord[];
  readonly #asked: Asked[] = [];

  constructor(clock: Clock, reject: Reject, restored: readonly SkipRecord[]) {
    this.#clock = clock;
    this.#reject = reject;
    this.#done = restored;
  }

  /** For the checkpoint, and for status. */
  get done(): readonly SkipRecord[] {
    return this.#done;
  }

  /**
   * Resolves with what was done, in a sentence. Throws `SluiceError` `split-unknown`,
   * `split-ambiguous`, `skip-refused`.
   */
  async ask({ split, to }: SkipRequest, schedule: SourceSchedule): Promise<string> {
    const cursor = findSplit(schedule.cursors, split);
    const late = (): SluiceError =>
      new SluiceError('stream-unreachable', 'its stream does not answer', { retryable: true });
    const inTime = <T>(answer: Promise<T>): Promise<T | null> =>
      within(this.#clock, limits.lagAnswerMaxMs, answer, late).catch(() => null);
    let latest: string | null | undefined = null;
    if (to === 'oldest')
      latest = beforeOldest(
        cursor,
        (await inTime(cursor.reader.oldest(cursor.split))) ?? undefined,
      );
    else if (to !== 'whole' && to !== 'undo')
      latest = await inTime(cursor.reader.latest(cursor.split));
    return new Promise((resolve, reject) => {
      this.#asked.push({ cursor, to, latest, resolve, reject });
      schedule.interrupt();
    });
  }

  /** Between two turns; says whether there was something to do. */
  apply(schedule: SourceSchedule): boolean {
    let any = false;
    for (const { cursor, from, to, why } of schedule.starts()) {
      const { source, route, split, position } = cursor;
      const of = {
        source: source.id,
        path: route,
        split,
        after: position ?? null,
        to,
        why: why.slice(0, limits.statusTextMaxChars),
      };
      this.#skip(
        cursor,
        { ...of, kind: 'start', from: startFromText(from), atMs: this.#clock.now() },
        schedule,
        from,
      );
      any = true;
    }
    for (const { cursor, to, latest, resolve, reject } of this.#asked.splice(0)) {
      try {
        const hearing = hearingOf(cursor, false, this.#clock.monotonic());
        const skip = decideSkip(cursor, to, hearing, latest, this.#clock.now());
        resolve(
          skip === undefined ? this.#undo(cursor, schedule) : this.#skip(cursor, skip, schedule),
        );
        any = true;
      } catch (refused) {
        reject(refused);
      }
    }
    return any;
  }

  #skip(
    cursor: Cursor,
    skip: SkipRecord,
    schedule: SourceSchedule,
    from: StartFrom = 'oldest',
  ): string {
    const begin = skip.to === null && from !== 'oldest' ? from : undefined;
    schedule.skip(cursor, skip.kind === 'whole' ? 'whole' : (skip.to ?? undefined), begin);
    this.#done = addSkip(this.#done, skip);
    const message = skipText(skip);
    const place = `skipped-after-${skip.after ?? 'begin'}-to-${skip.to ?? skip.kind}`;
    const origin = originOfPlace(cursor, place, skip.atMs, Buffer.from(JSON.stringify(skip)));
    this.#reject({
      node: cursor.source.id,
      code: 'skipped',
      message,
      pointer: null,
      schema: null,
      value: undefined,
      origin,
    });
    return message;
  }

  #undo(cursor: Cursor, schedule: SourceSchedule): string {
    schedule.unskip(cursor);
    this.#done = withoutWhole(this.#done, cursor);
    const from = cursor.position === undefined ? 'its beginning' : `after ${cursor.position}`;
    return `${cursor.route} ${cursor.split} is read again, from ${from}; its events may be late`;
  }
}
