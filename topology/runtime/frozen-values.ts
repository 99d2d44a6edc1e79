/**
 * Which of the values that flow through a plan are frozen, so that no function changes what
 * another one sees.
 *
 * `all`: every input and result of a function, in the test driver and on a developer's machine, so
 * that every change is found at once. `shared`: values with several readers, in production:
 * elements of an output that is read more than once, and (by the operators themselves) values in
 * state, rows and answers of look-ups, and several elements made of one. Any other value has one
 * holder at a time, so nobody else sees a change of it.
 */

import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { Plan } from '../plan/plan.ts';
import { freeze, freezeWhole } from '../state/freeze.ts';

export type Freezes = 'all' | 'shared';

/** The outputs of a node whose elements are frozen. */
export function frozenPorts(
  { nodes }: Plan,
  { id, outputs }: PlanNode,
  freezes: Freezes,
): readonly string[] {
  if (freezes === 'all') return outputs;
  const reads = nodes.flatMap(({ inputs }) => inputs).filter((input) => input.node === id);
  return outputs.filter((port) => reads.filter((input) => input.port === port).length > 1);
}

export function freezeElements({ kinds, values, length }: Batch, freezes: Freezes): void {
  for (let i = 0; i < length; i++) {
    if (kinds[i] !== rowKinds.element) continue;
    if (freezes === 'all') freezeWhole(values[i]);
    else freeze(values[i]);
  }
}

/**
 * The function of a node that is fused with the next, which sees what this one returns before any
 * batch does.
 */
export function returningFrozen<A extends readonly unknown[]>(
  call: (...args: A) => unknown,
  freezes: Freezes,
): (...args: A) => unknown {
  return freezes === 'all' ? (...args) => freezeWhole(call(...args)) : call;
}
