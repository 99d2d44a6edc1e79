/**
 * Sets event time and makes watermarks.
 */
import type { Kind } from '../kind.ts';
import { buildEventTime } from './build.ts';
import { eventTimeDocs } from './docs.ts';
import type { EventTimeNode } from './node.ts';
import { EventTimeOperator } from './operator.ts';

export const eventTimeKind: Kind<EventTimeNode> = {
  name: 'eventTime',
  docs: eventTimeDocs,
  build: buildEventTime,
  summary: ({ outOfOrdernessMs }) => `eventTime, out of order by ${outOfOrdernessMs} ms`,
  slots: () => ['timestamp'],
  problems: (node, plan) =>
    plan.isTimeSetBefore(node)
      ? [
          {
            message:
              'event time is already set upstream; use one eventTime() between a source and a sink',
            fix: 'remove this one or the one before',
          },
        ]
      : [],
  passesElements: true,
  setsTime: true,
  state: {
    options: ({ outOfOrdernessMs, idleAfterMs, futureMaxMs }) => ({
      outOfOrderness: outOfOrdernessMs,
      idleAfter: idleAfterMs,
      'future.max': futureMaxMs,
    }),
  },
  operator: (node, { call, counts, reject }) =>
    new EventTimeOperator(node, call('timestamp'), counts, reject),
};
