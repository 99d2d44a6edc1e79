/**
 * Keys at rest come to life when they are due, and no sooner: of many that are due, one is live.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { DueKeys } from '../../../topology/state/due-keys.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import { RestingKeys } from '../../../topology/state/resting-keys.ts';
import { TimerQueue } from '../../../topology/state/timer-queue.ts';

describe('keys at rest', () => {
  let resting: RestingKeys;
  let live: TimerQueue<string>;
  let woken: string[];
  let due: DueKeys;
  beforeEach(() => {
    resting = new RestingKeys({ store: memoryRecords, random: seededRandom(1), timers: 1 });
    live = new TimerQueue();
    woken = [];
    due = new DueKeys(resting, 0, live, (key) => {
      resting.take(key);
      woken.push(key);
      live.set(Number(key.slice(1)), key, key);
    });
  });
  const rest = (...keys: readonly string[]): void => {
    for (const key of keys) resting.add(key, '', [Number(key.slice(1))]);
  };

  it('stay at rest while a live timer is due before them', () => {
    rest('a7');
    live.set(5, 'b', 'b');
    due.wake(10);
    expect(woken).toEqual([]);
    // Nor is it taken for what fires now, by which keys that are due stay live.
    expect(due.firingAt(5)).toBe(5);
    live.takeUntil(10);
    due.wake(10);
    expect(woken).toEqual(['a7']);
  });

  it('of one time come to life one after the other, among live ones by their keys', () => {
    rest('c7', 'a7', 'e7');
    live.set(7, 'b', 'b');
    live.set(7, 'd', 'd');
    const fired: string[] = [];
    for (;;) {
      due.wake(10);
      const next = live.takeUntil(10);
      if (next === undefined) break;
      fired.push(`${next.value} of ${resting.size}`);
    }
    expect(fired).toEqual(['a7 of 2', 'b of 2', 'c7 of 1', 'd of 1', 'e7 of 0']);
  });

  it('that are not due do not come to life', () => {
    rest('a7', 'b12');
    due.wake(10);
    expect(woken).toEqual(['a7']);
  });
});
