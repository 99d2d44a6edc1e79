/**
 * Earlier names of the public surface, from when a plan was called a graph and a topology refused
 * rows. They work for one more version.
 */
import type { PlanProblem } from '../nodes/node.ts';
import type { RejectedRow } from '../nodes/sink.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { PlanFormat } from './describe.ts';
import { describePlan } from './describe.ts';
import type { Plan } from './plan.ts';
import { validatePlan } from './validate.ts';

/** @deprecated Since 0.1.0: use `Plan`. */
export type Graph = Plan;
/** @deprecated Since 0.1.0: use `PlanNode`. */
export type GraphNode = PlanNode;
/** @deprecated Since 0.1.0: use `PlanProblem`. */
export type GraphProblem = PlanProblem;
/** @deprecated Since 0.1.0: use `PlanFormat`. */
export type GraphFormat = PlanFormat;
/** @deprecated Since 0.1.0: use `RejectedRow`. */
export type RefusedRow = RejectedRow;
/** @deprecated Since 0.1.0: use `describePlan`. */
export const describeGraph = describePlan;
/** @deprecated Since 0.1.0: use `validatePlan`. */
export const validateGraph = validatePlan;
