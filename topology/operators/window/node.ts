/**
 * A window by key and what it makes of its elements, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { WindowShape } from '../../time/windows.ts';

/** `countValues`: of what a function gives, those that are not null. */
export type AggregateKind =
  | 'count'
  | 'countValues'
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'approxDistinct'
  | 'user';

export interface AggregateChoice {
  /** The result's property. */
  readonly name: string;
  readonly agg: AggregateKind;
  /** Which functions the author gave: `of`, or the parts of a user aggregate. */
  readonly parts: readonly string[];
  /** Of the schema of the accumulator of a user aggregate; absent: 1. */
  readonly version?: number;
}

export interface WindowNode extends NodeBase {
  readonly kind: 'window';
  readonly window: WindowShape;
  readonly allowedLatenessMs: number;
  readonly late: 'drop' | 'side';
  readonly mode: 'accumulating' | 'discarding';
  /** Interval of early firings in event time; 0: none. */
  readonly earlyMs: number;
  readonly aggregates: readonly AggregateChoice[];
}

/** The slot of one function of one aggregate. */
export function aggregateSlot(name: string, part: string): string {
  return `${name}:${part}`;
}
