/**
 * Both rules of merging watermarks against a model that keeps no state of its own between steps: it
 * derives everything again from the whole history, the way the rules are written down, and shares
 * no code with what it checks.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MergeRule } from '../../../topology/time/merge.ts';
import { WatermarkMerge } from '../../../topology/time/merge.ts';
import type { TimeSignal } from '../../../topology/time/watermark.ts';
import { SplitWatermarks } from '../../../topology/time/watermark.ts';

type Step = {
  readonly kind: 'advance' | 'idle' | 'active';
  readonly input: number;
  readonly at: number;
};

const min = Number.NEGATIVE_INFINITY;

/**
 * What the history says so far: the last output and whether it is idle, and the text of what the
 * last step gives.
 */
interface Told {
  readonly out: number;
  readonly idle: boolean;
  readonly said: readonly string[];
}

interface Input {
  readonly at: number;
  readonly idle: boolean;
  /** Whether it has reached the output since it was idle last. */
  readonly counts: boolean;
}

function minimumOf(inputs: readonly Input[]): number {
  const counting = inputs.filter(({ idle, counts }) => !idle && counts).map(({ at }) => at);
  return counting.length === 0 ? min : Math.min(...counting);
}

/** One step of the written rules over plain values. */
function after(
  inputs: readonly Input[],
  told: Told,
  step: Step,
  rule: MergeRule,
): readonly [readonly Input[], Told] {
  const own = inputs[step.input] as Input;
  const ignored = rule === 'valve' && step.kind === 'advance' && own.idle;
  if (ignored || (step.kind !== 'advance' && own.idle === (step.kind === 'idle')))
    return [inputs, { ...told, said: [] }];
  const at = step.kind === 'advance' ? Math.max(own.at, step.at) : own.at;
  const idle = step.kind === 'idle';
  const counts = rule === 'combined' || (!idle && ((own.counts && !own.idle) || at >= told.out));
  const next = inputs.map((input, index) => (index === step.input ? { at, idle, counts } : input));
  const allIdle = next.every((input) => input.idle);
  const reached = allIdle ? Math.max(...next.map((input) => input.at)) : minimumOf(next);
  const out = Math.max(told.out, reached);
  const advanced = out > told.out;
  // A union is awake with its first input; what is combined only with an advance, if only to say it
  // and be idle again.
  const awake = advanced || (rule === 'valve' && !allIdle);
  const woke = told.idle && awake;
  const said = [
    ...(woke ? ['active'] : []),
    ...(advanced ? [String(out)] : []),
    ...(allIdle && (woke || !told.idle) ? ['idle'] : []),
  ];
  return [next, { out, idle: allIdle || (told.idle && !awake), said }];
}

function model(inputs: number, rule: MergeRule, steps: readonly Step[]): readonly string[] {
  let state: readonly Input[] = Array.from({ length: inputs }, () => ({
    at: min,
    idle: false,
    counts: true,
  }));
  let told: Told = { out: min, idle: false, said: [] };
  for (const step of steps) [state, told] = after(state, told, step, rule);
  return told.said;
}

const texts = (signals: readonly TimeSignal[]): readonly string[] =>
  signals.map((signal) => (signal.kind === 'watermark' ? String(signal.at) : signal.kind));

const history = fc.integer({ min: 1, max: 5 }).chain((inputs) =>
  fc.record({
    inputs: fc.constant(inputs),
    steps: fc.array(
      fc.record({
        kind: fc.constantFrom<Step['kind']>('advance', 'advance', 'idle', 'idle', 'active'),
        input: fc.integer({ min: 0, max: inputs - 1 }),
        at: fc.integer({ min: -8, max: 24 }),
      }),
      { maxLength: 40, size: 'max' },
    ),
    restoreAt: fc.integer({ min: 0, max: 40 }),
  }),
);

describe('merged watermarks', () => {
  it.each(['valve', 'combined'] as const)(
    'agree with the written rule, restored or not (%s)',
    (rule) => {
      let flushes = 0;
      let woken = 0;
      fc.assert(
        fc.property(history, ({ inputs, steps, restoreAt }) => {
          let merge = new WatermarkMerge(inputs, rule);
          for (const [n, { kind, input, at }] of steps.entries()) {
            if (n === restoreAt) {
              const restored = new WatermarkMerge(inputs, rule);
              restored.restore(
                JSON.parse(JSON.stringify(merge.snapshot())) as ReturnType<typeof merge.snapshot>,
              );
              merge = restored;
            }
            const got = texts(
              kind === 'advance'
                ? merge.advance(input, at)
                : kind === 'idle'
                  ? merge.idle(input)
                  : merge.active(input),
            );
            expect(got).toEqual(model(inputs, rule, steps.slice(0, n + 1)));
            if (got.length > 1 && got.at(-1) === 'idle') flushes++;
            if (got[0] === 'active') woken++;
          }
        }),
        { numRuns: 1_000 },
      );
      expect(flushes).toBeGreaterThan(50);
      expect(woken).toBeGreaterThan(50);
    },
  );

  it('of the splits of a source follow the rule `combined`', () => {
    fc.assert(
      fc.property(history, ({ inputs, steps, restoreAt }) => {
        const options = { outOfOrdernessMs: 0, idleAfterMs: 0 };
        let marks = new SplitWatermarks(options);
        for (let split = 0; split < inputs; split++) marks.add(`${split}`);
        for (const [n, { kind, input, at }] of steps.entries()) {
          if (n === restoreAt) {
            const restored = new SplitWatermarks(options);
            restored.restore(
              JSON.parse(JSON.stringify(marks.snapshot())) as ReturnType<typeof marks.snapshot>,
            );
            marks = restored;
          }
          const got = texts(
            kind === 'advance'
              ? marks.give(`${input}`, at)
              : marks.setIdle(`${input}`, kind === 'idle'),
          );
          expect(got).toEqual(model(inputs, 'combined', steps.slice(0, n + 1)));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('end in one value, in whichever order inputs that do not go on fall idle', () => {
    const rules = fc.constantFrom<MergeRule>('valve', 'combined');
    const marks = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rules, marks, fc.infiniteStream(fc.nat()), (rule, reached, random) => {
        const merge = new WatermarkMerge(reached.length, rule);
        for (const [input, at] of reached.entries()) merge.advance(input, at);
        const order = reached
          .map((_, input) => ({ input, by: random.next().value as number }))
          .sort((a, b) => a.by - b.by);
        for (const { input } of order) merge.idle(input);
        expect(merge.watermark).toBe(Math.max(...reached));
      }),
    );
  });
});
