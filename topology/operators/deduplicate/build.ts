/**
 * How an author writes `deduplicate`, and the node of it.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import { latePort, outPort } from '../../nodes/node.ts';
import type { Duration } from '../../time/duration.ts';
import type { Made, StreamCall } from '../node-builder.ts';
import type { DeduplicateNode } from './node.ts';

export interface DeduplicateOptions<in T> {
  /** What makes two elements the same. */
  readonly by: (value: T) => Key;
  /** In event time, from the first; `Number.MAX_SAFE_INTEGER`: forever. */
  readonly within: Duration;
  /**
   * Elements so late that their first may be forgotten: dropped and counted, or given as the side
   * output `late`. Default 'drop'.
   */
  readonly late?: 'drop' | 'side';
}

export function buildDeduplicate({ builder, from, given }: StreamCall): Made {
  const [id, asked] = given as readonly [string, DeduplicateOptions<never>];
  const options = builder.given(id, 'options', asked, "{ by: (e) => e.id, within: '1h' }");
  const late = options.late ?? 'drop';
  const outputs = late === 'side' ? [outPort, latePort] : [outPort];
  const withinMs = builder.lasting(id, 'within', options.within, 1);
  const node: DeduplicateNode = {
    id,
    kind: 'deduplicate',
    inputs: [from],
    outputs,
    withinMs,
    late,
  };
  builder.add(node, { by: options.by });
  return late === 'side' ? { id, outputs } : { id };
}
