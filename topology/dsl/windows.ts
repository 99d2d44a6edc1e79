/**
 * Window shapes and aggregates, as an author writes them.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { AggregateKind } from '../operators/window/node.ts';
import type { Duration } from '../time/duration.ts';

export type WindowDefinition =
  | { readonly type: 'tumbling'; readonly size: Duration; readonly offset: Duration }
  | {
      readonly type: 'sliding';
      readonly size: Duration;
      readonly slide: Duration;
      readonly offset: Duration;
    }
  | { readonly type: 'session'; readonly gap: Duration };

/**
 * Windows `[start, end)` of one size that do not overlap. They begin at multiples of the size since
 * 1970 UTC, shifted by `offset`, which must be less than the size.
 *
 * @example
 * clicks.keyBy((c) => c.user).window('per-minute', tumbling('1m')).aggregate({ clicks: count() });
 */
export function tumbling(
  size: Duration,
  options: { readonly offset?: Duration } = {},
): WindowDefinition {
  return { type: 'tumbling', size, offset: options.offset ?? 0 };
}

/**
 * Windows `[start, end)` of `size`, one every `slide`; an element is in each window that covers it.
 * `offset` must be less than the slide.
 *
 * @example
 * clicks
 *   .keyBy((c) => c.user)
 *   .window('last-hour', sliding('1h', '5m'))
 *   .aggregate({ clicks: count() });
 */
export function sliding(
  size: Duration,
  slide: Duration,
  options: { readonly offset?: Duration } = {},
): WindowDefinition {
  return { type: 'sliding', size, slide, offset: options.offset ?? 0 };
}

/**
 * One window per burst of a key: `[first, last + gap)`. Elements whose gaps touch are in one
 * session.
 *
 * @example
 * clicks.keyBy((c) => c.user).window('visits', session('30m')).aggregate({ clicks: count() });
 */
export function session(gap: Duration): WindowDefinition {
  return { type: 'session', gap };
}

/**
 * What a window computes from its elements of type `T`, whatever their order of arrival.
 */
export interface Aggregate<in T, out R> {
  readonly agg: AggregateKind;
  readonly functions: Readonly<Record<string, unknown>>;
  /** Of the schema of its accumulator; absent: 1. */
  readonly version?: number | undefined;
  /** Never present; carries `T`. */
  readonly takes?: (value: T) => void;
  /** Never present; carries `R`. */
  readonly gives?: () => R;
}

/**
 * The result of an aggregate that skips null when there was nothing else: null, if its function can
 * return null.
 */
type NullOf<V> = Extract<V, null | undefined> extends never ? never : null;

/**
 * The number of elements; with `of`, the number for which it returns neither null nor undefined.
 *
 * @example
 * minutes.aggregate({ clicks: count(), bought: count((c: Click) => c.order) });
 */
export function count(): Aggregate<unknown, number>;
export function count<T>(of: (value: T) => unknown): Aggregate<T, number>;
export function count(of?: unknown): Aggregate<never, number> {
  return of === undefined
    ? { agg: 'count', functions: {} }
    : { agg: 'countValues', functions: { of } };
}

/**
 * The sum of finite numbers: exact, rounded once. As in SQL null and undefined are skipped, and the
 * sum of nothing is null. An element with any other value (text, NaN, Infinity) is rejected, and
 * the window continues without it.
 *
 * @example
 * minutes.aggregate({ spent: sum((c: Click) => c.price) });
 */
export function sum<T, V extends number | null | undefined>(
  of: (value: T) => V,
): Aggregate<T, number | NullOf<V>> {
  return { agg: 'sum', functions: { of } };
}

/**
 * The mean of finite numbers: the exact sum over their count, rounded once. Null is skipped as by
 * `sum`.
 *
 * @example
 * minutes.aggregate({ mean: avg((c: Click) => c.price) });
 */
export function avg<T, V extends number | null | undefined>(
  of: (value: T) => V,
): Aggregate<T, number | NullOf<V>> {
  return { agg: 'avg', functions: { of } };
}

/**
 * The smallest finite number. Null is skipped as by `sum`.
 *
 * @example
 * minutes.aggregate({ cheapest: min((c: Click) => c.price) });
 */
export function min<T, V extends number | null | undefined>(
  of: (value: T) => V,
): Aggregate<T, number | NullOf<V>> {
  return { agg: 'min', functions: { of } };
}

/**
 * The largest finite number. Null is skipped as by `sum`.
 *
 * @example
 * minutes.aggregate({ dearest: max((c: Click) => c.price) });
 */
export function max<T, V extends number | null | undefined>(
  of: (value: T) => V,
): Aggregate<T, number | NullOf<V>> {
  return { agg: 'max', functions: { of } };
}

/**
 * The approximate number of different keys, without null and undefined; the standard error is in
 * `topology/state/distinct-sketch.ts`.
 *
 * @example
 * minutes.aggregate({ pages: approxDistinct((c: Click) => c.page) });
 */
export function approxDistinct<T>(of: (value: T) => Key | null | undefined): Aggregate<T, number> {
  return { agg: 'approxDistinct', functions: { of } };
}

export interface UserAggregate<in T, A, out R> {
  /** The empty accumulator: JSON-safe, since it is part of checkpoints. */
  readonly create: () => A;
  /**
   * Returns the next accumulator: a new one, or the same one changed. To reject an element, throw
   * before changing anything.
   */
  readonly add: (accumulator: A, value: T) => A;
  /** Merges two accumulators; sessions need it. */
  readonly merge: (a: A, b: A) => A;
  readonly result: (accumulator: A) => R;
  /** Of the accumulator's schema: a whole number, one more with each change. Default 1. */
  readonly version?: number;
  /**
   * From the version 2 on: makes an accumulator of this version of one that a checkpoint has of an
   * earlier one.
   */
  readonly migrate?: (old: unknown, version: number) => A;
}

/**
 * A custom aggregate.
 *
 * @example
 * const longest = aggregator<Click, string, string>({
 *   create: () => '',
 *   add: (found, click) => (click.page.length > found.length ? click.page : found),
 *   merge: (a, b) => (a.length > b.length ? a : b),
 *   result: (found) => found,
 * });
 * minutes.aggregate({ longest });
 */
export function aggregator<T, A, R>(parts: UserAggregate<T, A, R>): Aggregate<T, R> {
  const { create, add, merge, result, version, migrate } = parts;
  const functions = { create, add, merge, result, ...(migrate === undefined ? {} : { migrate }) };
  return { agg: 'user', functions, version };
}

export type Results<S> = {
  readonly [P in keyof S]: S[P] extends Aggregate<never, infer R> ? R : never;
};

/** The window and pane that a result comes from. */
export interface WindowInfo<out K> {
  readonly key: K;
  /** Epoch ms, inclusive. */
  readonly windowStart: number;
  /** Epoch ms, exclusive. */
  readonly windowEnd: number;
  readonly pane: {
    /** 0 for the window's first firing. */
    readonly index: number;
    readonly timing: 'early' | 'onTime' | 'late';
    /** No later firing is possible. */
    readonly last: boolean;
  };
}
