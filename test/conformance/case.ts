/**
 * Conformance cases as data, and their reader: text in YAML becomes cases that are known to be
 * well-formed, or sentences that say what is not.
 *
 * Invariants:
 * 1. A case that is given back has only keys of the format's table, of the right types, and at
 *    least one expectation.
 * 2. Whatever is wrong is told with the file, the case and the step; nothing is skipped in silence.
 */
import { LineCounter, parseDocument } from 'yaml';
import type { OperatorName } from './format.ts';
import { configProblem, formatOf, isOperatorName, operatorNames } from './format.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };
export type Config = Readonly<Record<string, Json>>;

/** One key of a step. A step with several keys is several operations, in the order written. */
export interface Operation {
  /** Of the step, from 1. */
  readonly step: number;
  readonly key: string;
  readonly value: Json;
}

export interface Case {
  readonly file: string;
  readonly name: string;
  readonly operator: OperatorName;
  readonly config: Config;
  /** Whether the case may be restored between any two steps. */
  readonly restorable: boolean;
  readonly operations: readonly Operation[];
}

/** What is wrong with a file or a case. */
export interface CaseProblem {
  readonly file: string;
  /** The case's name, or where it stands. */
  readonly name: string;
  readonly message: string;
}

export interface CaseFile {
  readonly cases: readonly Case[];
  readonly problems: readonly CaseProblem[];
}

/** `source`, where a case's rule comes from, is for its readers. */
const caseKeys = ['name', 'operator', 'config', 'steps', 'restore', 'source'];

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function parseCases(file: string, text: string): CaseFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined)
    return { cases: [], problems: [{ file, name: 'the file', message: error.message }] };
  const content: unknown = document.toJS();
  const problem = fileProblem(content);
  if (problem !== undefined)
    return { cases: [], problems: [{ file, name: 'the file', message: problem }] };
  const cases: Case[] = [];
  const problems: CaseProblem[] = [];
  for (const [index, raw] of (content as { cases: readonly unknown[] }).cases.entries()) {
    const name =
      isRecord(raw) && typeof raw['name'] === 'string' && raw['name'] !== ''
        ? raw['name']
        : `case ${index + 1}`;
    const found = caseProblem(raw);
    if (found === undefined) cases.push(caseOf(file, raw as RawCase));
    else problems.push({ file, name, message: found });
  }
  return { cases, problems };
}

function fileProblem(content: unknown): string | undefined {
  if (!isRecord(content) || !Array.isArray(content['cases']))
    return 'expected a mapping with the list `cases`';
  const unknown = Object.keys(content).find((key) => key !== 'cases');
  if (unknown !== undefined)
    return `unknown key ${JSON.stringify(unknown)}; a file has \`cases\` only`;
  return content['cases'].length === 0 ? 'there are no cases' : undefined;
}

interface RawCase {
  readonly name: string;
  readonly operator: OperatorName;
  readonly config?: Config | null;
  readonly steps: readonly Readonly<Record<string, Json>>[];
  readonly restore?: 'never';
}

function caseProblem(raw: unknown): string | undefined {
  if (!isRecord(raw)) return 'a case is a mapping';
  const unknown = Object.keys(raw).find((key) => !caseKeys.includes(key));
  if (unknown !== undefined)
    return `unknown key ${JSON.stringify(unknown)}; a case has ${caseKeys.join(', ')}`;
  if (typeof raw['name'] !== 'string' || raw['name'] === '') return 'a case has a name';
  const { operator, steps } = raw;
  if (raw['source'] !== undefined && typeof raw['source'] !== 'string') return 'source is text';
  if (!isOperatorName(operator))
    return `unknown operator ${JSON.stringify(operator)}; there are ${operatorNames.join(', ')}`;
  if (raw['restore'] !== undefined && raw['restore'] !== 'never')
    return 'restore of a case can only be `never`';
  const config = raw['config'] ?? {};
  if (!isRecord(config)) return 'config is a mapping';
  if (!Array.isArray(steps) || steps.length === 0) return 'steps is a list that is not empty';
  const refusal = operator === 'assign' && steps.some((step) => isRecord(step) && 'error' in step);
  if (refusal && steps.length > 1) return '`error: true` stands alone';
  const wrong = configProblem(operator, config, refusal);
  if (wrong !== undefined) return `config: ${wrong}`;
  for (const [index, step] of steps.entries()) {
    const problem = stepProblem(operator, step, config as Config);
    if (problem !== undefined) return `step ${index + 1}: ${problem}`;
  }
  const judged = (steps as readonly object[]).some((step) =>
    Object.keys(step).some((key) => key.startsWith('expect') || key === 'error'),
  );
  return judged ? undefined : 'nothing is expected, so nothing is checked';
}

function stepProblem(operator: OperatorName, step: unknown, config: Config): string | undefined {
  if (!isRecord(step) || Object.keys(step).length === 0) return 'a step is a mapping with one key';
  const known = formatOf(operator).steps;
  for (const [key, value] of Object.entries(step)) {
    if (key === 'restore') {
      if (value !== true) return '`restore` can only be true';
      continue;
    }
    const check = Object.hasOwn(known, key) ? known[key] : undefined;
    if (check === undefined)
      return `unknown key ${JSON.stringify(key)}; ${operator} takes ${Object.keys(known).join(', ')}, restore`;
    const expected = check(value, config);
    if (expected !== undefined) return `${key}: expected ${expected}, not ${JSON.stringify(value)}`;
  }
  return undefined;
}

function caseOf(file: string, raw: RawCase): Case {
  return {
    file,
    name: raw.name,
    operator: raw.operator,
    config: raw.config ?? {},
    restorable: raw.restore !== 'never',
    operations: raw.steps.flatMap((step, index) =>
      Object.entries(step).map(([key, value]) => ({ step: index + 1, key, value })),
    ),
  };
}
