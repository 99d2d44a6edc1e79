import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../topology/time/duration.ts';
import type { Heard } from '../../../topology/time/watermark.ts';
import { maxTime, SplitWatermarks, silenceSettleMs } from '../../../topology/time/watermark.ts';

const at = (time: number): { kind: 'watermark'; at: number } => ({ kind: 'watermark', at: time });

describe('watermarks over splits', () => {
  it('stay behind the largest timestamp by the delay and one, and never go back', () => {
    const marks = new SplitWatermarks({ outOfOrdernessMs: 10, idleAfterMs: 0 });
    marks.add('a');
    expect(marks.tick(0)).toEqual([]);
    marks.event('a', 1_337);
    expect(marks.tick(0)).toEqual([at(1_326)]);
    for (const timestamp of [12_345, 12_300, 12_340]) marks.event('a', timestamp);
    expect(marks.tick(0)).toEqual([at(12_334)]);
    marks.event('a', 12_280);
    expect(marks.tick(0)).toEqual([]);
  });

  it('are held back by a split that was never heard of, until it falls idle', () => {
    const marks = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: 50 });
    marks.add('a');
    marks.add('b');
    marks.event('a', 100);
    expect(marks.tick(0)).toEqual([]);
    marks.event('a', 101);
    expect(marks.tick(50)).toEqual([]);
    marks.event('a', 102);
    expect(marks.tick(51)).toEqual([at(101)]);
    marks.event('b', 50);
    expect(marks.tick(60)).toEqual([]);
    marks.event('b', 200);
    marks.event('a', 150);
    expect(marks.tick(70)).toEqual([at(149)]);
  });

  it('do not move on in the tick in which a split falls silent, before that split was asked again', () => {
    const marks = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: 50 });
    const heard = (through: number, a: number, b: number): Heard => ({
      through,
      source: 'in',
      at: new Map(Object.entries({ a, b })),
    });
    marks.event('a', 100);
    marks.begin('b', []);
    expect(marks.tick(0, heard(maxTime, 0, 0))).toEqual([]);
    marks.event('a', 200);
    // Nothing was silent when the sources were asked what they had heard.
    expect(marks.tick(60, heard(maxTime, 60, 59))).toEqual([]);
    const settledMs = 60 + silenceSettleMs;
    expect(marks.tick(settledMs + 1, heard(settledMs - 1, settledMs, settledMs - 1))).toEqual([]);
    expect(marks.tick(settledMs + 2, heard(settledMs, settledMs, settledMs))).toEqual([at(199)]);
  });

  it('say idle when all splits are quiet for longer than the timeout, and active when one is back', () => {
    const marks = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: 50 });
    marks.event('a', 100);
    expect(marks.tick(0)).toEqual([at(99)]);
    expect(marks.tick(10)).toEqual([]);
    expect(marks.tick(60)).toEqual([]);
    expect(marks.tick(61)).toEqual([{ kind: 'idle' }]);
    marks.event('a', 150);
    expect(marks.tick(61)).toEqual([{ kind: 'active' }, at(149)]);
  });

  it('go on after a restore as if nothing had happened', () => {
    const before = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: 0 });
    before.add('a');
    before.add('b');
    before.event('a', 10);
    before.event('b', 20);
    expect(before.tick(0)).toEqual([at(9)]);
    const after = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: 0 });
    after.restore(
      JSON.parse(JSON.stringify(before.snapshot())) as ReturnType<typeof before.snapshot>,
    );
    expect(after.tick(0)).toEqual([]);
    after.event('a', 30);
    expect(after.tick(0)).toEqual([at(19)]);
  });
});

describe('durations', () => {
  it('are read as people write them, and nothing else is', () => {
    expect(['10s', '5m', '1h', '-30m', '250ms', '2d', 17, '1.5s'].map(parseDuration)).toEqual([
      10_000, 300_000, 3_600_000, -1_800_000, 250, 172_800_000, 17, 1_500,
    ]);
    expect(['10', '5 m', 'h', '', '1w', 1.5, null, undefined, {}].map(parseDuration)).toEqual(
      Array.from({ length: 9 }, () => undefined),
    );
    expect([Number.NaN, Number.POSITIVE_INFINITY, 10n, '0.5ms', '1e3s'].map(parseDuration)).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });

  it('are exact in any unit, and as long as they are written', () => {
    expect(['1.001s', '4.35s', '-0.001s', '30d', '-0s', '0.1d'].map(parseDuration)).toEqual([
      1_001, 4_350, -1, 2_592_000_000, 0, 8_640_000,
    ]);
    expect(parseDuration('400000000000d')).toBe(400_000_000_000 * 86_400_000);
  });
});
