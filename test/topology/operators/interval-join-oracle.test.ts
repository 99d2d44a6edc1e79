/**
 * Interval joins against an oracle that compares every pair, over random histories with watermarks
 * of each input on its own.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../conformance/case.ts';
import type { Oracle, Step, StepAt } from './oracle.ts';
import { agrees, histories, watermarkTimes } from './oracle.ts';

const kinds = ['expect', 'expectLate.left', 'expectLate.right', 'expectWatermarks'] as const;
type Side = 'left' | 'right';

interface Bounds {
  readonly lower: number;
  readonly upper: number;
  readonly lowerExclusive: boolean;
  readonly upperExclusive: boolean;
}

/** At least one millisecond stays inside, whatever is exclusive. */
const bounds = fc
  .record({
    lower: fc.integer({ min: -20, max: 12 }),
    width: fc.integer({ min: 2, max: 20 }),
    exclusive: fc.tuple(fc.boolean(), fc.boolean()),
  })
  .map<Bounds>(({ lower, width, exclusive: [lowerExclusive, upperExclusive] }) => ({
    lower,
    upper: lower + width,
    lowerExclusive,
    upperExclusive,
  }));

/** A left join's forwarding is told for inclusive bounds. */
const inclusive = bounds.map<Bounds>((given) => ({
  ...given,
  lowerExclusive: false,
  upperExclusive: false,
}));

const elements = fc
  .tuple(
    fc.constantFrom<Side>('left', 'right'),
    fc.constantFrom('a', 'b'),
    fc.integer({ min: -20, max: 15 }),
  )
  .map<StepAt>(([side, key, at]) => (now) => [side, [key, now + at]]);
const watermarks = fc
  .tuple(fc.constantFrom<Side | 'both'>('left', 'right', 'both'), watermarkTimes(-50, -12))
  .map<StepAt>(([side, at]) => (now) => [
    'watermark',
    side === 'both' ? { left: at(now), right: at(now) } : { [side]: at(now) },
  ]);

interface Held {
  readonly side: Side;
  readonly key: Json;
  readonly at: number;
  readonly until: number;
  matched: boolean;
}

const timeOf = (value: Json): number =>
  value === 'max' ? Number.POSITIVE_INFINITY : (value as number);

function joinOracle(
  { lower, upper, lowerExclusive, upperExclusive }: Bounds,
  join: 'inner' | 'left',
): Oracle {
  const [from, to] = [lowerExclusive ? lower + 1 : lower, upperExclusive ? upper - 1 : upper];
  const inputs = { left: Number.NEGATIVE_INFINITY, right: Number.NEGATIVE_INFINITY };
  let held: Held[] = [];
  let watermark = Number.NEGATIVE_INFINITY;
  const element = (side: Side, [key, at]: readonly [Json, number]) => {
    if (at < watermark) return { [`expectLate.${side}`]: [at] };
    const own: Held = {
      side,
      key,
      at,
      until: at + Math.max(side === 'left' ? to : -from, 0),
      matched: false,
    };
    const found: Json[] = [];
    for (const other of held.filter((one) => one.side !== side && one.key === key)) {
      const [left, right] = side === 'left' ? [own, other] : [other, own];
      if (right.at < left.at + from || right.at > left.at + to) continue;
      left.matched = true;
      found.push([left.at, right.at, Math.max(left.at, right.at)]);
    }
    held.push(own);
    return { expect: found };
  };
  const advance = (
    side: Side,
    at: Json,
  ): { readonly padded: readonly Json[]; readonly forwarded: readonly Json[] } => {
    inputs[side] = Math.max(inputs[side], timeOf(at));
    const next = Math.min(inputs.left, inputs.right);
    if (next <= watermark) return { padded: [], forwarded: [] };
    watermark = next;
    const gone = held.filter(({ until }) => until <= watermark);
    held = held.filter(({ until }) => until > watermark);
    const padded = gone.filter((one) => join === 'left' && one.side === 'left' && !one.matched);
    const forwarded = join === 'left' ? watermark - Math.max(to, 0) - 1 : watermark;
    return {
      padded: padded.map((one) => [one.at, null, one.at]),
      forwarded: [Number.isFinite(forwarded) ? forwarded : 'max'],
    };
  };
  return ([step, value]) => {
    if (step === 'left' || step === 'right') return element(step, value as readonly [Json, number]);
    if (step !== 'watermark') return {};
    const outcomes = Object.entries(value as Partial<Record<Side, Json>>).map(([side, at]) =>
      advance(side as Side, at),
    );
    return {
      expect: outcomes.flatMap(({ padded }) => padded),
      expectWatermarks: outcomes.flatMap(({ forwarded }) => forwarded),
    };
  };
}

/**
 * An element at the watermark whose state would be gone at once has no rule: such ones come one
 * millisecond later.
 */
function withoutElementsGoneAtOnce(
  history: readonly Step[],
  { lower, upper }: Bounds,
): readonly Step[] {
  const inputs = { left: Number.NEGATIVE_INFINITY, right: Number.NEGATIVE_INFINITY };
  return history.map(([step, value]): Step => {
    if (step === 'watermark') {
      for (const [side, at] of Object.entries(value as Partial<Record<Side, Json>>))
        inputs[side as Side] = Math.max(inputs[side as Side], timeOf(at));
    }
    if (step !== 'left' && step !== 'right') return [step, value];
    const [key, at] = value as readonly [Json, number];
    const keptFor = step === 'left' ? upper : -lower;
    return at === Math.min(inputs.left, inputs.right) && keptFor <= 1
      ? [step, [key, at + 1]]
      : [step, value];
  });
}

describe('interval joins over random histories', () => {
  it('inner ones agree with an oracle that compares every pair', async () => {
    let joined = 0;
    await fc.assert(
      fc.asyncProperty(bounds, histories(elements, watermarks), async (given, history) => {
        const steps = withoutElementsGoneAtOnce(history, given);
        joined += await agrees(
          'intervalJoin',
          { ...given },
          steps,
          joinOracle(given, 'inner'),
          kinds,
        );
      }),
      { numRuns: 25 },
    );
    expect(joined).toBeGreaterThan(20);
  }, 120_000);

  it('left ones pad exactly the rows that no right one joined', async () => {
    let joined = 0;
    await fc.assert(
      fc.asyncProperty(inclusive, histories(elements, watermarks), async (given, history) => {
        const steps = withoutElementsGoneAtOnce(history, given);
        joined += await agrees(
          'intervalJoin',
          { ...given, join: 'left' },
          steps,
          joinOracle(given, 'left'),
          kinds,
        );
      }),
      { numRuns: 25 },
    );
    expect(joined).toBeGreaterThan(20);
  }, 120_000);
});
