/**
 * Values between nodes are JSON: what would not come back from it is reported where it is made, not
 * after a restart.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Batch } from '../../operators/batch.ts';
import { rowKinds } from '../../operators/batch.ts';
import { jsonProblem } from '../../state/json-safe.ts';

/** Throws `SluiceError` `not-json-safe`. */
export function requireJsonSafe<T>(node: string, value: T): T {
  const problem = jsonProblem(value);
  if (problem === undefined) return value;
  throw new SluiceError(
    'not-json-safe',
    `'${node}' gives ${problem.found} at '${problem.pointer}': values between nodes must be JSON-safe`,
  );
}

/** The same of every element of a batch. */
export function requireJsonBatch(node: string, batch: Batch): void {
  for (let i = 0; i < batch.length; i++)
    if (batch.kinds[i] === rowKinds.element) requireJsonSafe(node, batch.values[i]);
}
