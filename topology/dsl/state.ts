/**
 * Keyed state, declared by name, and what a `process` function does with it.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { Duration } from '../time/duration.ts';

export interface StateOptions {
  /**
   * Processing time after which a value is gone: expired as soon as last access + ttl <= now.
   * Default, and `Number.MAX_SAFE_INTEGER`: never.
   */
  readonly ttl?: Duration;
  /** Which access counts. Default 'write'. */
  readonly refresh?: 'write' | 'readWrite';
}

/** When the schema of a state changes: how what an earlier version kept is brought to it. */
export interface StateVersion<out V> {
  /** A whole number, one more with each change. Default 1. */
  readonly version?: number;
  /**
   * From the version 2 on: makes a value of this version of one that a checkpoint has of an earlier
   * one; of a list, of each element.
   */
  readonly migrate?: (old: unknown, version: number) => V;
}

export interface ValueState<V> {
  readonly get: () => V | undefined;
  readonly set: (value: V) => void;
  readonly clear: () => void;
}

/** Every element of the list expires by itself. */
export interface ListState<V> {
  readonly get: () => readonly V[];
  readonly add: (value: V) => void;
  readonly set: (values: readonly V[]) => void;
  readonly clear: () => void;
}

/** A declared piece of state, `H` its handle at run time. */
export interface StateDefinition<out H> {
  readonly type: 'value' | 'list';
  readonly options: StateOptions & StateVersion<unknown>;
  /** Never present; carries `H`. */
  readonly gives?: () => H;
}

/**
 * One JSON-safe value per key.
 *
 * @example
 * clicks.keyBy((c) => c.user).process('nth-click', {
 *   state: { seen: value<number>({ ttl: '1d' }) },
 *   onElement: (click, { state }) => {
 *     const nth = (state.seen.get() ?? 0) + 1;
 *     state.seen.set(nth);
 *     return [{ ...click, nth }];
 *   },
 * });
 */
export function value<V>(
  options: StateOptions & StateVersion<V> = {},
): StateDefinition<ValueState<V>> {
  return { type: 'value', options };
}

/**
 * A list of JSON-safe values per key.
 *
 * @example
 * clicks.keyBy((c) => c.user).process('pages', {
 *   state: { pages: list<string>() },
 *   onElement: (click, { state }) => {
 *     state.pages.add(click.page);
 *     return [{ user: click.user, pages: state.pages.get() }];
 *   },
 * });
 */
export function list<V>(
  options: StateOptions & StateVersion<V> = {},
): StateDefinition<ListState<V>> {
  return { type: 'list', options };
}

type Handles<S> = { readonly [P in keyof S]: S[P] extends StateDefinition<infer H> ? H : never };

export interface Timers {
  /**
   * Registers a timer of event time, epoch ms; the same one twice is one. One that is not in the
   * future fires with the next watermark.
   */
  readonly event: (at: number) => void;
  readonly deleteEvent: (at: number) => void;
  readonly processing: (at: number) => void;
  readonly deleteProcessing: (at: number) => void;
}

export interface ProcessContext<K, S> {
  readonly key: K;
  /** Of the element or the timer, epoch ms. */
  readonly timestamp: number;
  /** The current watermark, epoch ms; -Infinity before the first, Infinity at the end of input. */
  readonly watermark: number;
  /** Epoch ms. */
  readonly processingTime: number;
  readonly state: Handles<S>;
  readonly timers: Timers;
}

export interface Timer {
  readonly at: number;
  readonly domain: 'event' | 'processing';
}

export interface ProcessOptions<T, K extends Key, S, R> {
  readonly state: S;
  /** What it returns continues with the element's timestamp. */
  readonly onElement: (value: T, context: ProcessContext<K, S>) => readonly R[];
  /** What it returns continues with the timer's timestamp. */
  readonly onTimer?: (timer: Timer, context: ProcessContext<K, S>) => readonly R[];
}
