/**
 * How an author writes `eventTime`, and the node of it.
 */
import { outPort } from '../../nodes/node.ts';
import type { Duration } from '../../time/duration.ts';
import type { Made, StreamCall } from '../node-builder.ts';
import type { EventTimeNode } from './node.ts';

const defaultIdleAfter = '30s';
const defaultFutureMax = '24h';

export interface EventTimeOptions {
  /** How late an element may come behind the latest one of its split without being late. */
  readonly outOfOrderness: Duration;
  /**
   * A split without events for longer than this holds no watermark back. Default '30s'; 0 never.
   */
  readonly idleAfter?: Duration;
  /**
   * Events further ahead of processing time are rejected: one dated 2099 would make all after it
   * late. Default max '24h'; 0 takes all.
   */
  readonly future?: { readonly max: Duration };
}

export function buildEventTime({ builder, from, given }: StreamCall): Made {
  const [id, timestamp, asked] = given as readonly [string, unknown, EventTimeOptions];
  const options = builder.given(id, 'options', asked, "{ outOfOrderness: '10s' }");
  const node: EventTimeNode = {
    id,
    kind: 'eventTime',
    inputs: [from],
    outputs: [outPort],
    outOfOrdernessMs: builder.duration(id, 'outOfOrderness', options.outOfOrderness),
    idleAfterMs: builder.duration(id, 'idleAfter', options.idleAfter ?? defaultIdleAfter),
    futureMaxMs: builder.duration(id, 'future.max', options.future?.max ?? defaultFutureMax),
  };
  builder.add(node, { timestamp });
  return { id };
}
