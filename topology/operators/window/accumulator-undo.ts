/**
 * Takes back what an author's `add` did to a window's accumulators before it threw: it may change
 * its accumulator in place, and half a change must not stay in state.
 *
 * Invariants:
 * 1. After `back` the author's own accumulators are as they were before the element, in new objects
 *    that they share with no element: what they keep of one is not frozen any more.
 * 2. Between two turns nothing is kept: memory grows only with what one turn touches.
 * 3. A copy is made of a window that a turn touches, then of every `keptElements`-th element: what
 *    came since is added again, as authors' functions are pure.
 */
import { thawed } from '../../state/freeze.ts';
import type { AnyAggregator } from './aggregates.ts';
import type { OpenWindow } from './window-state.ts';

/** Elements that are added again at most: fewer would copy a large accumulator too often. */
const keptElements = 16;

export class AccumulatorUndo {
  readonly #aggregates: ReadonlyArray<{ readonly aggregator: AnyAggregator }>;
  /** Indexes of the author's own. */
  readonly #own: readonly number[];
  #touched: OpenWindow[] = [];

  constructor(
    aggregates: ReadonlyArray<{ readonly aggregator: AnyAggregator }>,
    own: readonly number[],
  ) {
    this.#aggregates = aggregates;
    this.#own = own;
  }

  /** Before an element is added. Throws for an accumulator that is not JSON-safe. */
  keep(window: OpenWindow): void {
    if (window.kept !== undefined && window.kept.added.length < keptElements) return;
    if (window.kept === undefined) this.#touched.push(window);
    window.kept = {
      copies: window.accumulators === undefined ? undefined : this.#copies(window.accumulators),
      added: [],
    };
  }

  /** After one was added, wholly or in part, and is not to be. */
  back(window: OpenWindow): void {
    const { kept, accumulators } = window;
    if (kept === undefined) return;
    window.kept = undefined;
    if (accumulators === undefined) return;
    // Those that are not the author's own, at their places, are what they were.
    const next = [...accumulators];
    for (const index of this.#own) {
      const { aggregator } = this.#aggregates[index] as { readonly aggregator: AnyAggregator };
      let accumulator: unknown =
        kept.copies === undefined ? aggregator.create() : kept.copies[index];
      for (const read of kept.added) accumulator = thawed(aggregator.add(accumulator, read[index]));
      next[index] = accumulator;
    }
    window.accumulators = next;
  }

  #copies(accumulators: readonly unknown[]): readonly unknown[] {
    const copies: unknown[] = [];
    for (const index of this.#own) {
      const { aggregator } = this.#aggregates[index] as { readonly aggregator: AnyAggregator };
      copies[index] = aggregator.decode(aggregator.encode(accumulators[index]));
    }
    return copies;
  }

  /** At the end of a turn. */
  forget(): void {
    if (this.#touched.length === 0) return;
    for (const window of this.#touched) window.kept = undefined;
    this.#touched = [];
  }
}
