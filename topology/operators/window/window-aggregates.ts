/**
 * The aggregates of a window's elements, as they are added and taken back.
 *
 * Invariants:
 * 1. An element is read for all aggregates before it is added to any.
 * 2. Where an author's own aggregate throws, the window's accumulators are as they were.
 */
import { isJson } from '../../state/json-safe.ts';
import { changedValue } from '../changed-value.ts';
import { AccumulatorUndo } from './accumulator-undo.ts';
import type { AnyAggregator } from './aggregates.ts';
import type { OpenWindow } from './window-state.ts';

export interface NamedAggregator {
  readonly name: string;
  readonly aggregator: AnyAggregator;
}

export class WindowAggregates {
  readonly all: readonly NamedAggregator[];
  /** Indexes of the author's own aggregates, and of the others. */
  readonly #own: readonly number[];
  readonly #builtIn: readonly number[];
  readonly #undo: AccumulatorUndo;

  constructor(all: readonly NamedAggregator[], isOwn: (index: number) => boolean) {
    this.all = all;
    const indexes = all.map((_, index) => index);
    this.#own = indexes.filter(isOwn);
    this.#builtIn = indexes.filter((index) => !isOwn(index));
    this.#undo = new AccumulatorUndo(all, this.#own);
  }

  /** What each needs of an element. Throws for one that it cannot take. */
  read(value: unknown): unknown[] {
    const read: unknown[] = [];
    for (const { aggregator } of this.all) read.push(aggregator.read(value));
    return read;
  }

  /**
   * The window's accumulators, with one more element in those of the author's own. When one throws,
   * those of the window are as they were. What an accumulator keeps of elements is its own, though
   * it is not copied before somebody tries to change it: then it is added once more.
   */
  withOwn(window: OpenWindow, read: readonly unknown[]): unknown[] {
    if (this.#own.length === 0) return window.accumulators ?? this.#created();
    try {
      return this.#added(window, read);
    } catch (thrown) {
      if (window.accumulators === undefined || changedValue(thrown, []) === undefined) throw thrown;
      return this.#added(window, read);
    }
  }

  /** Adds an element to those that never throw. */
  addBuiltIn(accumulators: unknown[], read: readonly unknown[]): void {
    for (const index of this.#builtIn)
      accumulators[index] = this.#aggregator(index).add(accumulators[index], read[index]);
  }

  /** Whether an author's own accumulators of it are read as they were written. */
  isWhole({ accumulators }: OpenWindow): boolean {
    return accumulators === undefined || this.#own.every((index) => isJson(accumulators[index]));
  }

  /** Takes an element of the author's own back. */
  back(window: OpenWindow): void {
    this.#undo.back(window);
  }

  /** At the end of a turn. */
  forget(): void {
    this.#undo.forget();
  }

  /** Writes what they made into a row, by name. */
  writeResults(accumulators: readonly unknown[], result: Record<string, unknown>): void {
    for (let i = 0; i < this.all.length; i++) {
      const { name, aggregator } = this.all[i] as NamedAggregator;
      result[name] = aggregator.result(accumulators[i]);
    }
  }

  #added(window: OpenWindow, read: readonly unknown[]): unknown[] {
    this.#undo.keep(window);
    const next = window.accumulators === undefined ? this.#created() : [...window.accumulators];
    try {
      for (const index of this.#own)
        next[index] = this.#aggregator(index).add(next[index], read[index]);
    } catch (thrown) {
      this.#undo.back(window);
      throw thrown;
    }
    return next;
  }

  #created(): unknown[] {
    return this.all.map(({ aggregator }) => aggregator.create());
  }

  #aggregator(index: number): AnyAggregator {
    return (this.all[index] as NamedAggregator).aggregator;
  }
}
