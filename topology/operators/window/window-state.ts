/**
 * The windows of one key in state.
 *
 * Invariants:
 * 1. `entered` is true exactly while the window is in its key's list; others have no timers.
 * 2. Sessions of one key neither overlap nor touch.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import { encodeKey } from '../../../schemas/kernel/key.ts';
import { jsonCopy } from '../../state/json-safe.ts';
import type { Timer } from '../../state/timer-queue.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import type { AnyAggregator } from './aggregates.ts';
import { WindowList } from './window-list.ts';

export interface OpenWindow {
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
  timer: Timer<WindowTimer> | undefined;
  earlyTimer: Timer<WindowTimer> | undefined;
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

export interface WindowTimer {
  readonly owner: KeyWindows;
  readonly window: OpenWindow;
}

export interface KeyWindows {
  readonly key: Key;
  /** The key's canonical encoding. */
  readonly text: string;
  readonly windows: WindowList<OpenWindow>;
}

export function newWindow(start: number, end: number): OpenWindow {
  return {
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

interface Aggregates
  extends ReadonlyArray<{ readonly name: string; readonly aggregator: AnyAggregator }> {}

export interface WindowSnapshot {
  readonly watermark: EncodedTime;
  /**
   * Windows whose last time is not after this are removed. Not there in checkpoints before version
   * 3.
   */
  readonly removedThrough?: EncodedTime;
  /**
   * The aggregates in the order of the accumulators; not there before version 3, whose order is the
   * topology's.
   */
  readonly aggregates?: readonly string[];
  readonly keys: readonly unknown[];
}

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
  const [first, ...others] = filled;
  if (first === undefined) return undefined;
  if (others.length === 0) return [...first];
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

type EncodedWindow = readonly [
  start: number,
  end: number,
  fired: number,
  changed: 0 | 1,
  early: number | null,
  accumulators: unknown,
];

export function encodeKeyWindows(owner: KeyWindows, aggregates: Aggregates): unknown {
  const windows = owner.windows.all().map((window): EncodedWindow => {
    const accumulators =
      window.accumulators?.map((accumulator, index) =>
        aggregates[index]?.aggregator.encode(accumulator),
      ) ?? null;
    return [
      window.start,
      window.end,
      window.fired,
      window.changed ? 1 : 0,
      window.early ?? null,
      accumulators,
    ];
  });
  return [owner.key, windows];
}

/**
 * `names`: the aggregates in the order of the encoded accumulators; one that was not among them
 * begins empty. Windows of an end that is not kept are left out.
 */
export function decodeKeyWindows(
  encoded: unknown,
  aggregates: Aggregates,
  names: readonly string[],
  keeps: (end: number) => boolean,
): KeyWindows {
  const [key, windows] = encoded as readonly [Key, readonly EncodedWindow[]];
  const places = aggregates.map(({ name }) => names.indexOf(name));
  const list = new WindowList<OpenWindow>();
  for (const [start, end, fired, changed, early, accumulators] of windows) {
    if (!keeps(end)) continue;
    list.insert({
      start,
      end,
      fired,
      changed: changed === 1,
      early: early ?? undefined,
      accumulators:
        accumulators === null
          ? undefined
          : aggregates.map(({ aggregator }, index) => {
              const at = places[index] as number;
              return at < 0
                ? aggregator.create()
                : aggregator.decode((accumulators as readonly unknown[])[at]);
            }),
      timer: undefined,
      earlyTimer: undefined,
      entered: true,
      replaces: [],
      kept: undefined,
    });
  }
  return { key, text: encodeKey(key), windows: list };
}

/** A window's state without the accumulators of some aggregates. */
export function withoutAggregates(
  state: WindowSnapshot,
  gone: ReadonlySet<string>,
): WindowSnapshot {
  const { aggregates } = state;
  if (aggregates === undefined) return state;
  const kept = aggregates.flatMap((name, index) => (gone.has(name) ? [] : [index]));
  return {
    ...state,
    aggregates: kept.map((index) => aggregates[index] as string),
    keys: (state.keys as readonly (readonly [Key, readonly EncodedWindow[]])[]).map(
      ([key, windows]) => [
        key,
        windows.map(([start, end, fired, changed, early, accumulators]) => {
          const all = accumulators as readonly unknown[] | null;
          return [
            start,
            end,
            fired,
            changed,
            early,
            all === null ? null : kept.map((index) => all[index]),
          ];
        }),
      ],
    ),
  };
}
