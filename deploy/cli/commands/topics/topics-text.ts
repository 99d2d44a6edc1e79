/**
 * A plan, or what became of it, for a person, and the exit code for a pipeline. Pure.
 */
import type { ShapedResult } from '../../../services/topics.ts';

/** Beyond those of every command: docs/reference/cli.md. */
const [failedCode, changesCode, refusedCode] = [1, 3, 4];

export function exitCodeOf(results: readonly ShapedResult[]): number {
  if (results.some(({ outcome }) => outcome === 'failed')) return failedCode;
  if (results.some(({ refusals }) => refusals.length > 0)) return refusedCode;
  return results.some(({ outcome }) => outcome === 'planned') ? changesCode : 0;
}

export function* topicsText(results: readonly ShapedResult[], apply: boolean): Iterable<string> {
  for (const result of results) yield* resultText(result);
  const counts = countsOf(results);
  yield counts;
  if (!apply && results.some(({ outcome }) => outcome === 'planned'))
    yield 'nothing was changed: `sluice topics apply` does it';
}

const done = {
  planned: ['+', 'to be created', '~', 'to be changed'],
  applied: ['+', 'created', '~', 'changed'],
} as const;

function* resultText(result: ShapedResult): Iterable<string> {
  const { what, stream, isNew, changes, refusals, outcome, error } = result;
  const of = `${what} (${stream})`;
  if (outcome === 'failed') yield `x ${of}: failed`;
  else if (outcome === 'unchanged')
    yield refusals.length > 0 ? `! ${of}: stays as it is` : `= ${of}: as configured`;
  else {
    const [plus, created, tilde, changed] = done[outcome];
    yield isNew ? `${plus} ${of}: ${created}` : `${tilde} ${of}: ${changed}`;
  }
  if (error !== undefined) {
    yield `    ${error.message}`;
    if (error.fix !== undefined) yield `    ${error.fix}`;
  }
  if (outcome !== 'failed')
    for (const { setting, from, to, note } of changes) {
      const value = from === undefined ? to : `${from} -> ${to}`;
      yield `    ${setting} ${value}${note === undefined ? '' : ` (${note})`}`;
    }
  for (const { setting, found, wanted, why } of refusals)
    yield `    ${setting} stays ${found}, configured is ${wanted}: ${why}`;
}

function countsOf(results: readonly ShapedResult[]): string {
  const count = (of: (result: ShapedResult) => boolean): number => results.filter(of).length;
  const isDone = ({ outcome }: ShapedResult): boolean =>
    outcome === 'planned' || outcome === 'applied';
  const refusals = results.reduce((sum, one) => sum + one.refusals.length, 0);
  return [
    `${count((result) => isDone(result) && result.isNew)} new`,
    `${count((result) => isDone(result) && !result.isNew)} changed`,
    `${count(({ outcome }) => outcome === 'unchanged')} unchanged`,
    `${count(({ outcome }) => outcome === 'failed')} failed`,
    `${refusals} settings that are not changed`,
  ].join(', ');
}
