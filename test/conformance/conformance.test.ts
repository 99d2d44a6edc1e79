/**
 * Our own conformance cases pass in every variation; and the checks can fail: each expectation of
 * each case, altered, is reported exactly.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, run, temporaryFolder } from '../repo/support.ts';
import type { Case, Json, Operation } from './case.ts';
import { isRecord, parseCases } from './case.ts';
import { operatorNames } from './format.ts';
import { report } from './report.ts';
import type { Failure } from './runner.ts';
import { judge } from './runner.ts';
import { variations, variationsOf } from './variations.ts';

const folder = join(root, 'test/conformance/cases');
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => join(folder, name));
const runner = join(root, 'dist/test/conformance/run.js');

const quiet = (): void => undefined;
const { verdicts, problems, skipped } = await report(files, quiet);
const cases = verdicts.map((verdict) => verdict.case);

/** Another value of the same shape: what no run of the case gives. */
function altered(value: Json): Json {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'string') return `${value}?`;
  if (typeof value === 'boolean') return !value;
  if (value === null) return 0;
  if (isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, part], i) => [name, i === 0 ? altered(part) : part]),
    );
  const parts = value as readonly Json[];
  return parts.length === 0 ? ['planted'] : [...parts.slice(0, -1), altered(parts.at(-1) ?? null)];
}

function withAltered(
  of: Case,
  target: Operation,
): { readonly planted: Case; readonly value: Json } {
  const value = altered(target.value);
  const operations = of.operations.map((operation) =>
    operation === target ? { ...operation, value } : operation,
  );
  return { planted: { ...of, operations }, value };
}

describe('conformance', () => {
  it.each(cases.map((one, index) => [`${one.operator}: ${one.name}`, index] as const))(
    '%s',
    (_name, index) => {
      expect(verdicts[index]?.failures).toEqual([]);
    },
  );

  it('covers every operator of the format with cases that can be read', () => {
    expect(problems).toEqual([]);
    expect(skipped).toEqual([]);
    expect(cases.length).toBeGreaterThanOrEqual(180);
  });

  it.each(operatorNames)(
    '%s: each expectation, altered, is what the runner reports',
    async (operator) => {
      const [asWritten] = variations;
      if (asWritten === undefined) throw new Error('no variations');
      let planted = 0;
      for (const one of cases.filter((each) => each.operator === operator)) {
        for (const operation of one.operations.filter(({ key }) => key.startsWith('expect'))) {
          const { planted: wrong, value } = withAltered(one, operation);
          const { failures } = await judge(wrong, [asWritten]);
          const [kind, expected] = isRecord(value)
            ? partOf(operation.key, value)
            : [operation.key, value];
          const reported = failures.map(({ found: _found, ...failure }) => failure);
          expect(reported, `${one.name}, step ${operation.step}`).toEqual([
            { variation: 'as written', step: operation.step, kind, expected } satisfies Omit<
              Failure,
              'found'
            >,
          ]);
          planted++;
        }
      }
      expect(planted).toBeGreaterThanOrEqual(9);
    },
  );

  it('a planted failure is found in every variation', async () => {
    for (const operator of operatorNames) {
      const one = cases.find(
        (each) => each.operator === operator && each.operations.some(({ key }) => key === 'expect'),
      );
      const target = one?.operations.find(({ key }) => key === 'expect');
      if (one === undefined || target === undefined) throw new Error(`no case of ${operator}`);
      const { failures } = await judge(withAltered(one, target).planted);
      expect(failures.map(({ variation }) => variation)).toEqual(
        variationsOf(one).map(({ name }) => name),
      );
    }
  });

  it('a configuration that should have been refused and is not fails its case', async () => {
    const one = cases.find((each) => each.operations[0]?.key === 'error');
    if (one === undefined) throw new Error('no case of a refusal');
    const { failures } = await judge({ ...one, config: { tumbling: 1_000 } });
    expect(failures[0]).toEqual({
      variation: 'as written',
      step: 1,
      kind: 'error',
      expected: { code: 'topology-invalid' },
      found: 'a driver',
    });
    const refused = await judge({
      ...one,
      operator: 'window',
      config: { tumbling: 0 },
      operations: [{ step: 1, key: 'expect', value: [] }],
    });
    expect(refused.failures[0]?.kind).toBe('error');
  });
});

