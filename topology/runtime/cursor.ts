/**
 * One split as a source of a job reads it: its position, and whether it is read to the end of a
 * drain. cursor-heard.ts tracks its silence, split-changes.ts its beginning and end. Pure, except
 * for the cursor that it changes.
 */
import type { IncomingRecord, Route, Split } from '../../schemas/ports/record.ts';
import type { ReadFrom, ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { SplitMark } from '../checkpoint/manifest.ts';
import { splitKey } from '../operators/batch.ts';
import type { SourceNode } from '../operators/source/kind.ts';

export interface Cursor {
  readonly source: SourceNode;
  readonly reader: RecordReader;
  readonly route: Route;
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
  /** Reads that were begun: what an earlier one says when it was given up no longer counts. */
  reads: number;
  /** The stream said that nothing more will come, or no longer lists it. */
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

/** One of a job's sources as it is read from one route. */
export interface SourceInput {
  readonly source: SourceNode;
  readonly reader: RecordReader;
  /** Where the last checkpoint left a split. */
  readonly positionOf: (split: string) => string | undefined;
  /** Whether the last checkpoint left it skipped as a whole. */
  readonly isSkipped?: (split: string) => boolean;
  /** What the last checkpoint knows of the splits of this route beside their positions, by name. */
  readonly marks?: ReadonlyMap<string, SplitMark>;
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

/** What is known of a listed split from earlier: in this run, or from the last checkpoint. */
function knownOf(
  { source, reader, positionOf, isSkipped, marks }: SourceInput,
  listed: Split,
  left: ReadonlyMap<string, string | undefined>,
): {
  readonly key: string;
  readonly position: string | undefined;
  readonly mark: SplitMark | undefined;
  readonly skipped: boolean;
} {
  const { id, formerly } = listed;
  const key = splitKey({ source: source.id, route: reader.route, split: id });
  const known =
    left.get(key) ?? positionOf(id) ?? (formerly === undefined ? undefined : positionOf(formerly));
  const was = marks?.get(id);
  return {
    key,
    position: isReplaced(listed, known, undefined) ? undefined : known,
    mark: isReplaced(listed, known, was?.begins) ? undefined : was,
    skipped: isSkipped?.(id) === true || (formerly !== undefined && isSkipped?.(formerly) === true),
  };
}

/** `left`: how far splits were read that were not listed any more, by key. */
export function newCursor(
  input: SourceInput,
  listed: Split,
  left: ReadonlyMap<string, string | undefined>,
  until: Cursor['until'],
): Cursor {
  const { source, reader } = input;
  const { key, position, mark, skipped } = knownOf(input, listed, left);
  return {
    source,
    reader,
    route: reader.route,
    split: listed.id,
    parents: listed.parents,
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

/** Goes past what cannot be read; what a read that is in flight says no longer counts. */
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

/** The split as it was before it was skipped. */
export function unskipped(
  { split, parents, position }: Cursor,
  input: SourceInput,
  until: Cursor['until'],
): Cursor {
  return newCursor(
    { ...input, positionOf: () => position, isSkipped: () => false },
    { id: split, parents },
    new Map(),
    until,
  );
}

export function positionKey(cursor: Pick<Cursor, 'route' | 'split'>): string {
  return `${cursor.route} ${cursor.split}`;
}
