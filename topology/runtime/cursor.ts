/**
 * One split as a source of a job reads it, and what can be told from that: whether it is begun,
 * heard, read to where a drain asks. Pure.
 */
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord, Path, Split } from '../../schemas/ports/record.ts';
import type { ReadFrom, ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { SplitMark } from '../checkpoint/manifest.ts';
import { splitKey } from '../operators/batch.ts';
import type { SourceNode } from '../operators/source/kind.ts';

export interface Cursor {
  readonly source: SourceNode;
  readonly reader: RecordReader;
  readonly path: Path;
  readonly split: string;
  /** Splits of the same reader that come before this one. */
  readonly parents: readonly string[];
  readonly key: string;
  /**
   * `waiting` for its parents' ends; `done` when everything in it was read and its children have
   * begun.
   */
  phase: 'waiting' | 'begun' | 'done';
  /** The last position that is in a turn. */
  position: string | undefined;
  /** The last position that was read. */
  ahead: string | undefined;
  /**
   * Up to here there is nothing more to read behind what was taken: it becomes the position between
   * two turns.
   */
  passed: string | undefined;
  ready: ReadResult | undefined;
  reading: boolean;
  /** Reads that were begun: what an earlier one says when it was given up counts no more. */
  reads: number;
  /** The stream said that nothing more will come, or lists it no more. */
  ended: boolean;
  /** By command: it is not read, and holds nothing. */
  skipped: boolean;
  /** Of one of which nothing was read: where it began, as far as its stream says so. */
  begins: string | undefined;
  /**
   * As it was listed last: where it began, as far as its stream says so, and how far it was read
   * then.
   */
  listed: { readonly begins: string | undefined; readonly position: string | undefined };
  /** Where one without a position begins, in place of its oldest record. */
  from: ReadFrom | undefined;
  /** When the record at `position` arrived, epoch ms. */
  arrivedAtMs: number | undefined;
  /** Epoch ms: all that had arrived by then was read, as the last checkpoint says. */
  restoredReadToMs: number | undefined;
  /** No checkpoint has it. */
  readonly isNew: boolean;
  /** No read of it was answered yet in this run. */
  isFresh: boolean;
  /** Whether its children are known, because splits were listed after it had ended. */
  childrenKnown: boolean;
  /**
   * Monotonic ms at which the last read began that found the end; what was read by then is in a
   * turn. Undefined before the first.
   */
  heardMs: number | undefined;
  /** The same of the result that waits. */
  readyHeardMs: number | undefined;
  /** Whether it was read in this run: records of it went through a turn, or there were none. */
  met: boolean;
  /** Whether its last read found the end. */
  caughtUp: boolean;
  /** What the last read said of how far behind it was, ms. */
  behindMs: number | undefined;
  /**
   * While draining: the last position to read; null when there is none left; `end` where only a
   * read can tell that it is at the end.
   */
  until: string | null | undefined;
  /** Of `until: untilEnd`: a read that began after the drain was asked for was at the end. */
  atEnd: boolean;
  /** Monotonic ms at which the last read was answered, or the first one began. */
  answeredMs: number | undefined;
  /** Monotonic ms before which it is not asked again. */
  notBeforeMs: number;
  /** What the stream holds back, as its last read said. */
  waitsFor: string | undefined;
  /** What the last read said, while reads fail and are tried again. */
  failure: string | undefined;
  failureCode: string | undefined;
}

export const untilEnd = 'end';

/** One of a job's sources as it is read from one path. */
export interface SourceInput {
  readonly source: SourceNode;
  readonly reader: RecordReader;
  /** Where the last checkpoint left a split. */
  readonly positionOf: (split: string) => string | undefined;
  /** Whether the last checkpoint left it skipped as a whole. */
  readonly isSkipped?: (split: string) => boolean;
  /** What the last checkpoint knows of the splits of this path beside their positions, by name. */
  readonly marks?: ReadonlyMap<string, SplitMark>;
}

/** What became of a split, in the order in which the topology has to learn it. */
export interface SplitChange {
  readonly kind: 'begin' | 'end';
  readonly cursor: Cursor;
  /** Of a beginning: the keys of its parents. */
  readonly parents: readonly string[];
}

/**
 * The splits of one input: those that are known, but for what is done and gone from the stream, and
 * the new ones.
 */
export function merged(
  input: SourceInput,
  listed: readonly Split[],
  cursors: readonly Cursor[],
  left: Map<string, string | undefined>,
  until: Cursor['until'],
): readonly Cursor[] {
  const names = new Map(listed.map((split) => [split.id, split]));
  const kept = cursors.filter(
    ({ reader, phase, split }) => reader === input.reader && (phase !== 'done' || names.has(split)),
  );
  for (const [n, cursor] of kept.entries()) {
    const now = names.get(cursor.split);
    if (now !== undefined) {
      const wasReplaced = isReplaced(now, cursor.position, cursor.begins);
      cursor.listed = { begins: now.begins, position: cursor.position };
      if (!wasReplaced) continue;
      left.delete(cursor.key);
      if (cursor.phase === 'done')
        kept[n] = cursorOf(
          { ...input, positionOf: () => undefined, isSkipped: () => false },
          now,
          left,
          until,
        );
      else restart(cursor, now);
      continue;
    }
    cursor.ended = true;
    cursor.childrenKnown = true;
    left.set(cursor.key, cursor.ahead);
  }
  const known = new Set(kept.map(({ split }) => split));
  return [
    ...kept,
    ...listed
      .filter(({ id }) => !known.has(id))
      .map((split) => cursorOf(input, split, left, until)),
  ];
}

/**
 * Whether a read that gave this saw the end of its split. A stream that says how far behind a read
 * was is believed.
 */
export function foundEnd({ records, behindMs, inconclusive }: ReadResult): boolean {
  return inconclusive !== true && (behindMs === undefined ? records.length === 0 : behindMs === 0);
}

export function changesOf(cursors: readonly Cursor[], draining: boolean): readonly SplitChange[] {
  if (!cursors.some(({ phase, ended }) => phase === 'waiting' || (phase === 'begun' && ended)))
    return [];
  // While it drains, children that are not known yet came later than what is to be read.
  const isFinished = ({ phase, ended, ready, childrenKnown }: Cursor): boolean =>
    phase === 'done' ||
    (phase === 'begun' && ended && ready === undefined && (childrenKnown || draining));
  const parentsOf = ({ reader, parents }: Cursor): readonly Cursor[] =>
    cursors.filter((other) => other.reader === reader && parents.includes(other.split));
  const changes: SplitChange[] = [];
  for (const cursor of cursors) {
    if (cursor.phase !== 'waiting') continue;
    const parents = parentsOf(cursor);
    if (!parents.every((parent) => isFinished(parent) || (draining && isRead(parent)))) continue;
    cursor.phase = 'begun';
    changes.push({ kind: 'begin', cursor, parents: parents.map(({ key }) => key) });
  }
  const awaited = new Set(cursors.filter(({ phase }) => phase === 'waiting').flatMap(parentsOf));
  for (const cursor of cursors) {
    if (cursor.phase === 'done' || !isFinished(cursor) || awaited.has(cursor)) continue;
    cursor.phase = 'done';
    changes.push({ kind: 'end', cursor, parents: [] });
  }
  return changes;
}

/** Whether a split is read to where a drain asks for. */
export function isRead({ phase, until, atEnd, ended, ready, position }: Cursor): boolean {
  if (phase === 'done' || until === null) return true;
  if (until === undefined) return false;
  if (ready === undefined && (ended || (until === untilEnd && atEnd))) return true;
  return until !== untilEnd && position !== undefined && comparePositions(position, until) >= 0;
}

export function withinDrain(
  { until }: Cursor,
  records: readonly IncomingRecord[],
): readonly IncomingRecord[] {
  if (until === undefined || until === untilEnd) return records;
  return until === null
    ? []
    : records.filter((record) => comparePositions(record.position, until) <= 0);
}

function cursorOf(
  { source, reader, positionOf, isSkipped, marks }: SourceInput,
  listed: Split,
  left: ReadonlyMap<string, string | undefined>,
  until: Cursor['until'],
): Cursor {
  const { id, parents, formerly } = listed;
  const key = splitKey({ source: source.id, path: reader.path, split: id });
  const known =
    left.get(key) ?? positionOf(id) ?? (formerly === undefined ? undefined : positionOf(formerly));
  const was = marks?.get(id);
  const mark = isReplaced(listed, known, was?.begins) ? undefined : was;
  const position = isReplaced(listed, known, undefined) ? undefined : known;
  const skipped =
    isSkipped?.(id) === true || (formerly !== undefined && isSkipped?.(formerly) === true);
  return {
    source,
    reader,
    path: reader.path,
    split: id,
    parents,
    key,
    phase: skipped ? 'done' : 'waiting',
    position,
    ahead: position,
    passed: undefined,
    ready: undefined,
    reading: false,
    reads: 0,
    ended: skipped,
    skipped,
    begins: position === undefined ? (mark?.begins ?? listed.begins) : undefined,
    listed: { begins: listed.begins, position },
    from: position === undefined ? mark?.fromMs : undefined,
    arrivedAtMs: undefined,
    restoredReadToMs: mark?.readToMs,
    isNew: mark === undefined,
    isFresh: true,
    childrenKnown: skipped,
    heardMs: undefined,
    readyHeardMs: undefined,
    met: false,
    caughtUp: false,
    behindMs: undefined,
    until,
    atEnd: false,
    answeredMs: undefined,
    notBeforeMs: 0,
    waitsFor: undefined,
    failure: undefined,
    failureCode: undefined,
  };
}

/** Whether a listed split is not the one whose position or beginning is known. */
export function isReplaced(
  { begins }: Split,
  position: string | undefined,
  began: string | undefined,
): boolean {
  if (begins === undefined) return false;
  return position === undefined
    ? began !== undefined && began !== begins
    : comparePositions(position, begins) < 0;
}

/** Goes past what cannot be read; what a read that is under way says counts no more. */
export function skipTo(
  cursor: Cursor,
  to: string | 'whole' | undefined,
  nowMs: number | undefined,
): void {
  cursor.reads++;
  cursor.reading = false;
  cursor.ready = undefined;
  cursor.passed = undefined;
  cursor.waitsFor = undefined;
  cursor.failure = undefined;
  cursor.failureCode = undefined;
  cursor.answeredMs = nowMs;
  cursor.notBeforeMs = 0;
  if (to === 'whole') {
    cursor.skipped = true;
    cursor.ended = true;
    cursor.childrenKnown = true;
    return;
  }
  cursor.position = to;
  cursor.ahead = to;
  cursor.begins = undefined;
  cursor.from = undefined;
  cursor.arrivedAtMs = undefined;
  cursor.restoredReadToMs = undefined;
  cursor.heardMs = undefined;
}

/**
 * Whether another split has its name since it was listed last, and is being read already: as if it
 * went on.
 */
export function isReplacedUnseen({ begins }: Split, { listed }: Cursor): boolean {
  return begins !== undefined && listed.begins !== undefined && begins !== listed.begins;
}

/** Another split of its name stands in its place: it is read from its beginning. */
function restart(cursor: Cursor, { begins }: Split): void {
  skipTo(cursor, undefined, undefined);
  cursor.begins = begins;
  cursor.ended = false;
  cursor.childrenKnown = false;
}

/** Epoch ms: all that had arrived by then was read and is in a turn. */
export function readToOf(
  { heardMs, arrivedAtMs, restoredReadToMs }: Cursor,
  nowMs: number,
  monotonicMs: number,
): number | undefined {
  const heardAtMs = heardMs === undefined ? undefined : nowMs - (monotonicMs - heardMs);
  const known = [heardAtMs, arrivedAtMs, restoredReadToMs].filter((at) => at !== undefined);
  // A producer of Kafka may put any number into a record's time.
  return known.length === 0 ? undefined : Math.round(Math.min(nowMs, Math.max(...known)));
}

/** What a checkpoint keeps of a split beside its position. */
export function markOf(cursor: Cursor, nowMs: number, monotonicMs: number): SplitMark {
  const { ended, ready, skipped, begins, from, position } = cursor;
  const readToMs = readToOf(cursor, nowMs, monotonicMs);
  const fromMs = from === 'latest' ? (readToMs ?? nowMs) - limits.latestMarginMs : from;
  return {
    ...(readToMs === undefined ? {} : { readToMs }),
    ...(ended && ready === undefined && !skipped ? { ended: true as const } : {}),
    ...(begins === undefined || position !== undefined ? {} : { begins }),
    ...(fromMs === undefined || position !== undefined ? {} : { fromMs }),
  };
}

/** The split as it was before it was skipped. */
export function unskipped(
  { split, parents, position }: Cursor,
  input: SourceInput,
  until: Cursor['until'],
): Cursor {
  return cursorOf(
    { ...input, positionOf: () => position, isSkipped: () => false },
    { id: split, parents },
    new Map(),
    until,
  );
}

/**
 * Why a split is not known to be quiet, or that it is: `slow` is one whose answer is waited for, or
 * that throttles.
 */
export type Hearing = 'caught-up' | 'behind' | 'slow' | 'unreadable' | 'paused';

export function hearingOf(
  { failure, ready, answeredMs, caughtUp, ended, until, reader }: Cursor,
  held: boolean,
  monotonicMs: number,
): Hearing {
  if (failure !== undefined) return 'unreadable';
  if (held) return 'paused';
  const isAsked = ready === undefined && answeredMs !== undefined && !ended && until === undefined;
  if (isAsked && monotonicMs - answeredMs > (reader.slowMs ?? limits.readSlowMs)) return 'slow';
  return caughtUp ? 'caught-up' : 'behind';
}

export function positionKey(cursor: Pick<Cursor, 'path' | 'split'>): string {
  return `${cursor.path} ${cursor.split}`;
}
