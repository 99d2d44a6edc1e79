/**
 * Splits, and ranges of their positions, that a person told a job to skip because they cannot be
 * read. Pure.
 *
 * Invariants:
 * 1. Only what cannot be read is skipped, and only past what is there: a split that reads fine is
 *    refused, and so is a position that is not ahead.
 * 2. What was skipped is in every checkpoint from then on, and a row of the rejected table: nothing
 *    is lost silently.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { SkipRecord } from '../checkpoint/manifest.ts';
import type { Cursor } from './cursor.ts';
import type { Hearing } from './cursor-heard.ts';

/** Skipped ranges that checkpoints keep; whole splits are all kept. */
const skipsKept = 1_000;

/**
 * `latest`: what is there now; `oldest`: what is no longer kept; `whole`: all of it, until
 * `undo`; else the last position to skip.
 */
export interface SkipRequest {
  /** Its name, or `source route name` where that is not enough. */
  readonly split: string;
  readonly to: string;
}

const unread: ReadonlySet<Hearing> = new Set(['unreadable', 'slow']);

/** The one split that is meant. Throws `SluiceError` `split-unknown`, `split-ambiguous`. */
export function findSplit(cursors: readonly Cursor[], asked: string): Cursor {
  const found = cursors.filter(({ key, route, split }) =>
    [split, `${route} ${split}`, key].includes(asked),
  );
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const names = (found.length > 1 ? found : cursors)
    .slice(0, limits.splitsNamedMax)
    .map(({ key }) => `'${key}'`);
  if (first !== undefined) {
    throw new SluiceError(
      'split-ambiguous',
      `'${asked}' is ambiguous: ${found.length} splits have that name`,
      {
        fix: `use one of ${names.join(', ')}`,
      },
    );
  }
  throw new SluiceError('split-unknown', `there is no split '${asked}'`, {
    fix: `use one of ${names.join(', ') || 'none'}`,
  });
}

/**
 * What skipping means for `cursor`; `latest` is its newest position where that was asked, or the
 * last that is no longer kept for `oldest`. Throws `SluiceError` `skip-refused`.
 */
export function decideSkip(
  cursor: Cursor,
  to: string,
  hearing: Hearing,
  latest: string | null | undefined,
  atMs: number,
): SkipRecord | undefined {
  const { source, route, split, position, failure, failureCode } = cursor;
  const refuse = (why: string, fix: string): SluiceError =>
    new SluiceError('skip-refused', `'${cursor.key}' was not skipped: ${why}`, { fix });
  if (to === 'undo') {
    if (cursor.skipped) return undefined;
    throw refuse('it was not skipped as a whole', 'there is nothing to undo');
  }
  if (cursor.skipped) throw refuse('it is already skipped as a whole', 'read it again with --undo');
  if (!unread.has(hearing))
    throw refuse('it can be read', 'do not skip it; `sluice status` shows what holds the topology');
  const why = failure ?? 'its reads time out';
  const record = {
    source: source.id,
    path: route,
    split,
    after: position ?? null,
    atMs,
    why: why.slice(0, limits.statusTextMaxChars),
  };
  if (to === 'whole') return { ...record, to: null, kind: 'whole' };
  if (to === 'oldest') {
    if (failureCode === 'position-trimmed')
      return { ...record, to: latest ?? null, kind: 'oldest' };
    throw refuse(
      'the stream still has the next record',
      'pass the last position to skip with --to, or skip the split as a whole with --whole',
    );
  }
  const end = to === 'latest' ? latest : to;
  if (end === null || end === undefined) {
    const empty = end === undefined && to === 'latest';
    throw refuse(
      empty ? 'it is empty' : 'its stream does not report its newest position',
      'pass a position with --to, or use --whole',
    );
  }
  if (!/^\d+$/.test(end))
    throw refuse(
      `'${end}' is not a position`,
      'a position is a sequence number or an offset: digits',
    );
  if (position !== undefined && comparePositions(end, position) <= 0)
    throw refuse(`it was already read up to ${position}`, 'pass a later position');
  if (to !== 'latest' && typeof latest === 'string' && comparePositions(end, latest) > 0)
    throw refuse(`its newest position is ${latest}`, 'pass a position up to that one');
  return { ...record, to: end, kind: 'range' };
}

/** The skips of a job with one more: whole splits are all kept, of the others the last ones. */
export function addSkip(skips: readonly SkipRecord[], added: SkipRecord): readonly SkipRecord[] {
  const all = [...skips, added];
  const tooMany = all.filter(({ kind }) => kind !== 'whole').length - skipsKept;
  let left = Math.max(0, tooMany);
  return all.filter(({ kind }) => kind === 'whole' || left-- <= 0);
}

/** The skips without the one of a whole split. */
export function withoutWhole(
  skips: readonly SkipRecord[],
  { source, route, split }: Cursor,
): readonly SkipRecord[] {
  return skips.filter((skip) => !isWhole(skip, source.id, route, split));
}

/** Whether a split is skipped as a whole. */
export function isSkipped(
  skips: readonly SkipRecord[],
  source: string,
  route: string,
  split: string,
): boolean {
  return skips.some((skip) => isWhole(skip, source, route, split));
}

function isWhole(skip: SkipRecord, source: string, route: string, split: string): boolean {
  return (
    skip.kind === 'whole' && skip.source === source && skip.path === route && skip.split === split
  );
}

/** A skip in a sentence, for the rejected table and for whoever asked for it. */
export function skipText({ path, split, after, to, kind, why, from: start }: SkipRecord): string {
  const from = after === null ? 'from its beginning' : `after ${after}`;
  const upTo = to === null ? '' : ` up to ${to}`;
  const range = {
    whole: `everything ${from}`,
    oldest: `records that are no longer kept, ${from}${upTo}`,
    range: `the records ${from}${upTo}`,
    start: `the records ${from}${upTo}, because it started with --from ${start}`,
  }[kind];
  return `skipped by command: ${path} ${split}: ${range}; it could not be read: ${why}`;
}
