/**
 * The rows of the property suite and what the topologies' own functions make of them. The topology
 * and the oracle call the same functions: what is compared is the engine, not these.
 *
 * Every function is pure, and every row says its own event time, so that a topology can see that
 * the engine kept it.
 */
import type { Key } from '../../schemas/kernel/key.ts';

export interface Row {
  readonly id: string;
  /** A key, `k0` to `k3`. */
  readonly k: string;
  readonly n: number;
  /** Its event time, epoch ms. */
  readonly at: number;
  /** What an operator made of others. */
  readonly x: unknown;
}

/** What an event carries. */
export interface Data {
  readonly k: string;
  readonly n: number;
  readonly at: number;
}

const keyCount = 4;
export const keyOfNumber = (n: number): string => `k${Math.abs(n) % keyCount}`;

/** FNV-1a: ids of rows that were made of others stay short. */
function short(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

/** Of ids in any order, each as often as it is there. */
export const idsOf = (ids: readonly string[]): string =>
  `${ids.length}:${short([...ids].sort().join(' '))}`;

/**
 * The value of a row for `sum`, `avg`, `min` and `max`: no binary fraction, of both signs, of two
 * magnitudes.
 */
export const amountOf = ({ n }: Row): number =>
  (n % 7 === 0 ? n * 1e9 + 0.3 : n / 10) * (n % 2 === 0 ? 1 : -1);

export const mapped = (row: Row): Row => ({
  ...row,
  n: (row.n * 5 + 3) % 997,
  k: keyOfNumber(row.n * 5 + 3),
});

/** Whether a throwing function throws for the row. */
export const isPoison = ({ n }: Row): boolean => n % 11 === 3;

export const isKept = ({ n }: Row): boolean => n % 4 !== 1;

export const manyOf = (row: Row): readonly Row[] =>
  Array.from({ length: row.n % 3 }, (_, i) => ({ ...row, id: `${row.id}.${i}`, n: row.n + i }));

export const conditions = {
  a: ({ n }: Row): boolean => n % 3 === 0,
  b: ({ n }: Row): boolean => n % 3 === 1,
} as const;

export interface Weight {
  readonly key: string;
  readonly w: number;
}

/** Of the look-up table; `k2` and `k3` are not in it. */
export const tableRows: readonly Weight[] = [
  { key: 'k0', w: 1 },
  { key: 'k1', w: 2 },
];

/** What the asynchronous look-up answers; nothing for `k2`. */
export const answers: Readonly<Record<string, Weight>> = {
  k0: { key: 'k0', w: 7 },
  k1: { key: 'k1', w: 11 },
  k3: { key: 'k3', w: 13 },
};

/** The key that a look-up which rejects never gets an answer for. */
export const unanswered = 'k1';

export const weighed = (row: Row, found: Weight | undefined): Row => ({
  ...row,
  n: row.n + (found?.w ?? 100),
});

export const joined = (id: string, left: Row, right: Row | undefined): Row => ({
  id: short(`${id} ${left.id} ${right?.id ?? '-'}`),
  k: keyOfNumber(left.n + (right?.n ?? 0)),
  n: (left.n + (right?.n ?? 0)) % 997,
  at: Math.max(left.at, right?.at ?? left.at),
  x: { left: left.id, right: right?.id ?? null },
});

/** What a process keeps of a row. */
export interface Seen {
  readonly id: string;
  readonly at: number;
}

/** What a timer at `at` gives, of what the key had seen until then. */
export function summed(id: string, key: string, at: number, seen: readonly Seen[]): Row {
  const ids = idsOf(seen.map((one) => one.id));
  return {
    id: short(`${id} ${key} ${at} ${ids}`),
    k: keyOfNumber(seen.length),
    n: seen.length,
    at,
    x: { key, ids },
  };
}

/** What a process gives of a row at once. */
export const passedOn = (row: Row): readonly Row[] =>
  row.n % 2 === 0 ? [{ ...row, id: `${row.id}p` }] : [];

export const firstTimer = (at: number, periodMs: number): number =>
  Math.floor(at / periodMs) * periodMs + periodMs;

export interface Window {
  readonly key: unknown;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly ids: string;
  readonly count: number;
  readonly sum: number;
  readonly avg: number;
  readonly min: number;
  readonly max: number;
  /** Whether the approximate number of ids is the right one. */
  readonly distinct: boolean;
}

export const windowRow = (id: string, w: Window): Row => ({
  id: short(`${id} ${JSON.stringify(w.key)} ${w.windowStart} ${w.windowEnd} ${w.ids}`),
  k: keyOfNumber(w.count + Math.floor(w.windowStart / 100)),
  n: w.count,
  at: w.windowEnd - 1,
  x: {
    key: w.key,
    start: w.windowStart,
    end: w.windowEnd,
    ids: w.ids,
    sum: w.sum,
    avg: w.avg,
    min: w.min,
    max: w.max,
    distinct: w.distinct,
  },
});

export type KeyKind = 'text' | 'number' | 'boolean' | 'tuple' | 'all';

/** Keys of every lawful kind. */
export const keysOf: Readonly<Record<KeyKind, (row: Row) => Key>> = {
  text: ({ k }) => k,
  number: ({ n }) => n % keyCount,
  boolean: ({ n }) => n % 2 === 0,
  tuple: ({ k, n }) => [k, n % 2],
  all: () => 'all',
};
