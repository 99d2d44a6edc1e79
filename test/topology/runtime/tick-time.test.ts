import { describe, expect, it } from 'vitest';
import { TickTime, tickMs } from '../../../topology/runtime/tick-time.ts';

/** A clock whose time on the wall may be set, as an operator of a machine does. */
function clockAt(wallMs: number): { wallMs: number; elapsedMs: number; time: TickTime } {
  const of = { wallMs, elapsedMs: 0 };
  const time = new TickTime({
    now: () => of.wallMs,
    monotonic: () => of.elapsedMs,
    setTimer: () => ({ cancel: () => undefined }),
  });
  return Object.assign(of, { time });
}

describe('the time of ticks', () => {
  it('begins at the wall when the run takes over, and does not follow it from then on', () => {
    const clock = clockAt(1_000_000);
    clock.time.start();
    clock.wallMs = 5;
    clock.elapsedMs = 300;
    expect(clock.time.turn(false)).toBe(1_000_300);
  });

  it('stands still while reading is paused', () => {
    const clock = clockAt(1_000_000);
    clock.time.start();
    clock.elapsedMs = 100;
    expect(clock.time.turn(false)).toBe(1_000_100);
    clock.elapsedMs = 60_100;
    expect(clock.time.turn(true)).toBe(1_000_100);
    clock.elapsedMs = 60_200;
    expect(clock.time.turn(false)).toBe(1_000_200);
    expect(clock.time.at(60_000)).toBe(1_000_000);
  });

  it('a tick is due at once, and then once in tickMs', () => {
    const clock = clockAt(0);
    clock.time.start();
    expect(clock.time.takeTick()).toBe(true);
    clock.elapsedMs = tickMs - 1;
    expect(clock.time.takeTick()).toBe(false);
    clock.elapsedMs = tickMs;
    expect(clock.time.takeTick()).toBe(true);
  });
});
