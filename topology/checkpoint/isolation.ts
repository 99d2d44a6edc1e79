/**
 * Finds the element on which an operator fails unexpectedly: each failure narrows down the
 * suspects, the next run processes them in smaller parts, and an element that fails alone is set
 * aside. Pure; it is kept in a checkpoint, so that it survives the failure.
 *
 * Invariants:
 * 1. Only what failed alone, twice, is set aside: an element in its own turn, with nothing else
 *    done in it, or a call that did not return. A thread that ended for another reason, such as
 *    lack of memory, ends somewhere else the next time.
 * 2. Each failure leaves fewer suspects than before, or no new ones. One element that fails a turn
 *    is found in three runs, one that fails a checkpoint in four.
 * 3. Elements that a checkpoint has covered are no longer suspected.
 */
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';

/**
 * Runs that fail in a row while elements are suspected; past it nothing more is set aside, as it
 * is not the elements that fail. Checkpoints of a run after which a function is suspected no
 * more.
 */
export const isolationTriesMax = 100;
export const isolationCheckpoints = 16;

/** Records of one split, by the split's key; both positions are included. */
export interface RecordSpan {
  readonly split: string;
  readonly from: string;
  readonly through: string;
}

/** What was set aside: an element by its place, or, without one, what was given to a function. */
export interface SetAside {
  /** The split's key. */
  readonly split: string | null;
  /** The record's position, and of an aggregate's part its number in it. */
  readonly place: string | null;
  /** The operator that failed, where that is known. */
  readonly operator: string | null;
  readonly message: string;
  /** Epoch ms. */
  readonly atMs: number;
}

/** A function of a node. */
export interface CallSlot {
  readonly node: string;
  readonly slot: string;
}

/** One call of it, by a digest of what it was given. */
export interface StuckCall extends CallSlot {
  readonly digest: string;
}

export interface Isolation {
  /** Runs that failed since nothing was suspected. */
  readonly tries: number;
  /** Taken one by one. */
  readonly alone: readonly RecordSpan[];
  /** Taken with a checkpoint after each turn. */
  readonly eachTurn: readonly RecordSpan[];
  readonly setAside: readonly SetAside[];
  /** The element that failed alone, once. */
  readonly doubted?: { readonly split: string; readonly place: string };
  /** Functions that did not return once: what they are given is written down before each call. */
  readonly watched: readonly CallSlot[];
  /** Calls that did not return twice: they are refused. */
  readonly refused: readonly StuckCall[];
}

/** Told once a run for each. */
export type IsolationNews =
  | { readonly kind: 'set-aside'; readonly aside: SetAside }
  | { readonly kind: 'call-refused'; readonly call: StuckCall };

export const nothingSuspected: Isolation = {
  tries: 0,
  alone: [],
  eachTurn: [],
  setAside: [],
  watched: [],
  refused: [],
};

/** How a run ended, where that was no operational fault. */
export type RunFailure =
  /** Within a turn. No span: nothing was read in it. `place`: the element that was alone in it. */
  | {
      readonly kind: 'turn';
      readonly span: RecordSpan | undefined;
      readonly place: string | undefined;
      readonly operator: string | undefined;
      readonly message: string;
    }
  /**
   * While a checkpoint was taken. What entered since the one before: `spans` in so many turns, or
   * the one element at `place`.
   */
  | {
      readonly kind: 'checkpoint';
      readonly spans: readonly RecordSpan[];
      readonly turns: number;
      readonly place: string | undefined;
      readonly message: string;
    }
  /** A function did not return. The digest is known where the function was watched. */
  | ({ readonly kind: 'stuck'; readonly digest: string | undefined } & CallSlot);

