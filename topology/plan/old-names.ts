/**
 * Names that the public surface had while a topology's plan was called its graph; kept for one
 * version.
 */
import type { PlanProblem } from '../nodes/node.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { PlanFormat } from './describe.ts';
import { describePlan } from './describe.ts';
import type { Plan } from './plan.ts';
import { validatePlan } from './validate.ts';

/** @deprecated Write `Plan`. */
export type Graph = Plan;
/** @deprecated Write `PlanNode`. */
export type GraphNode = PlanNode;
/** @deprecated Write `PlanProblem`. */
export type GraphProblem = PlanProblem;
/** @deprecated Write `PlanFormat`. */
export type GraphFormat = PlanFormat;
/** @deprecated Write `describePlan`. */
export const describeGraph = describePlan;
/** @deprecated Write `validatePlan`. */
export const validateGraph = validatePlan;
