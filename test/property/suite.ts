/**
 * The property of the engine, over so many plans and histories: what comes out is the oracle's
 * answer. A seed gives the same ones again.
 */
import fc from 'fast-check';
import { Undetermined } from './oracle.ts';
import type { Game } from './plan.ts';
import { games } from './plan.ts';
import { play } from './play.ts';

export interface SuiteOptions {
  readonly histories: number;
  readonly seed: number;
  /** Of a failure: runs it alone. */
  readonly path?: string;
  /** A failure is not made smaller. */
  readonly asFound?: boolean;
}

export interface Verdict {
  readonly played: number;
  /** Plans whose answer depends on the order of arrival: they are not judged. */
  readonly undetermined: number;
  readonly rows: number;
  /** Rows that were late, where they may be. */
  readonly late: number;
  readonly runs: number;
  /** Operators, flaws and happenings that were there, by how many histories had them. */
  readonly seen: ReadonlyMap<string, number>;
  readonly failure: Failure | undefined;
}

export interface Failure {
  readonly game: Game;
  readonly differences: readonly string[];
  readonly path: string;
}

/** Making a failure smaller ends after so long. */
const shrinkMaxMs = 120_000;

export async function runSuite({
  histories: count,
  seed,
  path,
  asFound = false,
}: SuiteOptions): Promise<Verdict> {
  const seen = new Map<string, number>();
  let [played, undetermined, rows, late, runs] = [0, 0, 0, 0, 0];
  let firstFailure: number | undefined;
  let differences: readonly string[] = [];
  const property = fc.asyncProperty(games, async (game) => {
    if (firstFailure !== undefined && performance.now() - firstFailure > shrinkMaxMs) return;
    try {
      const outcome = await play(game);
      if (outcome.differences.length > 0) {
        firstFailure ??= performance.now();
        differences = outcome.differences;
        throw new Error(outcome.differences.join('\n'));
      }
      rows += outcome.rows;
      late += outcome.late;
      runs += outcome.runs;
      for (const name of new Set(namesOf(game))) seen.set(name, (seen.get(name) ?? 0) + 1);
    } catch (thrown) {
      if (!(thrown instanceof Undetermined)) throw thrown;
      undetermined++;
    }
    if (firstFailure === undefined) played++;
  });
  const result = await fc.check(property, {
    numRuns: count,
    seed,
    endOnFailure: asFound,
    ...(path === undefined ? {} : { path }),
  });
  if (!result.failed) return { played, undetermined, rows, late, runs, seen, failure: undefined };
  const [game] = result.counterexample ?? [];
  if (game === undefined) throw result.errorInstance;
  const thrown = differences.length > 0 ? differences : [String(result.errorInstance)];
  return {
    played,
    undetermined,
    rows,
    late,
    runs,
    seen,
    failure: { game, differences: thrown, path: result.counterexamplePath ?? '' },
  };
}

function namesOf({ plan, history: { steps } }: Game): readonly string[] {
  return [
    ...plan.sources.flatMap(({ before }) => before.map(({ kind }) => `before ${kind}`)),
    ...plan.ops.map((op) =>
      op.kind === 'window' ? op.shape.type : op.kind === 'join' && op.left ? 'left join' : op.kind,
    ),
    ...steps.map((step) => {
      if (step.do === 'event') return step.flaw === 'none' ? 'event' : `flaw ${step.flaw}`;
      if (step.do === 'restart' || step.do === 'crash') return `${step.do} ${step.how}`;
      return step.do === 'fault' ? step.fault : step.do;
    }),
  ];
}