/** The first part of an expectation in parts is the altered one. */
function partOf(key: string, value: Readonly<Record<string, unknown>>): readonly [string, Json] {
  const [first] = Object.entries(value);
  return [`${key}.${first?.[0] ?? ''}`, (first?.[1] ?? null) as Json];
}

describe('a case file', () => {
  const steps = '[ {in: [k, 1, 0]}, {watermark: 9}, {expect: [[k, 1, 0, 10, 9]]} ]';
  const file = (fields: string): string => `cases:\n- name: planted\n  ${fields}\n`;
  const window = (list: string, config = '{ tumbling: 10 }'): string =>
    file(`operator: window\n  config: ${config}\n  steps: ${list}`);

  it('that is right is read', () => {
    expect(parseCases('a.yaml', window(steps)).problems).toEqual([]);
    expect(parseCases('a.yaml', window(`${steps}\n  restore: never`)).cases[0]?.restorable).toBe(
      false,
    );
  });

  it.each([
    [
      'an unknown operator',
      window(steps).replace('operator: window', 'operator: windows'),
      'unknown operator "windows"',
    ],
    [
      'an unknown key of a case',
      window(steps).replace('operator:', 'note: x\n  operator:'),
      'unknown key "note"',
    ],
    [
      'an unknown key of the configuration',
      window(steps, '{ tumbling: 10, lateness: 5 }'),
      'config: unknown key "lateness"',
    ],
    [
      'a configuration of the wrong type',
      window(steps, '{ tumbling: 10s }'),
      'config: tumbling: expected a whole number, not "10s"',
    ],
    [
      'two windows at once',
      window(steps, '{ tumbling: 10, session: 5 }'),
      'exactly one of tumbling, sliding, session',
    ],
    [
      'no window at all',
      window(steps, '{ allowedLateness: 5 }'),
      'exactly one of tumbling, sliding, session',
    ],
    ['sliding without a slide', window(steps, '{ sliding: 10 }'), 'sliding needs `slide`'],
    [
      'an unknown key of a step',
      window('[ {in: [k, 1, 0]}, {expects: []} ]'),
      'step 2: unknown key "expects"',
    ],
    [
      'a key of another operator',
      window('[ {left: [k, 0]}, {expect: []} ]'),
      'step 1: unknown key "left"',
    ],
    [
      'an element of the wrong shape',
      window('[ {in: [k, 1]}, {expect: []} ]'),
      'step 1: in: expected [key, value, ts], not ["k",1]',
    ],
    [
      'a timestamp that is none',
      window('[ {in: [k, 1, 1.5]}, {expect: []} ]'),
      'step 1: in: expected [key, value, ts] with ts a whole number',
    ],
    [
      'a number beyond exactness',
      window('[ {watermark: 9007199254740993}, {expect: []} ]'),
      'step 1: watermark',
    ],
    [
      'an expectation of the wrong shape',
      window('[ {expect: [[k, 1, 0, 10]]} ]'),
      'step 1: expect: expected a list, each [key, sum, start, end, ts]',
    ],
    ['no expectation', window('[ {in: [k, 1, 0]}, {watermark: 9} ]'), 'nothing is expected'],
    ['no steps', window('[]'), 'steps is a list that is not empty'],
    ['an empty step', window('[ {}, {expect: []} ]'), 'step 1: a step is a mapping'],
    [
      'a restore that is not true',
      window('[ {restore: false}, {expect: []} ]'),
      'step 1: `restore` can only be true',
    ],
    ['an unknown tag', window(`${steps}\n  restore: sometimes`), 'can only be `never`'],
    [
      'an input out of range',
      file('operator: merge\n  config: { inputs: 2 }\n  steps: [ {idle: 2}, {expect: []} ]'),
      'step 1: idle: expected an input from 0 to 1',
    ],
    [
      'an error among other steps',
      file('operator: assign\n  config: { tumbling: 0 }\n  steps: [ {in: 0}, {error: true} ]'),
      'stands alone',
    ],
    [
      'an error of an operator that has none',
      window('[ {error: true} ]', '{ tumbling: 0 }'),
      'step 1: unknown key "error"',
    ],
    [
      'a missing configuration',
      file('operator: ttl\n  steps: [ {get: k}, {expect: [null]} ]'),
      'config: ttl is required',
    ],
    ['a case without a name', 'cases:\n- operator: ttl\n', 'a case has a name'],
    ['no cases', 'cases: []\n', 'there are no cases'],
    ['another document', 'case: 1\n', 'the list `cases`'],
    ['a list of other things beside', 'cases: []\nmore: []\n', 'unknown key "more"'],
    ['text that is no YAML', 'cases: [ {', 'the file'],
    [
      'a key twice',
      window(steps).replace('operator: window', 'operator: window\n  operator: window'),
      'Map keys must be unique',
    ],
  ])('with %s is refused in words', async (_what, text, words) => {
    const path = join(temporaryFolder('conformance'), 'planted.yaml');
    writeFileSync(path, text);
    const lines: string[] = [];
    const { passed, failed } = await report([path], (line) => lines.push(line));
    expect([passed, failed]).toEqual([0, 1]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^FAIL /);
    expect(lines[0]).toContain(path);
    expect(lines[0]).toContain(words);
  });
});

