/**
 * What the tests against naive oracles share: an oracle reads a random history and says what must
 * have come out; the conformance runner plays the same history through the test driver, in other
 * batches and with restores at random places, and compares.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Case, Config, Json } from '../../conformance/case.ts';
import type { OperatorName } from '../../conformance/format.ts';
import { judge } from '../../conformance/runner.ts';
import { variations } from '../../conformance/variations.ts';

/** A step without expectations: `[key, value]`. */
export type Step = readonly [key: string, value: Json];

/** Takes a step and says what it makes come out, by the kind of expectation that judges it. */
export type Oracle = (step: Step) => Readonly<Record<string, readonly Json[]>>;

/**
 * A step somewhere in the history: its times are relative to `now`, which moves on with the
 * history.
 */
export type StepAt = (now: number) => Step;

const driftMs = 2;
/** Of the variations. */
const parts = 4;

/** Elements, watermarks that mostly advance, and restores. */
export function histories(
  elements: fc.Arbitrary<StepAt>,
  watermarks: fc.Arbitrary<StepAt>,
): fc.Arbitrary<readonly Step[]> {
  const restore = fc.constant<StepAt>(() => ['restore', true]);
  const step = fc.oneof(
    { weight: 9, arbitrary: elements },
    { weight: 3, arbitrary: watermarks },
    { weight: 1, arbitrary: restore },
  );
  return fc
    .array(step, { maxLength: 80, size: 'max' })
    .map((steps) => steps.map((at, index) => at(index * driftMs)));
}

/** Around `now`; rarely the end of time. */
export function watermarkTimes(
  from: number,
  to: number,
): fc.Arbitrary<(now: number) => number | 'max'> {
  const near = fc.integer({ min: from, max: to }).map((at) => (now: number) => now + at);
  return fc.oneof(
    { weight: 60, arbitrary: near },
    { weight: 1, arbitrary: fc.constant(() => 'max' as const) },
  );
}

/** The history with what is expected after each watermark and at the end, of each kind. */
function caseOf(
  operator: OperatorName,
  config: Config,
  history: readonly Step[],
  oracle: Oracle,
  kinds: readonly string[],
): Case {
  const operations: { step: number; key: string; value: Json }[] = [];
  let pending = new Map<string, Json[]>();
  const judgeHere = (): void => {
    for (const kind of kinds)
      operations.push({ step: operations.length + 1, key: kind, value: pending.get(kind) ?? [] });
    pending = new Map();
  };
  for (const [key, value] of history) {
    operations.push({ step: operations.length + 1, key, value });
    for (const [kind, found] of Object.entries(oracle([key, value])))
      pending.set(kind, [...(pending.get(kind) ?? []), ...found]);
    if (key === 'watermark') judgeHere();
  }
  judgeHere();
  return { file: 'generated', name: 'generated', operator, config, restorable: true, operations };
}

/** Plays the history and compares; says how many elements were expected to come out. */
export async function agrees(
  operator: OperatorName,
  config: Config,
  history: readonly Step[],
  oracle: Oracle,
  kinds: readonly string[],
): Promise<number> {
  const generated = caseOf(operator, config, history, oracle, kinds);
  // A part of the variations for each history, all of them for all: what is drawn says which, so that
  // one that fails is found again.
  const part = history.length % parts;
  const { failures } = await judge(
    generated,
    variations.filter((_, n) => n % parts === part),
  );
  expect(failures).toEqual([]);
  return generated.operations.reduce(
    (sum, { key, value }) => (key === 'expect' ? sum + (value as readonly Json[]).length : sum),
    0,
  );
}
