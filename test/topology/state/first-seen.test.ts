/**
 * Keys that were seen: against a map that remembers all of them, with checkpoints in slices; in
 * memory, and in files beyond no keys or few.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { fileSegments } from '../../../deploy/host/file-segments.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { ColdDigests } from '../../../topology/state/cold-digests.ts';
import { keyDigest, newDigestSecret } from '../../../topology/state/digest.ts';
import type { SealedChanges } from '../../../topology/state/entries.ts';
import type { ColdKeys } from '../../../topology/state/first-seen.ts';
import { FirstSeen } from '../../../topology/state/first-seen.ts';
import { groupOfKeyText } from '../../../topology/state/key-group.ts';
import { EntryLog } from './entry-log.ts';

const digest = keyDigest(newDigestSecret(seededRandom(7)));
const digestOf = (key: string): Uint32Array => {
  const words = new Uint32Array(4);
  digest(key, words);
  return words;
};

type Step =
  | { readonly kind: 'add'; readonly key: string; readonly after: number }
  | { readonly kind: 'forget'; readonly by: number }
  | { readonly kind: 'seal' }
  | { readonly kind: 'write'; readonly bytes: number }
  | { readonly kind: 'crash' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      key: fc.nat({ max: 25 }).map((n) => `s${n}`),
      after: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('forget' as const), by: fc.nat({ max: 30 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'seal' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.nat({ max: 100 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
);

/** What a map says that remembers every key that is not over. */
class Oracle {
  through = -1;
  readonly firsts = new Map<string, number>();

  add(key: string, time: number): boolean {
    const first = this.firsts.get(key);
    if (first !== undefined && first > this.through) return false;
    this.firsts.set(key, time);
    return true;
  }

  live(): readonly (readonly [string, number])[] {
    return [...this.firsts].filter(([, time]) => time > this.through);
  }

