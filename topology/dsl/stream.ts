/**
 * The streams of the language, as types. Each call adds a node to the plan and gives the stream
 * after it; nothing runs.
 *
 * Members are function properties, not methods: only those are checked contravariantly, so a stream
 * of one type is not taken for another.
 */
import type { SluiceEvent } from '../../schemas/event.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import type { Schema, SchemaUnion } from '../../schemas/registry.ts';
import type { restPort } from '../operators/branch/kind.ts';
import type { DeduplicateOptions } from '../operators/deduplicate/build.ts';
import type { EventTimeOptions } from '../operators/event-time/build.ts';
import type { IntervalJoinOptions } from '../operators/interval-join/build.ts';
import type { ElementContext } from '../operators/stateless.ts';
import type { Duration } from '../time/duration.ts';
import type { AsyncLookup, AsyncLookupOptions, FileTable, LookupOptions } from './lookups.ts';
import type { SinkDefinition } from './sinks.ts';
import type { Validated } from './source.ts';
import type { ProcessOptions, StateDefinition } from './state.ts';
import type { Aggregate, Results, WindowDefinition, WindowInfo } from './windows.ts';

export interface WindowOptions {
  /**
   * How long after its end (by the watermark) a window still accepts elements and fires again for
   * each; `Number.MAX_SAFE_INTEGER`: forever. Default 0.
   */
  readonly allowedLateness?: Duration;
  /**
   * Elements that no window accepts any longer: dropped and counted, or emitted as the side output
   * `late`. Default 'drop'.
   */
  readonly late?: 'drop' | 'side';
  /**
   * Whether a later firing covers the whole window so far, or only the elements since the previous
   * firing. Default 'accumulating'.
   */
  readonly mode?: 'accumulating' | 'discarding';
  /** Also fires before the end, at this interval of event time, if there are new elements. */
  readonly early?: Duration;
}

type LateOf<O, T> = O extends { readonly late: 'side' }
  ? { readonly out: Stream<T>; readonly late: Stream<T> }
  : Stream<T>;

/** The side output `late`, if it was requested. */
export type LateSide<O, T> = O extends { readonly late: 'side' }
  ? { readonly late: Stream<T> }
  : unknown;

type LateSides<O, L, R> = O extends { readonly late: 'side' }
  ? { readonly lateLeft: Stream<L>; readonly lateRight: Stream<R> }
  : unknown;

type RightOf<O, R> = O extends { readonly join: 'left' } ? R | undefined : R;

type Ports<C, T> = { readonly [P in keyof C | typeof restPort]: Stream<T> };

export interface Stream<T> {
  /** One element in, one out. */
  readonly map: <R>(map: (value: T, context: ElementContext) => R) => Stream<R>;
  readonly filter: FilterOf<T>;
  /** One element in, any number out. */
  readonly flatMap: <R>(flatMap: (value: T, context: ElementContext) => readonly R[]) => Stream<R>;
  /**
   * Named outputs by condition: an element goes to the first one whose condition is true, else to
   * `rest`, which may stay unused. No condition can be named `rest`.
   */
  readonly branch: BranchOf<T>;
  /** @deprecated Since 0.1.0: use `branch`. */
  readonly split: BranchOf<T>;
  /**
   * Events whose data does not fit the schema go to the rejected table; the data of the others has
   * the schema's type.
   */
  readonly validate: <E extends SluiceEvent, D>(
    this: Stream<E>,
    id: string,
    schema: Schema<D> | SchemaUnion<D>,
  ) => Stream<Validated<E, D>>;
  /**
   * Sets event time (RFC 3339, or whole epoch ms) and generates watermarks per split of the source.
   */
  readonly eventTime: (
    id: string,
    timestamp: (value: T) => string | number,
    options: EventTimeOptions,
  ) => Stream<T>;
  /** Passes on only the first element of each key. */
  readonly deduplicate: <const O extends DeduplicateOptions<T>>(
    id: string,
    options: O & DeduplicateOptions<T>,
  ) => LateOf<O, T>;
  /** The same elements, by key: what follows keeps state for each key. */
  readonly keyBy: <const K extends Key>(key: (value: T) => K) => KeyedStream<K, T>;
  readonly lookup: LookupOf<T>;
  /** Merges this stream with others of its type; the watermark is the lowest of theirs. */
  readonly union: (id: string, ...others: readonly [Stream<T>, ...Stream<T>[]]) => Stream<T>;
  readonly sinkTo: (id: string, sink: SinkDefinition<T>) => void;
}

type BranchOf<T> = <const C extends Readonly<Record<string, (value: T) => boolean>>>(
  conditions: C & { readonly [P in typeof restPort]?: never },
) => Ports<C, T>;

interface FilterOf<T> {
  <S extends T>(test: (value: T, context: ElementContext) => value is S): Stream<S>;
  (test: (value: T, context: ElementContext) => boolean): Stream<T>;
}

interface LookupOf<T> {
  /** Combines each element with the table's row of its key, or undefined. */
  <V, R>(
    id: string,
    table: FileTable<V>,
    options: LookupOptions<T, Key>,
    combine: (value: T, found: V | undefined) => R,
  ): Stream<R>;
  /** Combines each element with the answer for its key, or undefined. */
  <K extends Key, V, R>(
    id: string,
    lookup: AsyncLookup<K, V>,
    options: LookupOptions<T, K> & AsyncLookupOptions,
    combine: (value: T, found: V | undefined) => R,
  ): Stream<R>;
}

export interface KeyedStream<K extends Key, T> {
  readonly window: <const O extends WindowOptions = Record<never, never>>(
    id: string,
    window: WindowDefinition,
    options?: O & WindowOptions,
  ) => WindowedStream<K, T, LateSide<O, T>>;
  /**
   * Pairs of elements of one key whose times are in the interval; a pair's time is the later one.
   */
  readonly intervalJoin: <U, R, const O extends IntervalJoinOptions>(
    id: string,
    right: KeyedStream<K, U>,
    options: O & IntervalJoinOptions,
    join: (left: T, right: RightOf<O, U>) => R,
  ) => { readonly out: Stream<R> } & LateSides<O, T, U>;
  /** A function with state and timers per key. */
  readonly process: <const S extends Readonly<Record<string, StateDefinition<unknown>>>, R>(
    id: string,
    options: ProcessOptions<T, K, S, R>,
  ) => Stream<R>;
}

export interface WindowedStream<K extends Key, T, L = unknown> {
  /** One result per firing of a window, with the window's end - 1 as its time. */
  readonly aggregate: <const S extends Readonly<Record<string, Aggregate<T, unknown>>>>(
    aggregates: S,
  ) => { readonly out: Stream<WindowInfo<K> & Results<S>> } & L;
}
