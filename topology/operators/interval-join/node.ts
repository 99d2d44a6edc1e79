/**
 * A join of two keyed inputs by an interval of their times, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';

export interface IntervalJoinNode extends NodeBase {
  readonly kind: 'intervalJoin';
  /** Inclusive bounds of right - left. */
  readonly lowerMs: number;
  readonly upperMs: number;
  readonly join: 'inner' | 'left';
  readonly late: 'drop' | 'side';
}

export const lateLeftPort = 'lateLeft';
export const lateRightPort = 'lateRight';