  copy(): Oracle {
    const copy = new Oracle();
    copy.through = this.through;
    for (const [key, time] of this.firsts) copy.firsts.set(key, time);
    return copy;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-first-seen-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let stores = 0;
const opened: ColdDigests[] = [];
afterEach(() => {
  for (const digests of opened.splice(0)) digests.close();
});
function files(memoryMaxBytes: number): ColdKeys {
  const digests = new ColdDigests(fileSegments(folder, String(++stores)));
  opened.push(digests);
  return { digests, memoryMaxBytes };
}

function begunWith(cold: ColdKeys | undefined, log: EntryLog, staysMs = 1_000): FirstSeen {
  const made = new FirstSeen(staysMs, cold);
  made.forget(-1);
  made.begin(1, log.writer());
  return made;
}

describe.each([
  ['in memory', () => undefined],
  ['in files', () => files(0)],
  ['in files beyond eight', () => files(512)],
])('keys %s', (_name, cold: () => ColdKeys | undefined) => {
  const begun = (staysMs: number, log: EntryLog): FirstSeen => begunWith(cold(), log, staysMs);

  it('are those of a map, whatever comes, is forgotten, is sealed and restored', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.array(step, { maxLength: 120 }),
        (staysMs, steps) => {
          let log = new EntryLog();
          let table = begun(staysMs, log);
          let oracle = new Oracle();
          let sealed: SealedChanges | undefined;
          let atBarrier: Oracle | undefined;
          let stored = new Oracle();
          const finish = (maxBytes: number): void => {
            if (sealed?.write(maxBytes) !== true) return;
            sealed = undefined;
            stored = atBarrier ?? stored;
            log.finish();
          };
          for (const one of steps) {
            switch (one.kind) {
              case 'add': {
                const time = table.deadThrough + one.after;
                expect(table.add(digestOf(one.key), one.key, time)).toBe(oracle.add(one.key, time));
                break;
              }
              case 'forget':
                oracle.through += one.by;
                table.forget(oracle.through);
                break;
              case 'seal':
                finish(Number.POSITIVE_INFINITY);
                atBarrier = oracle.copy();
                sealed = table.seal(log.writer());
                break;
              case 'write':
                finish(one.bytes);
                break;
              case 'crash': {
                const before = log;
                before.forgetUnfinished();
                log = before;
                table = begun(staysMs, log);
                table.forget(stored.through);
                for (const entry of log.entries(stored.through)) table.restore(entry);
                oracle = stored.copy();
                sealed = undefined;
                break;
              }
            }
            const live = oracle.live();
            expect(table.size).toBe(live.length);
            const times = live.map(([, time]) => time);
            expect(table.next).toBe(times.length === 0 ? undefined : Math.min(...times));
          }
          finish(Number.POSITIVE_INFINITY);
          expect(
            [...log.entries(stored.through)].map(({ group, key, time }) => [
              group,
              Buffer.from(key).toString('hex'),
              time,
            ]),
          ).toEqual(
            stored
              .live()
              .map(([key, time]) => [
                groupOfKeyText(key),
                Buffer.from(digestOf(key).buffer).toString('hex'),
                time,
              ])
              .sort(
                (a, b) =>
                  (a[0] as number) - (b[0] as number) ||
                  (a[1] as string).localeCompare(b[1] as string),
              ),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds many keys, and lets go of all of them, a bounded number with each step of time', () => {
    const table = begun(1_000, new EntryLog());
    const keys = Array.from({ length: 40_000 }, (_, n) => `s${n}`);
    keys.forEach((key, n) => {
      table.add(digestOf(key), key, n % 1_000);
    });
    expect([table.size, table.next]).toEqual([40_000, 0]);
    table.forget(499);
    expect([table.size, table.next]).toEqual([20_000, 500]);
    table.forget(1_000);
    expect([table.size, table.next]).toEqual([0, undefined]);
    // Nothing of what is over comes back, wherever its place is used again.
    expect(keys.filter((key) => !table.add(digestOf(key), key, 1_500))).toEqual([]);
    expect(table.size).toBe(40_000);
  });

  it('give their places to those that come later: memory is that of what is there at one time', () => {
    const log = new EntryLog();
    const table = begun(1_000, log);
    for (let time = 1; time <= 30_000; time++) {
      const key = `s${time}`;
      table.add(digestOf(key), key, time);
      table.forget(time - 1_000);
      if (time % 500 !== 0) continue;
      while (!table.seal(log.writer()).write(Number.POSITIVE_INFINITY));
    }
    expect(table.size).toBe(1_000);
    // And of one of the buckets by time that a stay is divided into.
    expect(table.held).toBeLessThan(1_020);
  });
});

it('go to files once a checkpoint has them, and are found there after a restore, late ones too', () => {
  const log = new EntryLog();
  const cold = files(64 * 1_000);
  const table = new FirstSeen(100_000, cold);
  table.begin(1, log.writer());
  const keys = Array.from({ length: 20_000 }, (_, n) => `s${n}`);
  const addAll = (): number =>
    keys.filter((key, n) => table.add(digestOf(key), key, 10 * n + 1)).length;
  expect(addAll()).toBe(20_000);
  table.forget(0);
  // No checkpoint has any.
  expect(cold.digests.records).toBe(0);
  while (!table.seal(log.writer()).write(Number.POSITIVE_INFINITY));
  log.finish();
  table.forget(0);
  expect(cold.digests.records).toBeGreaterThan(18_000);
  expect([table.size, table.next, addAll()]).toEqual([20_000, 1, 0]);
  // Late: older than what is in files.
  expect(table.add(digestOf('late'), 'late', 5)).toBe(true);
  expect(table.add(digestOf('late'), 'late', 6)).toBe(false);

  const again = files(64 * 1_000);
  const restored = new FirstSeen(100_000, again);
  restored.forget(0);
  restored.begin(1, log.writer());
  for (const entry of log.entries(0)) restored.restore(entry);
  expect(restored.size).toBe(20_000);
  expect(again.digests.records).toBeGreaterThan(18_000);
  expect(keys.some((key) => restored.add(digestOf(key), key, 300_000))).toBe(false);
  expect(restored.held).toBeLessThan(2_000);
  // A part of them is over; all of them, and no file is left of any.
  restored.forget(100_000);
  expect([restored.size, restored.next]).toEqual([10_000, 100_001]);
  expect(restored.add(digestOf('s3'), 's3', 300_000)).toBe(true);
  for (let through = 200_000; through < 200_100; through++) restored.forget(through);
  expect([restored.size, again.digests.records]).toEqual([1, 0]);
  expect(keys.filter((key) => restored.add(digestOf(key), key, 400_000))).toHaveLength(19_999);
  again.digests.close();
  expect(table.size).toBe(20_001);
  cold.digests.close();
  // What is asked after the end of a run reads no file.
  expect(table.size).toBeLessThan(2_001);
  opened.length = 0;
  expect(readdirSync(folder)).toEqual([]);
});

it('stay in memory until a checkpoint has them, whatever else goes to a file', () => {
  const log = new EntryLog();
  const cold = files(0);
  const table = begunWith(cold, log);
  const barrier = (): void => {
    while (!table.seal(log.writer()).write(Number.POSITIVE_INFINITY));
    log.finish();
  };
  for (const time of [500, 510, 520]) table.add(digestOf(`at ${time}`), `at ${time}`, time);
  barrier();
  table.add(digestOf('late'), 'late', 5);
  table.forget(0);
  expect([cold.digests.records, table.size]).toEqual([3, 4]);
  // Into the places that became free.
  for (const time of [600, 610, 620]) table.add(digestOf(`at ${time}`), `at ${time}`, time);
  barrier();
  expect(
    log
      .entries(0)
      .map(({ time }) => time)
      .sort((a, b) => a - b),
  ).toEqual([5, 500, 510, 520, 600, 610, 620]);
});
