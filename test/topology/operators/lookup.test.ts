/**
 * The asynchronous look-up by itself, over a clock that is moved by hand and answers that are given
 * by hand.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RowKind } from '../../../topology/operators/batch.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import type { LookupSnapshot } from '../../../topology/operators/lookup/lookup-snapshot.ts';
import type { LookupCall } from '../../../topology/operators/lookup/node.ts';
import { LookupOperator, waitingMaxBytes } from '../../../topology/operators/lookup/operator.ts';
import type { NodeCounts, Rejection } from '../../../topology/operators/operator.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import { saying } from '../../said.ts';

interface Call {
  readonly key: Key;
  readonly signal: AbortSignal;
  answer(value: unknown): Promise<void>;
  fail(message: string): Promise<void>;
}

interface Rig {
  readonly operator: LookupOperator;
  readonly clock: ManualClock;
  readonly calls: Call[];
  readonly counts: NodeCounts;
  readonly rejections: Rejection[];
  /** Calls under way, and the most there ever were. */
  readonly load: { now: number; most: number; wakes: number };
  /**
   * Runs rows through: a number is an element, `w5` a watermark; gives what came out in the same
   * words.
   */
  run(...rows: readonly (number | string)[]): readonly string[];
  control(...kinds: readonly (readonly [RowKind, number, unknown?])[]): readonly string[];
  wait(ms: number): Promise<void>;
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await Promise.resolve();
};

function rig(
  options: Partial<LookupCall> = {},
  own: { readonly call?: (key: Key) => Promise<unknown>; readonly random?: number } = {},
): Rig {
  const lookup: LookupCall = {
    from: 'function',
    name: 'function',
    cacheMaxEntries: 0,
    cacheTtlMs: 0,
    capacity: 64,
    timeoutMs: 5_000,
    attempts: 3,
    order: 'ordered',
    whenFailing: 'hold',
    ...options,
  };
  const clock = manualClock();
  const calls: Call[] = [];
  const counts = noCounts();
  const rejections: Rejection[] = [];
  const load = { now: 0, most: 0, wakes: 0 };
  const call = (key: Key, { signal }: { readonly signal: AbortSignal }): Promise<unknown> => {
    load.most = Math.max(load.most, ++load.now);
    const over = (): void => void load.now--;
    if (own.call !== undefined) return own.call(key).finally(over);
    return new Promise((resolve, reject) => {
      const end = (then: () => void) => async (): Promise<void> => {
        over();
        then();
        await settle();
      };
      signal.addEventListener('abort', over);
      calls.push({
        key,
        signal,
        answer: (value) => end(() => resolve(value))(),
        fail: (message) => end(() => reject(new Error(message)))(),
      });
    });
  };
  const operator = new LookupOperator(
    'enrich',
    lookup,
    {
      by: (value) => {
        if (value === 'no key') throw new Error('it has no key');
        return value;
      },
      call,
      combine: (value, found) => {
        if (found === 'poison') throw new Error('it cannot be combined');
        return `${String(value)}=${String(found)}`;
      },
    },
    counts,
    (rejection) => void rejections.push(rejection),
    {
      clock,
      random: {
        ...seededRandom(1),
        ...(own.random === undefined ? {} : { next: () => own.random as number }),
      },
      wake: () => void load.wakes++,
    },
  );
  const give = (batch: Batch): readonly string[] => {
    const out = new Batch();
    operator.poll([out]);
    if (batch.length > 0) operator.process(0, batch, [out]);
    return out.kinds.map((kind, i) =>
      kind === rowKinds.element
        ? String(out.values[i])
        : `${Object.keys(rowKinds)[kind]?.[0]}${out.timestamps[i]}`,
    );
  };
  return {
    operator,
    clock,
    calls,
    counts,
    rejections,
    load,
    run(...rows) {
      const batch = new Batch();
      for (const row of rows) {
        if (typeof row === 'string' && row.startsWith('w'))
          batch.control(rowKinds.watermark, Number(row.slice(1)));
        else batch.element(row, typeof row === 'number' ? row : 0, undefined);
      }
      return give(batch);
    },
    control(...rows) {
      const batch = new Batch();
      for (const [kind, at, value] of rows) batch.push(kind, value, at, undefined);
      return give(batch);
    },
    async wait(ms) {
      await settle();
      clock.advance(ms);
      await settle();
    },
  };
}

