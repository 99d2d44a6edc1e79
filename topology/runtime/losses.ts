/**
 * Which records a stream had and nobody will read: what retention removed before it was read, what
 * went with the end of a split, and splits that are listed no more before they were read to their
 * ends. Pure.
 *
 * Invariants:
 * 1. Where positions follow each other one by one the number of records is known; elsewhere the
 *    range is all that can be told.
 * 2. What was read to its end, or left out by command, is no loss when it goes.
 */
import type { Split } from '../../schemas/ports/record.ts';
import type { OldestKept } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import type { Cursor, SourceInput } from './cursor.ts';
import { isReplaced, isReplacedUnseen } from './cursor.ts';

/**
 * What retention took of a split whose next record is not kept any more. `begins`: of one of which
 * nothing was read, where it began.
 */
export function trimmedLoss(
  {
    source,
    path,
    split,
    position,
    begins,
  }: Pick<Cursor, 'source' | 'path' | 'split' | 'position' | 'begins'>,
  oldest: OldestKept | undefined,
  readToMs: number | undefined,
  atMs: number,
): LossRecord {
  const before = oldest?.position ?? null;
  const counts = oldest?.counts === true && before !== null;
  const next = position === undefined ? begins : String(BigInt(position) + 1n);
  const count = counts && next !== undefined ? Number(BigInt(before) - BigInt(next)) : 0;
  const records = count > 0 ? count : null;
  const after = position ?? null;
  return {
    source: source.id,
    stream: source.stream,
    path,
    split,
    kind: 'trimmed',
    after,
    before,
    records,
    readToMs: readToMs ?? null,
    atMs,
  };
}

/** What went with the end of a split, which goes on behind `latest`: behind what was read. */
export function truncatedLoss(
  { source, path, split, position }: Pick<Cursor, 'source' | 'path' | 'split' | 'position'>,
  latest: string | undefined,
  readToMs: number | undefined,
  atMs: number,
): LossRecord {
  return {
    source: source.id,
    stream: source.stream,
    path,
    split,
    kind: 'truncated',
    after: position ?? null,
    before: latest === undefined ? null : String(BigInt(latest) + 1n),
    records: null,
    readToMs: readToMs ?? null,
    atMs,
  };
}

/**
 * The last position behind a split's own that is not kept any more, where positions say so; null
 * elsewhere.
 */
export function beforeOldest(
  { position }: Pick<Cursor, 'position'>,
  oldest: OldestKept | undefined,
): string | null {
  if (oldest?.position === undefined || !oldest.counts) return null;
  const last = BigInt(oldest.position) - 1n;
  return last < 0n || (position !== undefined && last <= BigInt(position)) ? null : String(last);
}

/** What to do about a split whose position is not kept any more. */
export function wayOn(topology: string, key: string): string {
  return `read on behind it: sluice skip ${topology} '${key}' --to oldest; or start again with --from oldest, latest or a time`;
}

/**
 * Splits of one input that are listed no more, or are others now, and were not read to their ends.
 * `cursors` are as they were before, `seen` the names of all that were ever listed: none at a
 * start.
 */
export function goneLosses(
  input: SourceInput,
  listed: readonly Split[],
  cursors: readonly Cursor[],
  seen: ReadonlySet<string>,
  readToOf: (cursor: Cursor) => number | undefined,
  atMs: number,
): readonly LossRecord[] {
  const { source, reader } = input;
  const { path } = reader;
  const losses: LossRecord[] = [];
  const lose = (
    split: string,
    kind: LossRecord['kind'],
    after: string | undefined,
    before: string | undefined,
    readToMs?: number,
  ): void =>
    void losses.push({
      ...{
        source: source.id,
        stream: source.stream,
        path,
        split,
        kind,
        after: after ?? null,
        before: before ?? null,
      },
      ...{ records: null, readToMs: readToMs ?? null, atMs },
    });
  const names = new Map<string, Split>();
  for (const split of listed) {
    if (split.formerly !== undefined) names.set(split.formerly, split);
    names.set(split.id, split);
  }
  const own = new Map(
    cursors.filter((cursor) => cursor.reader === reader).map((cursor) => [cursor.split, cursor]),
  );
  for (const [id, cursor] of own) {
    if (cursor.ended || cursor.phase === 'done') continue;
    const now = names.get(id);
    if (now === undefined) lose(id, 'gone', cursor.ahead, undefined, readToOf(cursor));
    else if (isReplaced(now, cursor.position, cursor.begins))
      lose(id, 'replaced', cursor.ahead, now.begins, readToOf(cursor));
    else if (isReplacedUnseen(now, cursor))
      lose(id, 'replaced', cursor.listed.position, now.begins);
  }
  // What the last checkpoint knows is compared once, when the splits are listed first.
  if (seen.size === 0) {
    for (const [id, mark] of input.marks ?? []) {
      if (mark.ended === true || input.isSkipped?.(id) === true) continue;
      const now = names.get(id);
      const position = input.positionOf(id);
      if (now === undefined) lose(id, 'gone', position, undefined, mark.readToMs);
      else if (isReplaced(now, position, mark.begins))
        lose(id, 'replaced', position, now.begins, mark.readToMs);
    }
  }
  // A split that is new, and whose parents went before they were seen: only where others were read
  // before.
  const isFirst = seen.size === 0 && (input.marks?.size ?? 0) === 0;
  const isKnown = (id: string): boolean =>
    own.has(id) ||
    seen.has(id) ||
    input.marks?.has(id) === true ||
    input.positionOf(id) !== undefined;
  if (isFirst) return losses;
  for (const { id, goneParents = [] } of listed) {
    if (isKnown(id)) continue;
    for (const parent of goneParents)
      if (!isKnown(parent)) lose(parent, 'gone', undefined, undefined);
  }
  return losses;
}
