/**
 * What a checkpoint says of a sink, looked at before the sink acts on it: whoever may write where
 * checkpoints are may not write elsewhere. Pure.
 *
 * Invariant: what passes names staged files of the sink's own folder, and targets in the folder of
 * its own table.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Check } from '../../schemas/shape.ts';
import { objectOf, oneOf } from '../../schemas/shape.ts';

/** Throws `SluiceError` `checkpoint-corrupt`. `sink`: in words. */
export function requireShape(sink: string, restored: unknown, shape: Check): void {
  const problem = shape(restored, '');
  if (problem === undefined) return;
  throw new SluiceError(
    'checkpoint-corrupt',
    `the last checkpoint's state of ${sink} is not what Sluice wrote: ${problem}`,
    { fix: 'restore it from a copy, or start from an empty state with `sluice reset`' },
  );
}

/** A file or log in the folder where a topology stages for a table. */
export const stagedFor = (table: string, topology: string): Check =>
  pathBelow(['.staging', table, topology], 1);

/** A published file of a table. */
export const targetIn = (table: string): Check => pathBelow([table], Number.POSITIVE_INFINITY);

export const stagedContent = (table: string, topology: string): Check =>
  objectOf({ staged: stagedFor(table, topology), target: targetIn(table) });

/** A path of at most `depth` names below a folder. Names of Sluice begin with no dot there. */
function pathBelow(folder: readonly string[], depth: number): Check {
  const isName = (name: string): boolean =>
    name !== '' && !name.startsWith('.') && !/[\0\\]/.test(name);
  return oneOf(`a path in '${folder.join('/')}'`, (value) => {
    const parts = typeof value === 'string' ? value.split('/') : [];
    const below = parts.slice(folder.length);
    return (
      folder.every((name, index) => parts[index] === name) &&
      below.length > 0 &&
      below.length <= depth &&
      below.every(isName)
    );
  });
}
