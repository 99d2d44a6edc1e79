/**
 * Which records a stream had and nobody will read: what retention removed before it was read, what
 * went with the end of a split, and splits that are no longer listed before they were read to their
 * ends. Pure.
 *
 * Invariants:
 * 1. Where positions follow each other one by one the number of records is known; elsewhere the
 *    range is all that can be told.
 * 2. What was read to its end, or left out by command, is not a loss when it goes.
 */
import type { Split } from '../../schemas/ports/record.ts';
import type { OldestKept } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import type { Cursor, SourceInput } from './cursor.ts';
import { isReplaced } from './cursor.ts';

/**
 * What retention took of a split whose next record is no longer kept. `begins`: of one of which
 * nothing was read, where it began.
 */
export function trimmedLoss(
  {
    source,
    route,
    split,
    position,
    begins,
  }: Pick<Cursor, 'source' | 'route' | 'split' | 'position' | 'begins'>,
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
    path: route,
    split,
    kind: 'trimmed',
    after,
    before,
    records,
    readToMs: readToMs ?? null,
    atMs,
  };
}

/** What went with the end of a split, which continues behind `latest`: behind what was read. */
export function truncatedLoss(
  { source, route, split, position }: Pick<Cursor, 'source' | 'route' | 'split' | 'position'>,
  latest: string | undefined,
  readToMs: number | undefined,
  atMs: number,
): LossRecord {
  return {
    source: source.id,
    stream: source.stream,
    path: route,
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
 * The last position behind a split's own that is no longer kept, where positions say so; null
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

/** What to do about a split whose position is no longer kept. */
export function wayOn(topology: string, key: string): string {
  return `continue after the gap with sluice skip ${topology} '${key}' --to oldest; or start again with --from oldest, latest or a time`;
}

/** What is known of the splits of one input when they are listed. */
export interface ListedFacts {
  readonly input: SourceInput;
  readonly listed: readonly Split[];
  /** Of all inputs, as they were before. */
  readonly cursors: readonly Cursor[];
  /** The names of all that were ever listed: none at a start. */
  readonly seen: ReadonlySet<string>;
  readonly readToOf: (cursor: Cursor) => number | undefined;
  readonly atMs: number;
}

/**
 * Splits of one input that are no longer listed, or are others now, and were not read to their ends.
 */
export function goneLosses(facts: ListedFacts): readonly LossRecord[] {
  const { input, listed, cursors, seen } = facts;
  const names = new Map<string, Split>();
  for (const split of listed) {
    if (split.formerly !== undefined) names.set(split.formerly, split);
    names.set(split.id, split);
  }
  const own = new Map(
    cursors
      .filter((cursor) => cursor.reader === input.reader)
      .map((cursor) => [cursor.split, cursor]),
  );
  const isFirst = seen.size === 0;
  return [
    ...lostCursors(facts, names, own),
    // What the last checkpoint knows is compared once, when the splits are listed first.
    ...(isFirst ? lostMarks(facts, names) : []),
    // A split that is new, and whose parents went before they were seen: only where others were
    // read before.
    ...(isFirst && (input.marks?.size ?? 0) === 0 ? [] : lostParents(facts, own)),
  ];
}

/** Of the splits that this run reads. */
function lostCursors(
  facts: ListedFacts,
  names: ReadonlyMap<string, Split>,
  own: ReadonlyMap<string, Cursor>,
): readonly LossRecord[] {
  return [...own].flatMap(([id, cursor]): readonly LossRecord[] => {
    if (cursor.ended || cursor.phase === 'done') return [];
    const now = names.get(id);
    const readToMs = facts.readToOf(cursor);
    const after = cursor.ahead;
    if (now === undefined) return [goneLoss(facts, id, { kind: 'gone', after, readToMs })];
    const { begins: before } = now;
    if (isReplaced(now, cursor.position, cursor.begins))
      return [goneLoss(facts, id, { kind: 'replaced', after, before, readToMs })];
    return isReplacedUnseen(now, cursor)
      ? [goneLoss(facts, id, { kind: 'replaced', after: cursor.listed.position, before })]
      : [];
  });
}

/** Of the splits that the last checkpoint knows. */
function lostMarks(facts: ListedFacts, names: ReadonlyMap<string, Split>): readonly LossRecord[] {
  const { input } = facts;
  return [...(input.marks ?? [])].flatMap(([id, mark]): readonly LossRecord[] => {
    if (mark.ended === true || input.isSkipped?.(id) === true) return [];
    const now = names.get(id);
    const after = input.positionOf(id);
    const { readToMs } = mark;
    if (now === undefined) return [goneLoss(facts, id, { kind: 'gone', after, readToMs })];
    return isReplaced(now, after, mark.begins)
      ? [goneLoss(facts, id, { kind: 'replaced', after, before: now.begins, readToMs })]
      : [];
  });
}

/** Parents, of splits that are new, that nobody has seen. */
function lostParents(facts: ListedFacts, own: ReadonlyMap<string, Cursor>): readonly LossRecord[] {
  const { input, listed, seen } = facts;
  const isKnown = (id: string): boolean =>
    own.has(id) ||
    seen.has(id) ||
    input.marks?.has(id) === true ||
    input.positionOf(id) !== undefined;
  return listed
    .filter(({ id }) => !isKnown(id))
    .flatMap(({ goneParents = [] }) => goneParents.filter((parent) => !isKnown(parent)))
    .map((parent) => goneLoss(facts, parent, { kind: 'gone' }));
}

interface GoneRange {
  readonly kind: LossRecord['kind'];
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly readToMs?: number | undefined;
}

function goneLoss(
  { input: { source, reader }, atMs }: ListedFacts,
  split: string,
  { kind, after, before, readToMs }: GoneRange,
): LossRecord {
  return {
    source: source.id,
    stream: source.stream,
    path: reader.route,
    split,
    kind,
    after: after ?? null,
    before: before ?? null,
    records: null,
    readToMs: readToMs ?? null,
    atMs,
  };
}

/**
 * Whether another split has its name since it was listed last, and is being read already: as if it
 * continued.
 */
function isReplacedUnseen({ begins }: Split, { listed }: Cursor): boolean {
  return begins !== undefined && listed.begins !== undefined && begins !== listed.begins;
}
