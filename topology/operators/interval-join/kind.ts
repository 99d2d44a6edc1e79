/**
 * Joins elements of one key whose times are within an interval of each other.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { Problem } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import { untimedProblems } from '../kind.ts';
import type { Rule } from '../kind-state.ts';
import { buildIntervalJoin } from './build.ts';
import { intervalJoinDocs } from './docs.ts';
import type { IntervalJoinNode } from './node.ts';
import { lateLeftPort, lateRightPort } from './node.ts';
import type { IntervalJoinHead } from './operator.ts';
import { IntervalJoinOperator, sideNames } from './operator.ts';
import type { EncodedRow } from './row-record.ts';
import { joinFromWhole } from './whole-state.ts';

const oldPairs: Rule = {
  why: 'the old bounds dropped rows that the new ones need, and pairs were emitted by the old bounds',
  isTime: true,
};

export const intervalJoinKind: Kind<IntervalJoinNode> = {
  name: 'intervalJoin',
  docs: intervalJoinDocs,
  buildKeyed: buildIntervalJoin,
  summary: ({ join, lowerMs, upperMs }) =>
    `${join} interval join by key, right - left from ${lowerMs} to ${upperMs} ms`,
  slots: () => ['leftKey', 'rightKey', 'join'],
  keySlots: ['leftKey', 'rightKey'],
  problems: (node, plan) => [
    ...untimedProblems(node, plan, 'an interval join compares event times'),
    ...intervalProblems(node),
  ],
  latePorts: [lateLeftPort, lateRightPort],
  multiplies: 'ways',
  state: {
    options: ({ lowerMs, upperMs, join, late }) => ({ lower: lowerMs, upper: upperMs, join, late }),
    rules: {
      lower: oldPairs,
      upper: oldPairs,
      join: { why: 'rows were emitted, and time advanced, by the rules of the old kind of join' },
    },
    inputNames: ['left input', 'right input'],
    fromWhole: joinFromWhole,
    elementOf: (table, text) => [
      table === sideNames[0] ? 0 : 1,
      (JSON.parse(text) as EncodedRow)[1],
    ],
  },
  rests: true,
  keyed: { reads: () => ({ values: true, origins: true }), mergeHeads },
  operator: (node, parts) => {
    const { call } = parts;
    const functions = { leftKey: call('leftKey'), rightKey: call('rightKey'), join: call('join') };
    return new IntervalJoinOperator(node, functions, parts);
  },
};

/** Arrivals order the rows of a key, which are all in one operator: what comes next is the last. */
function mergeHeads(heads: readonly unknown[]): IntervalJoinHead {
  const all = heads as readonly IntervalJoinHead[];
  const [first] = all;
  const last = (side: 0 | 1): number => Math.max(...all.map(({ arrivals }) => arrivals[side]));
  return { ...present(first, 'a head'), arrivals: [last(0), last(1)] };
}

function intervalProblems({ lowerMs, upperMs }: IntervalJoinNode): readonly Problem[] {
  if (lowerMs <= upperMs) return [];
  return [
    {
      message: `its interval is empty: the lower bound ${lowerMs} ms is above the upper bound ${upperMs} ms`,
      fix: 'swap the bounds: both are right minus left, the lower one first',
    },
  ];
}
