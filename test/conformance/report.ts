/**
 * Reads case files, runs them, and says what came of it: one line a case, then the sum.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { Case, CaseFile, CaseProblem } from './case.ts';
import { parseCases } from './case.ts';
import { operatorNames } from './format.ts';
import type { Failure, Verdict } from './runner.ts';
import { judge } from './runner.ts';
import type { OpenDriver } from './session.ts';
import type { Variation } from './variations.ts';
import { variationsOf } from './variations.ts';

export interface Report {
  readonly verdicts: readonly Verdict[];
  readonly problems: readonly CaseProblem[];
  readonly passed: number;
  /** Cases that failed, and cases and files that could not be read. */
  readonly failed: number;
  /** Operators of which no case was run. */
  readonly skipped: readonly string[];
}

/** What runs the cases: another engine than the one here. */
export interface Engine {
  readonly variations: readonly Variation[];
  readonly openerOf: (of: Case) => OpenDriver;
}

export async function report(
  files: readonly string[],
  print: (line: string) => void,
  engine?: Engine,
): Promise<Report> {
  const verdicts: Verdict[] = [];
  const problems: CaseProblem[] = [];
  for (const file of files) {
    const read = readCases(file);
    for (const problem of read.problems) {
      problems.push(problem);
      print(problemLine(problem));
    }
    for (const one of read.cases) {
      const verdict = await judge(
        one,
        variationsOf(one, engine?.variations),
        engine?.openerOf(one),
      );
      verdicts.push(verdict);
      print(verdictLine(verdict));
    }
  }
  const passed = verdicts.filter(({ failures }) => failures.length === 0).length;
  const skipped = operatorNames.filter(
    (name) => !verdicts.some((verdict) => verdict.case.operator === name),
  );
  return {
    verdicts,
    problems,
    passed,
    failed: verdicts.length - passed + problems.length,
    skipped,
  };
}

function readCases(file: string): CaseFile {
  try {
    return parseCases(file, readFileSync(file, 'utf8'));
  } catch (thrown) {
    return { cases: [], problems: [{ file, name: 'the file', message: messageOf(thrown) }] };
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

function problemLine({ file, name, message }: CaseProblem): string {
  return `FAIL ${name}: ${file}: ${oneLine(message)}`;
}

function verdictLine({ case: { name, file }, variations, failures }: Verdict): string {
  const [first] = failures;
  if (first === undefined) return `ok   ${name}`;
  const more =
    failures.length === variations.length
      ? 'all variations'
      : failures.map(({ variation }) => variation).join('; ');
  return `FAIL ${name}: ${file}: ${failureText(first)} (fails ${more})`;
}

function failureText({ variation, step, kind, expected, found }: Failure): string {
  const place = `${variation}, ${step === undefined ? 'at the start' : `step ${step}`}, ${kind}`;
  return `${place}: expected ${JSON.stringify(expected)}, found ${oneLine(JSON.stringify(found))}`;
}
