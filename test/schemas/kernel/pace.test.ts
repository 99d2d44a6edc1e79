import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { Pace } from '../../../schemas/kernel/pace.ts';

describe('a pace', () => {
  const make = () => {
    const clock = manualClock();
    return { clock, pace: new Pace({ clock, baseMs: 10, maxMs: 100 }) };
  };

  it('lets everything through until somebody asks to slow down', async () => {
    const { pace } = make();
    for (let n = 0; n < 100; n++) await pace.turn();
    expect(pace.pauseMs).toBe(0);
  });

  it('puts a pause between any two calls, whoever makes them', async () => {
    const { clock, pace } = make();
    pace.slowDown();
    const gone: number[] = [];
    const calls = [0, 1, 2].map((n) => pace.turn().then(() => gone.push(n)));
    for (const expected of [[], [0], [0, 1], [0, 1, 2]]) {
      await Promise.resolve();
      await Promise.resolve();
      expect(gone).toEqual(expected);
      clock.advance(10);
      await Promise.resolve();
    }
    await Promise.all(calls);
  });

  it('takes answers that come together for one, doubles up to its bound, and comes back to nothing', () => {
    const { clock, pace } = make();
    for (let n = 0; n < 8; n++) pace.slowDown();
    expect(pace.pauseMs).toBe(10);
    for (const expected of [20, 40, 80, 100, 100]) {
      clock.advance(100);
      pace.slowDown();
      expect(pace.pauseMs).toBe(expected);
    }
    let answers = 0;
    while (pace.pauseMs > 0) {
      pace.ease();
      answers++;
    }
    expect(answers).toBe(11);
  });
});