const underWay = async (made: Rig): Promise<readonly Key[]> => {
  await settle();
  return made.calls.map(({ key }) => key);
};

describe('what waits', () => {
  const half = 'x'.repeat(waitingMaxBytes / 4);

  it('is bounded in bytes: nothing more comes until enough of it has left', async () => {
    const made = rig();
    made.run(`1${half}`);
    expect(made.operator.isFull).toBe(false);
    made.run(`2${half}`);
    expect(made.operator.isFull).toBe(true);
    await settle();
    await made.calls[0]?.answer('a');
    expect(made.run()).toHaveLength(1);
    expect(made.operator.isFull).toBe(false);
    await made.calls[1]?.answer('b');
    expect(made.run()).toHaveLength(1);
    // Nothing of them is counted any more.
    made.run(`3${half}`);
    expect(made.operator.isFull).toBe(false);
  });

  it('counts the answers that wait for an earlier one', async () => {
    const made = rig();
    made.run(1, 2, 3);
    await settle();
    await made.calls[1]?.answer(half);
    expect(made.operator.isFull).toBe(false);
    await made.calls[2]?.answer(half);
    expect(made.operator.isFull).toBe(true);
    await made.calls[0]?.answer('a');
    expect(made.run()).toHaveLength(3);
    expect(made.operator.isFull).toBe(false);
  });

  it('counts what a restored operator has, too', () => {
    const before = rig();
    before.run(`1${half}`, `2${half}`);
    const made = rig();
    made.operator.restore(before.operator.snapshot());
    expect(made.operator.isFull).toBe(true);
  });
});

