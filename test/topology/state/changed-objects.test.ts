/**
 * Objects in state: a checkpoint in slices holds what was at its barrier, whatever changes
 * meanwhile.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Tracked } from '../../../topology/state/changed-objects.ts';
import { ChangedObjects } from '../../../topology/state/changed-objects.ts';
import type { SealedChanges } from '../../../topology/state/entries.ts';
import { never } from '../../../topology/state/entries.ts';
import { EntryLog } from './entry-log.ts';

interface Counter extends Tracked {
  readonly key: string;
  n: number;
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('count' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('rest' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'seal' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.nat({ max: 60 }) }),
  },
);

it('are written as they were at the barrier, each as often as it changed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const log = new EntryLog();
      const objects = new Map<string, Counter>();
      const changed = new ChangedObjects<Counter>({
        group: () => 3,
        key: ({ key }) => key,
        time: () => never,
        deadThrough: () => 0,
        text: ({ n }) => String(n),
      });
      changed.begin(1, log.writer());
      let sealed: SealedChanges | undefined;
      let atBarrier = new Map<string, string>();
      const finish = (maxBytes: number): void => {
        if (sealed?.write(maxBytes) !== true) return;
        sealed = undefined;
        log.finish();
        const kept = log
          .entries(Number.NEGATIVE_INFINITY)
          .map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]);
        expect(kept).toEqual([...atBarrier].sort(([a], [b]) => (a < b ? -1 : 1)));
      };
      for (const one of steps) {
        if (one.kind === 'count') {
          const known = objects.get(one.key);
          if (known === undefined) {
            const made = { key: one.key, n: 1, changedIn: 0, isStored: false, isGone: false };
            objects.set(one.key, made);
            changed.add(made);
          } else {
            changed.touch(known);
            known.n++;
          }
        } else if (one.kind === 'remove') {
          const known = objects.get(one.key);
          if (known === undefined) continue;
          changed.remove(known);
          objects.delete(one.key);
        } else if (one.kind === 'rest') {
          const known = objects.get(one.key);
          if (known === undefined) continue;
          // The object goes; another one comes back from its text.
          const n = Number(changed.rest(known));
          const woken = { key: one.key, n, changedIn: 0, isStored: false, isGone: false };
          changed.restored(woken);
          objects.set(one.key, woken);
        } else if (one.kind === 'seal') {
          finish(Number.POSITIVE_INFINITY);
          atBarrier = new Map([...objects].map(([key, { n }]) => [key, String(n)]));
          sealed = changed.seal(log.writer());
        } else finish(one.bytes);
      }
      finish(Number.POSITIVE_INFINITY);
    }),
    { numRuns: 500 },
  );
});

it('that come and go between two barriers leave nothing', () => {
  const log = new EntryLog();
  const changed = new ChangedObjects<Counter>({
    group: () => 0,
    key: ({ key }) => key,
    time: () => never,
    deadThrough: () => 0,
    text: ({ n }) => String(n),
  });
  const writer = log.writer();
  changed.begin(1, writer);
  const made = { key: 'k', n: 1, changedIn: 0, isStored: false, isGone: false };
  changed.add(made);
  changed.touch(made);
  changed.remove(made);
  expect(changed.seal(log.writer()).write(100)).toBe(true);
  expect(writer.entries).toBe(0);
});

it('that came to rest are not kept until the next barrier', () => {
  const log = new EntryLog();
  const changed = new ChangedObjects<Counter>({
    group: () => 0,
    key: ({ key }) => key,
    time: () => never,
    deadThrough: () => 0,
    text: ({ n }) => String(n),
  });
  const writer = log.writer();
  changed.begin(1, writer);
  for (let n = 0; n < 20_000; n++) {
    const made = { key: `k${n}`, n, changedIn: 0, isStored: false, isGone: false };
    changed.add(made);
    expect(changed.rest(made)).toBe(String(n));
  }
  expect(changed.changedBytes / changed.meanBytes).toBeLessThan(1_100);
  expect(writer.entries).toBe(20_000);
});

it('of one that has no text are tried again, and the others are not lost', () => {
  const log = new EntryLog();
  let isBroken = true;
  const changed = new ChangedObjects<Counter>({
    group: () => 0,
    key: ({ key }) => key,
    time: () => never,
    deadThrough: () => 0,
    text: ({ key, n }) => {
      if (isBroken && key === 'b') throw new Error('no text');
      return String(n);
    },
  });
  changed.begin(1, log.writer());
  for (const key of ['a', 'b', 'c'])
    changed.add({ key, n: 1, changedIn: 0, isStored: false, isGone: false });
  const sealed = changed.seal(log.writer());
  expect(() => sealed.write(1_000)).toThrow('no text');
  isBroken = false;
  expect(sealed.write(1_000)).toBe(true);
  log.finish();
  expect(log.entries(0).map(({ key }) => Buffer.from(key).toString())).toEqual(['a', 'b', 'c']);
});

it('that die after the barrier are written for it, and those that died before are not', () => {
  const log = new EntryLog();
  let deadThrough = 0;
  const changed = new ChangedObjects<Counter>({
    group: () => 0,
    key: ({ key }) => key,
    time: ({ n }) => n,
    text: ({ n }) => String(n),
    deadThrough: () => deadThrough,
  });
  changed.begin(1, log.writer());
  // Many that die at once are not kept.
  for (let n = 1; n <= 5_000; n++) {
    changed.add({ key: `k${n}`, n, changedIn: 0, isStored: false, isGone: false });
    deadThrough = n - 3;
  }
  expect(changed.changedBytes).toBeLessThan(2_048 * 256);
  const sealed = changed.seal(log.writer());
  deadThrough = 4_999;
  expect(sealed.write(1_000)).toBe(true);
  log.finish();
  expect(log.entries(0).map(({ time }) => time)).toEqual([4_998, 4_999, 5_000]);
});
