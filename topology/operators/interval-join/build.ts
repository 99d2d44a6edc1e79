/**
 * How an author writes `intervalJoin`, and the node of it.
 */
import { outPort } from '../../nodes/node.ts';
import type { Duration } from '../../time/duration.ts';
import type { KeyedCall, Made } from '../node-builder.ts';
import type { IntervalJoinNode } from './node.ts';
import { lateLeftPort, lateRightPort } from './node.ts';

export interface IntervalJoinOptions {
  /** right - left is at least this. */
  readonly lower: Duration;
  /** right - left is at most this. */
  readonly upper: Duration;
  readonly lowerExclusive?: boolean;
  readonly upperExclusive?: boolean;
  /**
   * `left` also gives left elements without a match, once none can come any more. Default 'inner'.
   */
  readonly join?: 'inner' | 'left';
  /**
   * Elements older than the watermark: dropped and counted, or given as the side outputs `lateLeft`
   * and `lateRight`. Default 'drop'.
   */
  readonly late?: 'drop' | 'side';
}

export function buildIntervalJoin({ builder, from, key, given }: KeyedCall): Made {
  const [id, right, bounds, join] = given as readonly [
    string,
    object,
    IntervalJoinOptions,
    unknown,
  ];
  const options = builder.given(id, 'bounds', bounds, "{ lower: '-10m', upper: '0s' }");
  const other = builder.keyedInputOf(right, id);
  const late = options.late ?? 'drop';
  const outputs = late === 'side' ? [outPort, lateLeftPort, lateRightPort] : [outPort];
  const lowerMs = builder.signedDuration(id, 'lower', options.lower);
  const upperMs = builder.signedDuration(id, 'upper', options.upper);
  const node: IntervalJoinNode = {
    id,
    kind: 'intervalJoin',
    inputs: [from, other.from],
    outputs,
    lowerMs: lowerMs + (options.lowerExclusive === true ? 1 : 0),
    upperMs: upperMs - (options.upperExclusive === true ? 1 : 0),
    join: options.join ?? 'inner',
    late,
  };
  builder.add(node, { leftKey: key, rightKey: other.key, join });
  return { id, outputs };
}
