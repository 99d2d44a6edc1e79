/**
 * Window shapes and aggregates, as an author writes them.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { AggregateKind } from '../graph/graph.ts';
import type { Duration } from '../time/duration.ts';

export type WindowDefinition =
  | { readonly type: 'tumbling'; readonly size: Duration; readonly offset: Duration }
  | { readonly type: 'sliding'; readonly size: Duration; readonly slide: Duration; readonly offset: Duration }
  | { readonly type: 'session'; readonly gap: Duration };

/** Windows `[start, end)` of one size that do not overlap. They begin at multiples of it since 1970 UTC, moved by `offset`, which is less than the size. */
export function tumbling(size: Duration, options: { readonly offset?: Duration } = {}): WindowDefinition {
  return { type: 'tumbling', size, offset: options.offset ?? 0 };
}

/** Windows `[start, end)` of `size`, one beginning every `slide`; an element is in each that covers it. `offset` is less than the slide. */
export function sliding(size: Duration, slide: Duration, options: { readonly offset?: Duration } = {}): WindowDefinition {
  return { type: 'sliding', size, slide, offset: options.offset ?? 0 };
}

/** One window per burst of a key: `[first, last + gap)`. Elements whose gaps touch are of one session. */
export function session(gap: Duration): WindowDefinition {
  return { type: 'session', gap };
}

/** What a window makes of its elements of type `T`. Results do not depend on the order of arrival. */
export interface Aggregate<in T, out R> {
  readonly agg: AggregateKind;
  readonly functions: Readonly<Record<string, unknown>>;
  /** Never present; carries `T`. */
  readonly takes?: (value: T) => void;
  /** Never present; carries `R`. */
  readonly gives?: () => R;
}

/** How many elements. */
export function count(): Aggregate<unknown, number> {
  return { agg: 'count', functions: {} };
}

/** The sum of finite numbers: exact, rounded once. An element with another value is rejected. */
export function sum<T>(of: (value: T) => number): Aggregate<T, number> {
  return { agg: 'sum', functions: { of } };
}

/** The mean of finite numbers: the exact sum over the count, rounded once. */
export function avg<T>(of: (value: T) => number): Aggregate<T, number> {
  return { agg: 'avg', functions: { of } };
}

/** The smallest finite number. */
export function min<T>(of: (value: T) => number): Aggregate<T, number> {
  return { agg: 'min', functions: { of } };
}

/** The largest finite number. */
export function max<T>(of: (value: T) => number): Aggregate<T, number> {
  return { agg: 'max', functions: { of } };
}

/** About how many different keys; the standard error is told in `topology/state/distinct-sketch.ts`. */
export function approxDistinct<T>(of: (value: T) => Key): Aggregate<T, number> {
  return { agg: 'approxDistinct', functions: { of } };
}

export interface UserAggregate<in T, A, out R> {
  /** The empty accumulator: JSON-safe, since it is part of checkpoints. */
  readonly create: () => A;
  /** Gives the next accumulator, new or the same one changed. To refuse an element throw before changing anything. */
  readonly add: (accumulator: A, value: T) => A;
  /** Two accumulators as one; sessions need it. */
  readonly merge: (a: A, b: A) => A;
  readonly result: (accumulator: A) => R;
}

/** An aggregate of one's own. */
export function aggregator<T, A, R>(parts: UserAggregate<T, A, R>): Aggregate<T, R> {
  const { create, add, merge, result } = parts;
  return { agg: 'user', functions: { create, add, merge, result } };
}

export type Results<S> = { readonly [P in keyof S]: S[P] extends Aggregate<never, infer R> ? R : never };

/** What every result of a window tells about where it comes from. */
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
