/**
 * Lets the first element of a key pass within a time.
 */
import { latePort } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import { untimedProblems } from '../kind.ts';
import { buildDeduplicate } from './build.ts';
import { deduplicateDocs } from './docs.ts';
import type { DeduplicateNode } from './node.ts';
import { DeduplicateOperator } from './operator.ts';
import { deduplicateFromWhole } from './whole-state.ts';

const keySlot = 'by';

export const deduplicateKind: Kind<DeduplicateNode> = {
  name: 'deduplicate',
  docs: deduplicateDocs,
  build: buildDeduplicate,
  summary: ({ withinMs }) => `deduplicate within ${withinMs} ms`,
  slots: () => [keySlot],
  keySlots: [keySlot],
  problems: (node, plan) => [
    ...untimedProblems(node, plan, 'deduplicate forgets by event time'),
    ...(node.withinMs < 1
      ? [
          {
            message: 'within must be at least 1 ms',
            fix: "write how long to look for repeats, such as within: '1h'",
          },
        ]
      : []),
  ],
  latePorts: [latePort],
  passesElements: true,
  // What was forgotten within the old time stays forgotten: elements up to there stay late.
  state: {
    options: ({ withinMs, late }) => ({ within: withinMs, late }),
    fromWhole: deduplicateFromWhole,
  },
  keyed: { reads: () => ({ values: false, origins: false }) },
  rests: true,
  operator: (node, { call, counts, reject, host, cause, coldDigests, liveStateMaxBytes }) => {
    const digests = coldDigests?.();
    const cold = digests && { digests, memoryMaxBytes: liveStateMaxBytes };
    return new DeduplicateOperator(node, call(keySlot), counts, reject, host.random, cause, cold);
  },
};
