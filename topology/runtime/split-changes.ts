/**
 * How the splits of a job change: which are new, which are gone, and in which order their
 * beginnings and ends are announced. Pure, except for the cursors that it changes.
 *
 * Invariants:
 * 1. A split begins once all its parents were read to their ends.
 * 2. The end of a parent is announced only when its children have begun, so that its watermark
 *    holds the time until theirs replace it.
 * 3. A split whose name another one has now begins again, from its oldest record.
 */
import type { Split } from '../../schemas/ports/record.ts';
import type { Cursor, SourceInput } from './cursor.ts';
import { isRead, isReplaced, newCursor, skipTo } from './cursor.ts';

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
export function mergeSplits(
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
        kept[n] = newCursor(
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
      .map((split) => newCursor(input, split, left, until)),
  ];
}

/** Another split of its name stands in its place: it is read from its beginning. */
function restart(cursor: Cursor, { begins }: Split): void {
  skipTo(cursor, undefined, undefined);
  cursor.begins = begins;
  cursor.ended = false;
  cursor.childrenKnown = false;
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
