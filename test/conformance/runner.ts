/**
 * Runs a case in a variation and judges it.
 *
 * An expectation judges everything that was emitted since the last one of its kind. So what comes
 * out after the last one is judged by none: a case that wants silence says `expect: []` at its end.
 */
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { Case, Json, Operation } from './case.ts';
import { isRecord } from './case.ts';
import type { Comparison } from './format.ts';
import { comparisonOf } from './format.ts';
import type { OpenDriver, Session } from './session.ts';
import { subjects } from './subjects/index.ts';
import { refusesWindow } from './subjects/window.ts';
import type { Variation } from './variations.ts';
import { turnsOf, variationsOf } from './variations.ts';

export interface Failure {
  readonly variation: string;
  /** From 1; undefined when the case could not be started. */
  readonly step?: number;
  /** `expect`, `expectLate.left`, ...; or `error` with what was thrown as what was found. */
  readonly kind: string;
  readonly expected: Json;
  readonly found: Json;
}

export interface Verdict {
  readonly case: Case;
  readonly variations: readonly string[];
  /** One of each variation that failed: its first. */
  readonly failures: readonly Failure[];
}

/** `open`: the engine that runs it; default: the one here. */
export async function judge(
  of: Case,
  among: readonly Variation[] = variationsOf(of),
  open?: OpenDriver,
): Promise<Verdict> {
  const failures: Failure[] = [];
  for (const variation of among) {
    const failure =
      of.operations[0]?.key === 'error'
        ? await judgeRefusal(of, variation)
        : await run(of, variation, open);
    if (failure !== undefined) failures.push(failure);
  }
  return { case: of, variations: among.map(({ name }) => name), failures };
}

async function judgeRefusal(of: Case, variation: Variation): Promise<Failure | undefined> {
  const failure = {
    variation: variation.name,
    step: 1,
    kind: 'error',
    expected: { code: 'topology-invalid' },
  };
  try {
    return (await refusesWindow(of.config)) ? undefined : { ...failure, found: 'a driver' };
  } catch (thrown) {
    return { ...failure, found: messageOf(thrown) };
  }
}

async function run(
  of: Case,
  variation: Variation,
  open: OpenDriver | undefined,
): Promise<Failure | undefined> {
  let session: Session | undefined;
  let step: number | undefined;
  const pending = new Map<string, Json[]>();
  try {
    const running = open === undefined ? variation : { ...variation, open };
    const started = await subjects[of.operator](of.config, running);
    session = started;
    for (const turn of turnsOf(of, variation)) {
      step = turn.kind === 'feed' ? turn.operations[0]?.step : turn.operation.step;
      switch (turn.kind) {
        case 'feed':
          await started.feed(turn.operations);
          break;
        case 'act':
          await started.act(turn.operation);
          break;
        case 'restore':
          await started.restore(variation.how);
          break;
        case 'expect': {
          const wrong = compare(of, turn.operation, pending);
          if (wrong !== undefined)
            return { variation: variation.name, step: turn.operation.step, ...wrong };
          continue;
        }
      }
      collectInto(pending, started);
      if (variation.restore === 'everyStep' && turn.kind !== 'restore') {
        await started.restore(variation.how);
        collectInto(pending, started);
      }
    }
    return undefined;
  } catch (thrown) {
    const at = step === undefined ? {} : { step };
    return {
      variation: variation.name,
      ...at,
      kind: 'error',
      expected: null,
      found: messageOf(thrown),
    };
  } finally {
    session?.close();
  }
}

function collectInto(pending: Map<string, Json[]>, session: Session): void {
  for (const [kind, found] of Object.entries(session.take())) {
    const known = pending.get(kind);
    if (known === undefined) pending.set(kind, [...found]);
    else known.push(...found);
  }
}

interface Difference {
  readonly kind: string;
  readonly expected: Json;
  readonly found: Json;
}

/**
 * Takes what the expectation judges out of `pending`. An expectation in parts (left, right) judges
 * the parts that it names.
 */
function compare(
  of: Case,
  { key, value }: Operation,
  pending: Map<string, Json[]>,
): Difference | undefined {
  const parts = isRecord(value)
    ? Object.entries(value).map(([part, own]) => [`${key}.${part}`, own] as const)
    : [[key, value] as const];
  for (const [kind, expected] of parts) {
    const found = pending.get(kind) ?? [];
    pending.delete(kind);
    if (!same(expected as readonly Json[], found, comparisonOf(of.operator, key)))
      return { kind, expected: expected as Json, found };
  }
  return undefined;
}

function same(expected: readonly Json[], found: readonly Json[], comparison: Comparison): boolean {
  const [wanted, got] = [expected, found].map((values) => {
    const texts = values.map((value) => JSON.stringify(value));
    if (comparison === 'list') return texts;
    return (comparison === 'set' ? [...new Set(texts)] : texts).sort();
  });
  return JSON.stringify(wanted) === JSON.stringify(got);
}
