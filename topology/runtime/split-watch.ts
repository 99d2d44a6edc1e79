/**
 * Which splits cannot be read, since when, and when to report it: a listed split that is
 * unreadable, unanswered or paused holds the watermark, and nothing that waits for time is emitted.
 *
 * Invariants:
 * 1. Troubles shorter than `splitAlarmMs` are not reported: streams stutter, and backpressure comes
 *    and goes with each turn.
 * 2. Longer ones are reported once, when they reach it and when they are over; splits of one stream
 *    that fail together are one message.
 * 3. Reading is paused as long as records of none were taken: a pause that lets some through is
 *    backpressure at work.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { Cursor } from './cursor.ts';
import type { Hearing } from './cursor-heard.ts';
import { hearingOf } from './cursor-heard.ts';

/** How long a split may be unreadable or unanswered before it is reported. */
export const splitAlarmMs = 5_000;

export type SplitNews =
  /** Splits of one stream and route, at most `splitsNamedMax` of them by name. */
  | {
      readonly kind: 'splits-unheard' | 'splits-heard';
      readonly stream: string;
      readonly path: string;
      readonly splits: readonly string[];
      readonly count: number;
      readonly hearing: Hearing;
      readonly why: string | null;
      /** For how long it has been so, or was. */
      readonly forMs: number;
    }
  | {
      readonly kind: 'reading-paused' | 'reading-resumed';
      readonly by: readonly string[];
      readonly forMs: number;
    };

interface Unheard {
  hearing: Hearing;
  why: string | undefined;
  readonly sinceMs: number;
  told: boolean;
}

const heard: ReadonlySet<Hearing> = new Set(['caught-up', 'behind']);

function isHeard(hearing: Hearing): boolean {
  return heard.has(hearing);
}

function whyOf({ failure, waitsFor }: Cursor): string | undefined {
  return failure ?? waitsFor;
}

export class SplitWatch {
  readonly #clock: Clock;
  readonly #tell: (news: SplitNews) => void;
  readonly #unheard = new Map<Cursor, Unheard>();
  #pause:
    | { readonly by: readonly string[]; readonly sinceMs: number; readonly told: boolean }
    | undefined;

  constructor(clock: Clock, tell: (news: SplitNews) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Monotonic ms since when a split is not heard; undefined while it is, or was not looked at. */
  since(cursor: Cursor): number | undefined {
    return this.#unheard.get(cursor)?.sinceMs;
  }

  /** `pausedBy`: the nodes that take no more; `readAtMs`: when records were last taken. */
  look(cursors: readonly Cursor[], pausedBy: readonly string[], readAtMs: number): void {
    const nowMs = this.#clock.monotonic();
    this.#lookAtPause(pausedBy, readAtMs, nowMs);
    const lasting: Cursor[] = [];
    const over: (readonly [Cursor, Unheard])[] = [];
    for (const cursor of cursors) {
      // A pause is told by itself, and not once more for each split.
      const found = cursor.phase === 'begun' ? hearingOf(cursor, false, nowMs) : 'caught-up';
      const hearing = found === 'slow' && pausedBy.length > 0 ? 'behind' : found;
      const before = this.#unheard.get(cursor);
      if (isHeard(hearing)) {
        if (before === undefined) continue;
        this.#unheard.delete(cursor);
        if (before.told) over.push([cursor, before]);
        continue;
      }
      const now = before ?? { hearing, why: whyOf(cursor), sinceMs: nowMs, told: false };
      now.hearing = hearing;
      now.why = whyOf(cursor);
      this.#unheard.set(cursor, now);
      if (!now.told && nowMs - now.sinceMs >= splitAlarmMs) lasting.push(cursor);
    }
    if (this.#unheard.size > 0) this.#forget(new Set(cursors));
    this.#tellAll('splits-unheard', this.#told(lasting), nowMs);
    this.#tellAll('splits-heard', over, nowMs);
  }

  /** Those that are no longer listed hold nothing. */
  #forget(known: ReadonlySet<Cursor>): void {
    for (const cursor of this.#unheard.keys()) if (!known.has(cursor)) this.#unheard.delete(cursor);
  }

  #told(cursors: readonly Cursor[]): readonly (readonly [Cursor, Unheard])[] {
    return cursors.flatMap((cursor) => {
      const unheard = this.#unheard.get(cursor);
      if (unheard === undefined) return [];
      unheard.told = true;
      return [[cursor, unheard] as const];
    });
  }

  #tellAll(
    kind: 'splits-unheard' | 'splits-heard',
    splits: readonly (readonly [Cursor, Unheard])[],
    nowMs: number,
  ): void {
    const groups = new Map<string, (readonly [Cursor, Unheard])[]>();
    for (const split of splits) {
      const [{ source, route }, { hearing }] = split;
      const key = `${source.id} ${route} ${hearing}`;
      groups.set(key, [...(groups.get(key) ?? []), split]);
    }
    for (const group of groups.values()) {
      const [{ source, route }, { hearing, why }] = group[0] as readonly [Cursor, Unheard];
      this.#tell({
        kind,
        stream: source.stream,
        path: route,
        splits: group.slice(0, limits.splitsNamedMax).map(([{ split }]) => split),
        count: group.length,
        hearing,
        why: why?.slice(0, limits.statusTextMaxChars) ?? null,
        forMs: Math.max(...group.map(([, { sinceMs }]) => nowMs - sinceMs)),
      });
    }
  }

  #lookAtPause(by: readonly string[], readAtMs: number, nowMs: number): void {
    const before = this.#pause;
    const isOver = by.length === 0 || (before !== undefined && readAtMs > before.sinceMs);
    if (before !== undefined && isOver) {
      this.#pause = undefined;
      if (before.told)
        this.#tell({ kind: 'reading-resumed', by: before.by, forMs: nowMs - before.sinceMs });
    }
    if (by.length === 0) return;
    const { sinceMs, told } = this.#pause ?? { sinceMs: nowMs, told: false };
    const lasts = nowMs - sinceMs >= splitAlarmMs;
    this.#pause = { by, sinceMs, told: told || lasts };
    if (lasts && !told) this.#tell({ kind: 'reading-paused', by, forMs: nowMs - sinceMs });
  }
}
