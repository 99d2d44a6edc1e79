/**
 * Windows against oracles that remember every element and look through all of them, over random
 * histories.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../conformance/case.ts';
import type { Oracle, StepAt } from './oracle.ts';
import { agrees, histories, watermarkTimes } from './oracle.ts';

const kinds = ['expect', 'expectLate', 'expectWatermarks'] as const;

const elements = fc
  .tuple(
    fc.constantFrom('a', 'b', 7),
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: -60, max: 10 }),
  )
  .map<StepAt>(([key, value, at]) => (now) => ['in', [key, value, now + at]]);
const watermarks = watermarkTimes(-60, 0).map<StepAt>((at) => (now) => ['watermark', at(now)]);

interface Options {
  readonly allowedLateness: number;
  readonly mode: 'accumulating' | 'discarding';
}

const options = fc.record<Options>({
  allowedLateness: fc.constantFrom(0, 1, 7, 30),
  mode: fc.constantFrom('accumulating', 'discarding'),
});

type Element = readonly [key: string | number, value: number, at: number];
const timeOf = (value: Json): number =>
  value === 'max' ? Number.POSITIVE_INFINITY : (value as number);

interface Accepted {
  readonly key: string | number;
  readonly value: number;
  readonly start: number;
  fired: boolean;
}

/** Every window that holds the timestamp, found by trying each start. */
function startsOf(at: number, size: number, slide: number, offset: number): readonly number[] {
  return Array.from({ length: size }, (_, back) => at - back).filter((start) =>
    Number.isInteger((start - offset) / slide),
  );
}

function windowOracle(
  size: number,
  slide: number,
  offset: number,
  { allowedLateness, mode }: Options,
): Oracle {
  const accepted: Accepted[] = [];
  let watermark = Number.NEGATIVE_INFINITY;
  const fire = (key: string | number, start: number): Json => {
    const own = accepted.filter((one) => one.key === key && one.start === start);
    const counted = mode === 'discarding' ? own.filter((one) => !one.fired) : own;
    const total = counted.reduce((sum, one) => sum + one.value, 0);
    for (const one of own) one.fired = true;
    return [key, total, start, start + size, start + size - 1];
  };
  return ([step, value]) => {
    if (step === 'in') {
      const [key, amount, at] = value as Element;
      const starts = startsOf(at, size, slide, offset).filter(
        (start) => start + size - 1 + allowedLateness > watermark,
      );
      if (starts.length === 0) return { expectLate: [value] };
      accepted.push(...starts.map((start) => ({ key, value: amount, start, fired: false })));
      return {
        expect: starts
          .filter((start) => start + size - 1 <= watermark)
          .map((start) => fire(key, start)),
      };
    }
    if (step !== 'watermark' || timeOf(value) <= watermark) return {};
    const due = accepted.filter(
      ({ start }) => start + size - 1 > watermark && start + size - 1 <= timeOf(value),
    );
    const windows = new Map(
      due.map(({ key, start }) => [JSON.stringify([key, start]), [key, start] as const]),
    );
    watermark = timeOf(value);
    return {
      expect: [...windows.values()].map(([key, start]) => fire(key, start)),
      expectWatermarks: [value],
    };
  };
}

interface SessionOfOracle {
  readonly key: string | number;
  readonly start: number;
  readonly end: number;
  total: number;
}

function sessionOracle(gap: number, { allowedLateness, mode }: Options): Oracle {
  let live: SessionOfOracle[] = [];
  let watermark = Number.NEGATIVE_INFINITY;
  const fire = (session: SessionOfOracle): Json => {
    const { key, start, end, total } = session;
    if (mode === 'discarding') session.total = 0;
    return [key, total, start, end, end - 1];
  };
  return ([step, value]) => {
    if (step === 'in') {
      const [key, amount, at] = value as Element;
      let merged: SessionOfOracle = { key, start: at, end: at + gap, total: amount };
      const joined = new Set<SessionOfOracle>();
      for (let grown = true; grown; ) {
        grown = false;
        for (const other of live) {
          if (
            joined.has(other) ||
            other.key !== key ||
            other.start > merged.end ||
            other.end < merged.start
          )
            continue;
          joined.add(other);
          const [start, end] = [
            Math.min(merged.start, other.start),
            Math.max(merged.end, other.end),
          ];
          merged = { key, start, end, total: merged.total + other.total };
          grown = true;
        }
      }
      if (merged.end - 1 + allowedLateness <= watermark) return { expectLate: [value] };
      live = [...live.filter((other) => !joined.has(other)), merged];
      return { expect: merged.end - 1 <= watermark ? [fire(merged)] : [] };
    }
    if (step !== 'watermark' || timeOf(value) <= watermark) return {};
    const before = watermark;
    watermark = timeOf(value);
    const due = live.filter(({ end }) => end - 1 > before && end - 1 <= watermark);
    const fired = due.map(fire);
    live = live.filter(({ end }) => end - 1 + allowedLateness > watermark);
    return { expect: fired, expectWatermarks: [value] };
  };
}

describe('windows over random histories', () => {
  it('tumbling ones agree with an oracle that remembers every element', async () => {
    const sizes = fc.integer({ min: 1, max: 20 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        offset: fc.integer({ min: 1 - size, max: size - 1 }),
      }),
    );
    let fired = 0;
    await fc.assert(
      fc.asyncProperty(
        sizes,
        options,
        histories(elements, watermarks),
        async ({ size, offset }, chosen, history) => {
          const config = { tumbling: size, offset, ...chosen };
          fired += await agrees(
            'window',
            config,
            history,
            windowOracle(size, size, offset, chosen),
            kinds,
          );
        },
      ),
      { numRuns: 40 },
    );
    expect(fired).toBeGreaterThan(80);
  }, 120_000);

  it('sliding ones agree, whether or not the size is a multiple of the slide', async () => {
    const shapes = fc.integer({ min: 1, max: 8 }).chain((slide) =>
      fc.record({
        slide: fc.constant(slide),
        size: fc.integer({ min: slide, max: 20 }),
        offset: fc.integer({ min: 1 - slide, max: slide - 1 }),
      }),
    );
    let fired = 0;
    await fc.assert(
      fc.asyncProperty(
        shapes,
        options,
        histories(elements, watermarks),
        async ({ size, slide, offset }, chosen, history) => {
          const config = { sliding: size, slide, offset, ...chosen };
          fired += await agrees(
            'window',
            config,
            history,
            windowOracle(size, slide, offset, chosen),
            kinds,
          );
        },
      ),
      { numRuns: 40 },
    );
    expect(fired).toBeGreaterThan(80);
  }, 120_000);

  it('sessions agree with an oracle that merges until nothing touches', async () => {
    let fired = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 15 }),
        options,
        histories(elements, watermarks),
        async (gap, chosen, history) => {
          fired += await agrees(
            'window',
            { session: gap, ...chosen },
            history,
            sessionOracle(gap, chosen),
            kinds,
          );
        },
      ),
      { numRuns: 40 },
    );
    expect(fired).toBeGreaterThan(80);
  }, 120_000);
});
