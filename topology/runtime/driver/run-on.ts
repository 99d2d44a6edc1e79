/**
 * Runs a turn for a test driver, which has no checkpoint to go back to: an element on which an
 * operator fails for no reason of its own is rejected in its place, and the others continue.
 *
 * Invariants:
 * 1. What does not fail is given to the operators as a job gives it: in batches.
 * 2. The failed element was the last that the operator counted in. It counts as rejected; what the
 *    operator did of it before it failed stays.
 * 3. A failure on control is nobody's element: the turn is run to its end, and the failure is given
 *    back.
 */
import { messageOf } from '../../../schemas/kernel/errors.ts';
import type { Batch } from '../../operators/batch.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { Reject } from '../../operators/operator.ts';
import { part, runsOf } from '../batch-parts.ts';
import type { Dag, Stage } from '../dag.ts';

/** Gives what an operator threw on control, if any did. */
export function runOn(dag: Dag, reject: Reject): { readonly thrown: unknown } | undefined {
  let failed: { readonly thrown: unknown } | undefined;
  const fail = (thrown: unknown): void => {
    failed ??= { thrown };
  };
  dag.run((stage) => {
    let polled = false;
    try {
      polled = stage.operator.poll?.(stage.out) === true;
    } catch (thrown) {
      fail(thrown);
    }
    stage.inputs.forEach((batch, input) => {
      for (const [from, to] of runsOf(batch)) {
        if (batch.kinds[from] === rowKinds.element)
          elements(dag, stage, input, part(batch, from, to), reject);
        else
          try {
            stage.operator.process(input, part(batch, from, to), stage.out);
          } catch (thrown) {
            fail(thrown);
          }
      }
    });
    return polled;
  });
  return failed;
}

function elements(
  dag: Dag,
  { nodes, operator, out }: Stage,
  input: number,
  batch: Batch,
  reject: Reject,
): void {
  const node = nodes[0]?.id ?? '';
  const counts = dag.counts.get(node);
  let left = batch;
  while (left.length > 0 && counts !== undefined) {
    const before = counts.in;
    try {
      operator.process(input, left, out);
      return;
    } catch (thrown) {
      const at = Math.max(0, counts.in - before - 1);
      counts.rejected++;
      const message = `the operator failed on it: ${messageOf(thrown)}`;
      reject({
        node,
        code: 'operator-failed',
        message,
        pointer: null,
        schema: null,
        value: left.values[at],
        origin: left.origins[at],
      });
      left = part(left, at + 1, left.length);
    }
  }
}