describe('npm run conformance', () => {
  const good =
    'cases:\n- name: good\n  operator: keyGroup\n  config: { maxParallelism: 128, parallelism: 4 }\n  steps: [ {key: key1}, {expect: [41, 1]} ]\n';
  const bad = good.replace('name: good', 'name: bad').replace('[41, 1]', '[41, 2]');
  const conformance = (...args: readonly string[]) => run(root, process.execPath, runner, ...args);
  const write = (text: string): string => {
    const path = join(temporaryFolder('conformance'), 'cases.yaml');
    writeFileSync(path, text);
    return path;
  };

  it('prints one line a case, what was skipped and the sum, and exits with 0', () => {
    const { status, stdout } = conformance(write(good), write(good));
    expect(stdout.trim().split('\n')).toEqual([
      'ok   good',
      'ok   good',
      `skipped, no case: ${operatorNames.filter((name) => name !== 'keyGroup').join(', ')}`,
      '2 passed, 0 failed',
    ]);
    expect(status).toBe(0);
  });

  it('exits with 1 when a case fails, naming variation, step, expected and found', () => {
    const path = write(`${good}${bad.replace('cases:\n', '')}`);
    const { status, stdout } = conformance(path);
    expect(stdout.split('\n')[1]).toBe(
      `FAIL bad: ${path}: as written, step 2, expect: expected [41,2], found [41,1] (fails all variations)`,
    );
    expect(stdout.trim().split('\n').at(-1)).toBe('1 passed, 1 failed');
    expect(status).toBe(1);
  });

  it('says the same as JSON', () => {
    const { status, stdout } = conformance('--json', write(bad));
    const said = JSON.parse(stdout) as {
      passed: number;
      failed: number;
      cases: { ok: boolean; failures: Failure[] }[];
    };
    expect([said.passed, said.failed, said.cases[0]?.ok]).toEqual([0, 1, false]);
    expect(said.cases[0]?.failures[0]).toEqual({
      variation: 'as written',
      step: 2,
      kind: 'expect',
      expected: [41, 2],
      found: [41, 1],
    });
    expect(status).toBe(1);
  });

  it('fails on a file that is not there, and asks for one when none is named', () => {
    expect(conformance('no-such-file.yaml').status).toBe(1);
    expect(conformance().status).toBe(2);
  });
});
