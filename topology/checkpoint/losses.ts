/**
 * What a topology lost: records of its streams that were gone before it read them. Pure.
 *
 * Invariant: a loss is counted once, however often it is found. It is identified by its split and
 * the position after which it begins, so a loss that grows stays the same loss, also when its split
 * disappears in the end.
 */
import type { Route } from '../../schemas/ports/record.ts';

/** Losses that checkpoints keep one by one; all are counted. */
const lossesKept = 1_000;

export interface LossRecord {
  readonly source: string;
  /** `team/app` */
  readonly stream: string;
  readonly path: Route;
  readonly split: string;
  /**
   * `trimmed`: retention removed it. `truncated`: the split lost its end, up to before what was
   * read, and what was not read after that. `gone`: the split is no longer there. `replaced`:
   * another one of its name is.
   */
  readonly kind: 'trimmed' | 'truncated' | 'gone' | 'replaced';
  /** The last position that was read; null where none was. */
  readonly after: string | null;
  /**
   * The first position that is there, and of one that is truncated the one where it continues; null
   * where there is none, or it is not known.
   */
  readonly before: string | null;
  /** How many were lost; null where that cannot be known, and may be none. */
  readonly records: number | null;
  /** Epoch ms: what had arrived by then was read; null where that is not known. */
  readonly readToMs: number | null;
  /** Epoch ms: when it was found first. */
  readonly atMs: number;
}

/** All that a topology lost. */
export interface Losses {
  readonly total: number;
  /** Of those whose number is known. */
  readonly records: number;
  /** Losses whose number is not known. */
  readonly uncounted: number;
  /** The last ones, oldest first. */
  readonly last: readonly LossRecord[];
}

export const noLosses: Losses = { total: 0, records: 0, uncounted: 0, last: [] };

/**
 * With one more, or with one that is known already as it is now; undefined when there is nothing
 * new.
 */
export function addLoss(losses: Losses, found: LossRecord): Losses | undefined {
  const at = losses.last.findIndex((known) => isSame(known, found));
  const known = losses.last[at];
  if (known === undefined) {
    const last = [...losses.last, found].slice(-lossesKept);
    return {
      total: losses.total + 1,
      records: losses.records + (found.records ?? 0),
      uncounted: losses.uncounted + (found.records === null ? 1 : 0),
      last,
    };
  }
  const records = found.records ?? known.records;
  const before = found.before ?? known.before;
  // What is no longer there is so permanently.
  const isThere = known.kind === 'trimmed' || known.kind === 'truncated';
  const kind = isThere ? found.kind : known.kind;
  if (records === known.records && before === known.before && kind === known.kind) return undefined;
  const grown: LossRecord = { ...known, kind, records, before };
  return {
    ...losses,
    records: losses.records + (records ?? 0) - (known.records ?? 0),
    uncounted: losses.uncounted - (known.records === null && records !== null ? 1 : 0),
    last: losses.last.with(at, grown),
  };
}

function isSame(a: LossRecord, b: LossRecord): boolean {
  return a.source === b.source && a.path === b.path && a.split === b.split && a.after === b.after;
}

/** A loss in a sentence. */
export function lossText({
  stream,
  path,
  split,
  kind,
  after,
  before,
  records,
  readToMs,
}: LossRecord): string {
  const what =
    records === null
      ? 'an unknown number of records, possibly none'
      : `${records} ${records === 1 ? 'record' : 'records'}`;
  const from = after === null ? 'from its beginning on' : `after ${after}`;
  const on = kind === 'truncated' ? ', and it goes on at ' : ' and before ';
  const to = before === null ? '' : `${on}${before}`;
  const since = readToMs === null ? '' : `, arrived after ${new Date(readToMs).toISOString()}`;
  return `${stream} ${path} ${split} lost ${what} (${from}${to}${since}): ${reasons[kind]}`;
}

const reasons: Readonly<Record<LossRecord['kind'], string>> = {
  trimmed: 'the retention of its stream removed them before they were read',
  truncated:
    'its stream lost its end, with records that were already read, as after an unclean leader election',
  gone: 'its stream no longer has the split, which was not read to its end',
  replaced: 'its stream was deleted and created again',
};
