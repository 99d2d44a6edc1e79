/**
 * A node that sets event time, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';

export interface EventTimeNode extends NodeBase {
  readonly kind: 'eventTime';
  readonly outOfOrdernessMs: number;
  /** 0: a quiet split holds the watermark back forever. */
  readonly idleAfterMs: number;
  /** Events further ahead of processing time are rejected; 0: no guard. */
  readonly futureMaxMs: number;
}
