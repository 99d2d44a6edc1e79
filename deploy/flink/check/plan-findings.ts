/**
 * What the plan itself says of how a topology would run on Flink: nodes that the job has no
 * operator for, and nodes whose results depend on the order in which elements arrive. Pure.
 */
import type { PlanNode } from '../../../topology/operators/kinds.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import { flinkPlanProblems } from '../plan.ts';

export interface PlanFinding {
  readonly severity: 'problem' | 'warning';
  readonly node: string;
  readonly message: string;
  readonly fix: string;
}

export function planFindings(plan: Plan): readonly PlanFinding[] {
  const refused = flinkPlanProblems({ plan }).map(({ node, message, fix }): PlanFinding => {
    return { severity: 'problem', node, message, fix: fix ?? 'replace the node' };
  });
  return [
    ...refused,
    ...plan.nodes.flatMap((node) => [...orderFindings(node), ...edgeFindings(node)]),
  ];
}

/** Keys are in one order each, but splits of a source are not, and tasks even less. */
function orderFindings(node: PlanNode): readonly PlanFinding[] {
  const { id } = node;
  const fix =
    'have it depend on event times alone, or run it with a parallelism of 1 and one split';
  if (node.kind === 'process') {
    const message =
      'its function sees the elements of a key as they arrive, which is another order with several splits or a parallelism over 1';
    return [{ severity: 'warning', node: id, message, fix }];
  }
  if (node.kind === 'deduplicate') {
    const message =
      'the first of equal elements to arrive is kept, and the order of arrival differs with several splits or a parallelism over 1';
    return [{ severity: 'warning', node: id, message, fix }];
  }
  return [];
}

/** Where a topology ends: what the job can write. Kinesis and Kafka it reads. */
function edgeFindings(node: PlanNode): readonly PlanFinding[] {
  const { id } = node;
  if (node.kind !== 'sink') return [];
  switch (node.sink.kind) {
    case 'collect': {
      const message = 'collect() is for the test driver: no job runs with it';
      return [{ severity: 'problem', node: id, message, fix: 'use a table() as the sink' }];
    }
    case 'graph':
    case 'table':
    case 'rejected':
      return [];
  }
}
