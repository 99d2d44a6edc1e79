/**
 * The windows of one key in state.
 *
 * Invariants:
 * 1. `entered` is true exactly while the window is in its key's list; others have no timers.
 * 2. Sessions of one key neither overlap nor touch.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import type { Tracked } from '../../state/changed-objects.ts';
import { jsonCopy } from '../../state/json-safe.ts';
import type { Used } from '../../state/rest-round.ts';
import type { Timer } from '../../state/timer-queue.ts';
import type { AnyAggregator } from './aggregates.ts';
import { WindowList } from './window-list.ts';

export interface OpenWindow extends Tracked, Used {
  readonly owner: KeyWindows;
  /**
   * By which checkpoints know it among the windows of its key: the start that it came with. It is
   * always inside of it, so that no other has the same.
   */
  readonly id: number;
  /** Of a session both may still move. */
  start: number;
  end: number;
  /** One per aggregate; undefined before the first element, and after a discarding firing. */
  accumulators: unknown[] | undefined;
  /** Firings so far. */
  fired: number;
  /** Whether an element came since the last firing. */
  changed: boolean;
  /** The next early firing. */
  early: number | undefined;
  /** Of its end or its removal, and of the next early firing. */
  timer: Timer<OpenWindow> | undefined;
  earlyTimer: Timer<OpenWindow> | undefined;
  entered: boolean;
  /** Sessions that it merged, until it enters the state in their place. */
  replaces: readonly OpenWindow[];
  /** How the author's own accumulators are had back, within one turn. */
  kept: KeptAccumulators | undefined;
}

/**
 * The author's own accumulators as they were, and what was read of the elements that were added
 * since.
 */
export interface KeptAccumulators {
  /** By the index of the aggregate; undefined when they were not created yet. */
  readonly copies: readonly unknown[] | undefined;
  readonly added: (readonly unknown[])[];
}

/** The windows of a key that is live. */
export interface KeyWindows extends Used {
  readonly key: Key;
  /** The key's canonical encoding. */
  readonly text: string;
  readonly windows: WindowList<OpenWindow>;
}

export function newKeyWindows(key: Key, text: string): KeyWindows {
  return { key, text, windows: new WindowList(), isUsed: false };
}

export function newWindow(owner: KeyWindows, start: number, end: number): OpenWindow {
  return {
    changedIn: 0,
    isStored: false,
    isGone: false,
    isUsed: false,
    owner,
    id: start,
    start,
    end,
    accumulators: undefined,
    fired: 0,
    changed: false,
    early: undefined,
    timer: undefined,
    earlyTimer: undefined,
    entered: false,
    replaces: [],
    kept: undefined,
  };
}

export interface Aggregates
  extends ReadonlyArray<{ readonly name: string; readonly aggregator: AnyAggregator }> {}

/**
 * Accumulators of several windows as one. They are copied when they are merged: a merge may change
 * both, and until the element is taken the windows in state must stay as they are.
 */
export function mergeAccumulators(
  windows: readonly OpenWindow[],
  aggregates: Aggregates,
): unknown[] | undefined {
  const filled = windows.flatMap(({ accumulators }) =>
    accumulators === undefined ? [] : [accumulators],
  );
  if (filled.length === 0) return undefined;
  return aggregates.map(({ aggregator }, index) =>
    filled
      .map((accumulators) => copied(aggregator, accumulators[index]))
      .reduce((into, from) => aggregator.merge(into, from)),
  );
}

/** An accumulator that shares nothing with the one in state. */
function copied(aggregator: AnyAggregator, accumulator: unknown): unknown {
  return aggregator.decode(jsonCopy(aggregator.encode(accumulator), 'an accumulator'));
}