describe('order', () => {
  it('ordered: answers in any order leave in the order of the elements', async () => {
    const made = rig();
    expect(made.run(1, 2, 3)).toEqual([]);
    await settle();
    await made.calls[2]?.answer('c');
    await made.calls[1]?.answer('b');
    expect(made.run()).toEqual([]);
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', '2=b', '3=c']);
    expect(made.counts).toMatchObject({ in: 3, passed: 3 });
  });

  it('unordered: answers leave as they come, and never past a watermark', async () => {
    const made = rig({ order: 'unordered' });
    made.run(1, 2, 'w2', 3, 4);
    await settle();
    await made.calls[3]?.answer('d');
    expect(made.run()).toEqual([]);
    await made.calls[1]?.answer('b');
    expect(made.run()).toEqual(['2=b']);
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', 'w2', '4=d']);
    await made.calls[2]?.answer('c');
    expect(made.run()).toEqual(['3=c']);
  });

  it('a watermark waits behind every element before it, and leaves with the last', async () => {
    const made = rig();
    expect(made.run('w1')).toEqual(['w1']);
    expect(made.run(2, 'w2')).toEqual([]);
    expect(made.run('w3', 'w4')).toEqual([]);
    await settle();
    await made.calls[0]?.answer('b');
    expect(made.run()).toEqual(['2=b', 'w4']);
  });

  it('holds for any answers, order, capacity and batches: nothing is lost or doubled, and no watermark overtakes', async () => {
    const rows = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant('e') },
        { weight: 1, arbitrary: fc.constant('w') },
      ),
      {
        maxLength: 40,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom('ordered' as const, 'unordered' as const),
        fc.integer({ min: 1, max: 7 }),
        fc.infiniteStream(fc.nat(1_000)),
        async (kinds, order, capacity, chance) => {
          const made = rig({ order, capacity });
          const input = kinds.map((kind, i) => (kind === 'e' ? i : `w${i}`));
          const out: string[] = [];
          const next = (): number => chance.next().value as number;
          let at = 0;
          while (at < input.length || made.operator.backlog > 0) {
            const size = next() % 4;
            out.push(...made.run(...input.slice(at, at + size)));
            at += size;
            await settle();
            const open = made.calls.splice(next() % Math.max(1, made.calls.length), 1);
            await open[0]?.answer(open[0].key);
          }
          out.push(...made.run());
          expect(made.load.most).toBeLessThanOrEqual(capacity);
          const elements = out
            .filter((row) => !row.startsWith('w'))
            .map((row) => Number(row.split('=')[0]));
          const all = input.filter((row) => typeof row === 'number');
          expect(order === 'ordered' ? elements : elements.toSorted((a, b) => a - b)).toEqual(all);
          let watermark = -1;
          for (const row of out) {
            if (row.startsWith('w')) watermark = Number(row.slice(1));
            else expect(Number(row.split('=')[0])).toBeGreaterThan(watermark);
          }
          expect(watermark).toBe(
            Math.max(
              -1,
              ...input.map((row) => (typeof row === 'string' ? Number(row.slice(1)) : -1)),
            ),
          );
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('capacity', () => {
  it('at most so many are under way, and a place goes to the next at once', async () => {
    const made = rig({ capacity: 3 });
    made.run(1, 2, 3, 4, 5, 6, 7, 8);
    expect(await underWay(made)).toEqual([1, 2, 3]);
    await made.calls[1]?.answer('b');
    expect(await underWay(made)).toEqual([1, 2, 3, 4]);
    for (let i = 0; i < 8; i++) {
      await settle();
      if (i !== 1) await made.calls[i]?.answer('x');
    }
    expect(made.run()).toHaveLength(8);
    expect(made.load).toMatchObject({ now: 0, most: 3 });
  });

  it('is full with as many elements inside, also when all but the first are answered', async () => {
    const made = rig({ capacity: 3 });
    made.run(1, 2);
    expect(made.operator.isFull).toBe(false);
    await settle();
    await made.calls[1]?.answer('b');
    made.run(3);
    expect(made.operator.isFull).toBe(true);
    await settle();
    await made.calls[2]?.answer('c');
    made.run();
    expect([made.operator.isFull, made.operator.backlog]).toEqual([true, 3]);
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', '2=b', '3=c']);
    expect([made.operator.isFull, made.operator.backlog]).toEqual([false, 0]);
  });

  it('known answers behind one that hangs make it full as well', async () => {
    const made = rig({ capacity: 2, cacheMaxEntries: 10, cacheTtlMs: 1_000 });
    made.run(1);
    await settle();
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a']);
    made.run(2, 1, 1, 1);
    expect([made.operator.isFull, made.operator.backlog]).toEqual([true, 4]);
  });

  it('control that waits does not pile up with every tick', async () => {
    const made = rig();
    const { tick, watermark, idle } = rowKinds;
    made.run(1);
    for (let at = 0; at < 1_000; at++) made.control([tick, at], [watermark, at]);
    made.control([idle, 0], [tick, 2_000], [tick, 2_001]);
    expect(made.operator.snapshot().rows.map(([kind]) => kind)).toEqual([
      rowKinds.element,
      watermark,
      idle,
    ]);
    await settle();
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', 't999', 'w999', 'i0', 't2001']);
  });

  it('the clock passes what waits, and is in no snapshot', () => {
    const made = rig();
    made.run(1);
    expect(made.control([rowKinds.clock, 5], [rowKinds.watermark, 3])).toEqual(['c5']);
    expect(made.operator.snapshot().rows.map(([kind]) => kind)).toEqual([
      rowKinds.element,
      rowKinds.watermark,
    ]);
  });

  it('unordered: an answer passes a tick, and the tick waits for all that came before it', async () => {
    const made = rig({ order: 'unordered' });
    made.run(1, 2);
    made.control([rowKinds.tick, 5]);
    made.run(3, 4);
    await settle();
    await made.calls[2]?.answer('c');
    await made.calls[1]?.answer('b');
    expect(made.run()).toEqual(['2=b', '3=c']);
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', 't5']);
    await made.calls[3]?.answer('d');
    expect(made.run()).toEqual(['4=d']);
  });

  it("a watermark of one split never takes the place of another's", async () => {
    const made = rig();
    made.run(1);
    made.control(
      [rowKinds.watermark, 5, 'a'],
      [rowKinds.watermark, 9, 'b'],
      [rowKinds.watermark, 7, 'a'],
    );
    await settle();
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', 'w9', 'w7']);
  });
});

describe('failing', () => {
  it('a try that takes too long is aborted and made again; its late answer is not taken', async () => {
    const made = rig({ timeoutMs: 1_000 });
    made.run(1);
    await made.wait(999);
    expect(made.calls[0]?.signal.aborted).toBe(false);
    await made.wait(1);
    expect(made.calls[0]?.signal.aborted).toBe(true);
    expect(made.operator.calls).toBe(0);
    await made.wait(100);
    expect(made.calls).toHaveLength(2);
    await made.calls[0]?.answer('late');
    expect(made.run()).toEqual([]);
    await made.calls[1]?.answer('second');
    expect(made.run()).toEqual(['1=second']);
  });

  it('tries again after 100 ms, twice as long each time, never more than 10 s, when chance is at its largest', async () => {
    const made = rig({}, { random: 1 });
    made.run(1);
    await settle();
    const pauses: number[] = [];
    for (let tries = 1; tries <= 10; tries++) {
      await made.calls.at(-1)?.fail('no');
      let paused = 0;
      for (; made.calls.length === tries; paused += 50) await made.wait(50);
      pauses.push(paused);
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
  });

  it('hold: keeps every element and its order while all fails, says so, and goes on when it is over', async () => {
    const made = rig({ capacity: 2, timeoutMs: 3_600_000 });
    made.run(1, 2, 3, 'w3');
    for (let tries = 0; tries < 20; tries++) {
      await settle();
      for (const call of made.calls.splice(0)) await call.fail(`outage ${tries}`);
      expect(made.operator.failure).toBe(tries < 2 ? undefined : `outage ${tries}`);
      expect(made.run()).toEqual([]);
      await made.wait(10_000);
    }
    expect([made.operator.backlog, made.counts.rejected, made.rejections.length]).toEqual([
      3, 0, 0,
    ]);
    await made.calls.find(({ key }) => key === 2)?.answer('b');
    expect(made.operator.failure).toBe('outage 19');
    await made.calls.find(({ key }) => key === 1)?.answer('a');
    expect(made.operator.failure).toBeUndefined();
    await settle();
    await made.calls[2]?.answer('c');
    expect(made.run()).toEqual(['1=a', '2=b', '3=c', 'w3']);
  });

  it('reject: after the tries the element is refused with the reason, in its place, and the rest goes on', async () => {
    const made = rig({ whenFailing: 'reject', attempts: 2, capacity: 1 });
    made.run(1, 2);
    await settle();
    await made.calls[0]?.fail('first');
    await made.wait(1_000);
    await made.calls[1]?.fail('second');
    expect(made.run()).toEqual([]);
    expect(made.rejections).toMatchObject([
      {
        node: 'enrich',
        code: 'lookup-failed',
        message: saying({ numbers: [2], end: ': second' }),
        value: 1,
      },
    ]);
    await made.calls[2]?.answer('b');
    expect(made.run()).toEqual(['2=b']);
    expect(made.counts).toMatchObject({ in: 2, passed: 1, rejected: 1 });
    expect(made.operator.failure).toBeUndefined();
  });

  it('a function that throws before it gives a promise is one that failed', async () => {
    const made = rig(
      { whenFailing: 'reject', attempts: 1 },
      {
        call: () => {
          throw new Error('at once');
        },
      },
    );
    made.run(1);
    await settle();
    made.run();
    expect(made.rejections).toMatchObject([
      { code: 'lookup-failed', message: saying({ numbers: [1], end: ': at once' }) },
    ]);
  });

  it('what has no key, and what cannot be combined, is refused and asks for nothing more', async () => {
    const made = rig();
    made.run('no key', 1);
    expect(await underWay(made)).toEqual([1]);
    await made.calls[0]?.answer('poison');
    expect(made.run()).toEqual([]);
    expect(made.rejections.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'function-threw: it has no key',
      'function-threw: it cannot be combined',
    ]);
    expect(made.counts).toMatchObject({ in: 2, passed: 0, rejected: 2 });
  });

  it('closing aborts what is under way, starts nothing more and leaves no timer', async () => {
    const made = rig({ capacity: 2 });
    made.run(1, 2, 3);
    await settle();
    await made.calls[0]?.fail('no');
    made.operator.close();
    expect(made.calls[1]?.signal.aborted).toBe(true);
    await made.wait(60_000);
    expect([made.calls.length, made.operator.calls]).toEqual([2, 0]);
  });
});

describe('the cache', () => {
  const cached = { cacheMaxEntries: 2, cacheTtlMs: 1_000 };
  const ask = async (made: Rig, key: number): Promise<readonly string[]> => {
    const before = made.calls.length;
    const known = made.run(key);
    if (known.length > 0) return known;
    await settle();
    expect(made.calls.length).toBe(before + 1);
    await made.calls.at(-1)?.answer(`v${key}`);
    return made.run();
  };

  it('gives a known answer in the same turn, until it is too old', async () => {
    const made = rig(cached);
    expect(await ask(made, 1)).toEqual(['1=v1']);
    await made.wait(999);
    expect(made.run(1)).toEqual(['1=v1']);
    await made.wait(1);
    expect(made.run(1)).toEqual([]);
    expect(await underWay(made)).toEqual([1, 1]);
  });

  it('keeps so many answers, and lets go of the one used longest ago', async () => {
    const made = rig(cached);
    await ask(made, 1);
    await ask(made, 2);
    await ask(made, 1);
    await ask(made, 3);
    expect(made.run(1, 3)).toEqual(['1=v1', '3=v3']);
    expect(made.run(2)).toEqual([]);
    expect(await underWay(made)).toEqual([1, 2, 3, 2]);
  });

  it('knows that there is nothing, too', async () => {
    const made = rig(cached);
    made.run(1);
    await settle();
    await made.calls[0]?.answer(undefined);
    expect(made.run()).toEqual(['1=undefined']);
    expect(made.run(1)).toEqual(['1=undefined']);
  });

  it('a key that is being asked is not asked again: the elements share the answer, or the refusal', async () => {
    const made = rig({ ...cached, whenFailing: 'reject', attempts: 1 });
    made.run(1, 1, 2, 1, 2);
    expect(await underWay(made)).toEqual([1, 2]);
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', '1=a']);
    await made.calls[1]?.fail('no');
    expect(made.run()).toEqual(['1=a']);
    expect(made.rejections.map(({ value }) => value)).toEqual([2, 2]);
    expect(made.counts).toMatchObject({ in: 5, passed: 3, rejected: 2 });
  });

  it('without a cache every element asks for itself', async () => {
    const made = rig();
    made.run(1, 1);
    expect(await underWay(made)).toEqual([1, 1]);
  });
});

describe('snapshots', () => {
  it('hold what waits as input, answered or not, and restored they ask again: nothing is lost or doubled', async () => {
    const made = rig({ capacity: 2 });
    made.run(1, 2, 3, 'w3', 4);
    await settle();
    await made.calls[1]?.answer('b');
    await made.calls[0]?.answer('a');
    expect(made.run()).toEqual(['1=a', '2=b']);
    await settle();
    await made.calls[3]?.answer('d');
    made.run();
    const snapshot = JSON.parse(JSON.stringify(made.operator.snapshot())) as LookupSnapshot;
    expect(snapshot.rows.map(([kind, at, value]) => [kind, at, value])).toEqual([
      [rowKinds.element, 3, 3],
      [rowKinds.watermark, 3, null],
      [rowKinds.element, 4, 4],
    ]);

    const restored = rig({ capacity: 2 });
    Object.assign(restored.counts, made.counts);
    restored.operator.restore(snapshot);
    expect(restored.operator.isFull).toBe(true);
    expect(restored.run()).toEqual([]);
    expect(await underWay(restored)).toEqual([3, 4]);
    await restored.calls[1]?.answer('d');
    await restored.calls[0]?.answer('c');
    expect(restored.run()).toEqual(['3=c', 'w3', '4=d']);
    expect(restored.counts).toMatchObject({ in: 4, passed: 4, rejected: 0 });
  });

  it('a restored element that the function now refuses is counted once', () => {
    const restored = rig();
    Object.assign(restored.counts, { ...noCounts(), in: 2, passed: 1 });
    restored.operator.restore({ rows: [[rowKinds.element, 0, 'no key', null]] });
    expect(restored.counts).toMatchObject({ in: 2, passed: 1, rejected: 1 });
    expect(restored.operator.backlog).toBe(0);
  });
});