export function deriveIsolation(before: Isolation, failure: RunFailure, nowMs: number): Isolation {
  const tried = { ...before, tries: before.tries + 1 };
  if (tried.tries > isolationTriesMax) return tried;
  if (failure.kind === 'stuck') {
    const { node, slot, digest } = failure;
    const isKnown = before.watched.some((known) => known.node === node && known.slot === slot);
    const watched = isKnown ? before.watched : [...before.watched, { node, slot }];
    if (digest === undefined) return { ...tried, watched };
    const message = `its ${slot} did not return, twice`;
    const aside: SetAside = { split: null, place: null, operator: node, message, atMs: nowMs };
    return {
      ...tried,
      watched,
      refused: [...before.refused, { node, slot, digest }],
      setAside: withAside(before, aside),
    };
  }
  const spans =
    failure.kind === 'turn' ? (failure.span === undefined ? [] : [failure.span]) : failure.spans;
  const [only, ...others] = spans;
  if (only === undefined) return tried;
  if (failure.place !== undefined && others.length === 0) {
    const { doubted, ...rest } = tried;
    if (doubted?.split !== only.split || doubted.place !== failure.place) {
      return { ...rest, doubted: { split: only.split, place: failure.place } };
    }
    const operator = failure.kind === 'turn' ? (failure.operator ?? null) : null;
    const aside: SetAside = {
      split: only.split,
      place: failure.place,
      operator,
      message: failure.message,
      atMs: nowMs,
    };
    return { ...rest, setAside: withAside(before, aside) };
  }
  if (failure.kind === 'turn') return { ...tried, alone: [...before.alone, only] };
  const eachTurn = [...before.eachTurn, ...spans];
  return {
    ...tried,
    eachTurn,
    alone: failure.turns === 1 ? [...before.alone, ...spans] : before.alone,
  };
}

function withAside({ setAside }: Isolation, aside: SetAside): readonly SetAside[] {
  return [...setAside, aside].slice(-isolationTriesMax);
}

/** How far a split is read: undefined where nothing of it was. */
export interface ReadSplit {
  readonly position: string | undefined;
}

/**
 * What is suspected beyond a checkpoint of these splits, by key, the `completed`th of its run. A
 * split that is gone has no more to come.
 */
export function afterCheckpoint(
  before: Isolation,
  splitOf: (key: string) => ReadSplit | undefined,
  completed: number,
): Isolation {
  if (!isSuspecting(before)) return before;
  const isAhead = ({ split: key, through }: RecordSpan): boolean => {
    const split = splitOf(key);
    return (
      split !== undefined &&
      (split.position === undefined || comparePositions(split.position, through) < 0)
    );
  };
  const isOver = completed > isolationCheckpoints;
  const left: Isolation = {
    ...before,
    alone: before.alone.filter(isAhead),
    eachTurn: before.eachTurn.filter(isAhead),
    watched: isOver ? [] : before.watched,
    refused: isOver ? [] : before.refused,
  };
  if (isSuspecting(left)) return left;
  const { doubted: _, ...rest } = left;
  return { ...rest, tries: 0 };
}

export function isSuspecting({ alone, eachTurn, watched }: Isolation): boolean {
  return alone.length > 0 || eachTurn.length > 0 || watched.length > 0;
}

export function isWithin(spans: readonly RecordSpan[], split: string, position: string): boolean {
  return spans.some(
    (span) =>
      span.split === split &&
      comparePositions(position, span.from) >= 0 &&
      comparePositions(position, span.through) <= 0,
  );
}

export interface TurnPart {
  readonly records: readonly IncomingRecord[];
  readonly alone: boolean;
}

/** A turn in parts: what is suspected one by one, what is between as it is. */
export function partsOfTurn(
  { alone }: Isolation,
  split: string,
  records: readonly IncomingRecord[],
): readonly TurnPart[] {
  if (alone.length === 0) return [{ records, alone: false }];
  const parts: { readonly records: IncomingRecord[]; readonly alone: boolean }[] = [];
  for (const record of records) {
    const last = parts.at(-1);
    if (isWithin(alone, split, record.position)) parts.push({ records: [record], alone: true });
    else if (last === undefined || last.alone) parts.push({ records: [record], alone: false });
    else last.records.push(record);
  }
  return parts;
}

/** A record's position; of an aggregate's part with its number in it. */
export function placeOf({ position, part }: Pick<IncomingRecord, 'position' | 'part'>): string {
  return part === undefined ? position : `${position}:${part}`;
}
