/**
 * How often what fails is tried again.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../schemas/kernel/clock.ts';
import { createConnectPace } from '../../schemas/kernel/connect-pace.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';

const options = { baseMs: 250, maxMs: 6_000 };

it('the first tries follow soon, the later ones seconds apart, each with jitter', () => {
  const clock = manualClock();
  const pace = createConnectPace(options, clock, seededRandom(7));
  const pauses: number[] = [];
  expect(pace.waitMs('b')).toBe(0);
  for (let n = 0; n < 9; n++) {
    pace.failed('b');
    pauses.push(pace.waitMs('b'));
    clock.advance(Math.ceil(pace.waitMs('b')));
    expect(pace.waitMs('b')).toBe(0);
  }
  const ceilings = [250, 500, 1_000, 2_000, 4_000, 6_000, 6_000, 6_000, 6_000];
  for (const [n, pause] of pauses.entries()) {
    expect(pause).toBeGreaterThanOrEqual((ceilings[n] ?? 0) / 2);
    expect(pause).toBeLessThanOrEqual(ceilings[n] ?? 0);
  }
  expect(new Set(pauses.slice(-4)).size).toBe(4);
});

it('each peer has its own pace, and one that answered is tried at once', () => {
  const clock = manualClock();
  const pace = createConnectPace(options, clock, seededRandom(7));
  pace.failed('b');
  expect([pace.waitMs('a') === 0, pace.waitMs('b') > 0]).toEqual([true, true]);
  pace.worked('b');
  expect(pace.waitMs('b')).toBe(0);
});
