/**
 * State whose schema has changed: an author's function brings what an earlier version kept to the
 * version of now, in a job and in the test driver alike; what has no way is refused, and nothing is
 * lost.
 */
import { describe, expect, it } from 'vitest';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import type { Topology } from '../../../topology/index.ts';
import {
  aggregator,
  list,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
  validateTopology,
  value,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { SavepointWorld } from './savepoint-world.ts';

interface Shape {
  /** Another state, that no checkpoint has. */
  readonly fresh?: true;
  readonly version?: number;
  readonly migrate?: (old: unknown, version: number) => unknown;
}

/** A row is the text of what was made. */
const row = schemaOf<{ text: string }>({
  $id: 'row',
  type: 'object',
  properties: { text: { type: 'string' } },
});
const rowFor = (made: unknown): { text: string } => ({ text: JSON.stringify(made) });
const madeOf = ({ text }: { text: string }): unknown => JSON.parse(text) as unknown;

/** Version 1 keeps a number, a list of ids and a count; later ones keep objects. */
function flow({ version = 1, ...given }: Shape = {}): Topology {
  const wraps = version > 1;
  const migrate = given.migrate ?? ((old: unknown, from: number) => ({ is: old, from }));
  const of = wraps ? { version, migrate } : {};
  const unwrap = (kept: unknown): unknown =>
    wraps ? (kept as { is: unknown } | undefined)?.is : kept;
  const wrap = (is: unknown): unknown => (wraps ? { is, from: version } : is);
  return topology('t', { version: 1, owner: 'a/b' }, (t) => {
    const users = t
      .source('in', stream('a/b'))
      .eventTime('time', (e) => (e.data as { at: number }).at, { outOfOrderness: 0 })
      .deduplicate('once', { by: (e) => e.id, within: '1d' })
      .map((e) => ({ id: e.id, user: (e.data as { user: string }).user }))
      .keyBy(({ user }) => user);
    users
      .process('nth', {
        state: {
          n: value<unknown>(of),
          ids: list<unknown>(of),
          other: value<number>(),
          ...(given.fresh === true
            ? { fresh: value<number>({ version: 2, migrate: Number }) }
            : {}),
        },
        onElement: ({ id }, { state }) => {
          const before = state.n.get();
          const nth = Number(unwrap(before) ?? 0) + 1;
          state.n.set(wrap(nth));
          state.ids.add(wrap(id));
          state.other.set((state.other.get() ?? 0) + 1);
          const from = wraps ? ((before as { from: number } | undefined)?.from ?? null) : null;
          return [
            { id, nth, from, ids: state.ids.get().map(unwrap), other: state.other.get() ?? 0 },
          ];
        },
      })
      .map(rowFor)
      .sinkTo('rows', table('rows', row));
    users
      .window('per-minute', tumbling('1m'))
      .aggregate({
        n: aggregator<unknown, unknown, unknown>({
          create: () => wrap(0),
          add: (kept) =>
            wraps ? { ...(kept as object), is: Number(unwrap(kept)) + 1 } : Number(kept) + 1,
          merge: (a) => a,
          result: (kept) => kept,
          ...of,
        }),
      })
      .out.map(({ key, n }) => rowFor({ key, n }))
      .sinkTo('counts', table('counts', row));
  });
}

describe('a job whose state has a later version', () => {
  /** e1 to e6 in state, of users u0 to u2. */
  async function kept(): Promise<SavepointWorld> {
    const made = new SavepointWorld();
    made.send(1, 6);
    const run = await made.begin({ topology: flow() });
    await run.pass(10);
    await made.take(run, 'one');
    await run.stop();
    return made;
  }
  const madeIn = (made: SavepointWorld, name: string): readonly unknown[] =>
    (made.made.tables[name]?.visible ?? []).map((one) => madeOf(one as { text: string }));
  const rowOf = (made: SavepointWorld, id: string): unknown =>
    madeIn(made, 'rows').find((one) => (one as { id: string }).id === id);

  it.each([{}, { savepoint: 'one' }])(
    'brings every value, element and accumulator to it (%j)',
    async (from) => {
      const made = await kept();
      const next = await made.begin({ topology: flow({ version: 3 }), ...from });
      made.send(7, 8);
      await next.pass(10);
      expect(rowOf(made, 'e7')).toEqual({
        id: 'e7',
        nth: 3,
        from: 1,
        ids: ['e1', 'e4', 'e7'],
        other: 3,
      });
      // Once: what it wrote itself is of its version, after a restart too.
      await next.stop();
      const again = await made.begin({ topology: flow({ version: 3 }) });
      made.send(10, 10);
      made.send(500, 500);
      await again.pass(10);
      await again.stop();
      expect(rowOf(made, 'e10')).toMatchObject({ nth: 4, from: 3 });
      const counts = madeIn(made, 'counts');
      expect(counts).toContainEqual({ key: 'u1', n: { is: 4, from: 1 } });
      expect(counts).toContainEqual({ key: 'u0', n: { is: 2, from: 1 } });
    },
  );

  it('writes only what it migrated anew, under files of its own', async () => {
    const made = await kept();
    const before = await checkpointStore(made.blobs, 't').latest();
    const next = await made.begin({ topology: flow({ version: 2 }) });
    const fence = await checkpointStore(made.blobs, 't').latest();
    const [old, now] = [before, fence].map((one) => filesOf(one?.state?.runs ?? []));
    expect(now?.slice(0, old?.length)).toEqual(old);
    expect(now?.length).toBe((old?.length ?? 0) + 1);
    const numberOf = (of: typeof fence, node: string): number | undefined =>
      of?.state?.tables.find((one) => one.node === node)?.number;
    expect(numberOf(fence, 'once')).toBe(numberOf(before, 'once'));
    for (const node of ['nth', 'per-minute'])
      expect(numberOf(fence, node)).toBeGreaterThan(before?.state?.lastTable ?? 0);
    await next.stop();
  });

  it('writes nothing anew for a state that no checkpoint has', async () => {
    const made = await kept();
    const before = await checkpointStore(made.blobs, 't').latest();
    const next = await made.begin({ topology: flow({ fresh: true }) });
    const fence = await checkpointStore(made.blobs, 't').latest();
    expect(fence?.state?.tables).toEqual(before?.state?.tables);
    await next.stop();
  });

  it('gives a function nothing of a state that was dropped by name before', async () => {
    const made = await kept();
    const dropped = await made.begin({ topology: flow(), dropState: ['nth#ids'] });
    await dropped.pass(3);
    await dropped.stop();
    const migrate = (old: unknown): unknown => {
      if (JSON.stringify(old).includes('e4')) throw new Error('it was dropped');
      return { is: old, from: 1 };
    };
    const next = await made.begin({ topology: flow({ version: 2, migrate }) });
    made.send(7, 7);
    await next.pass(10);
    await next.stop();
    expect(rowOf(made, 'e7')).toMatchObject({ nth: 3, ids: ['e7'] });
  });

  it('of a state that is gone says that alone, whatever its version was', async () => {
    const made = await kept();
    const later = await made.begin({ topology: flow({ version: 2, fresh: true }) });
    made.send(7, 7);
    await later.pass(5);
    await later.stop();
    const gone = made.begin({ topology: flow({ version: 2 }) });
    await expect(gone).rejects.toMatchObject({
      details: { misfits: [expect.objectContaining({ option: 'state.fresh' })] },
    });
  });

  it('refuses an earlier version, and a function that throws or gives no JSON, and loses nothing', async () => {
    const made = await kept();
    const later = await made.begin({ topology: flow({ version: 2 }) });
    await later.pass(5);
    await later.stop();
    const newest = (await checkpointStore(made.blobs, 't').latest())?.checkpoint;
    await expect(made.begin({ topology: flow() })).rejects.toMatchObject({
      code: 'restore-refused',
      message: expect.stringContaining(
        "process 'nth': version of 'n' was 2, now it is 1: an earlier version cannot read what a later one kept",
      ) as string,
      fix: expect.stringContaining('--drop-state nth#n,nth#ids,per-minute#n') as string,
    });
    const throws = flow({
      version: 3,
      migrate: (old, from) => {
        if (JSON.stringify(old).includes('e4')) throw new Error(`no way from ${from}`);
        return old;
      },
    });
    await expect(made.begin({ topology: throws })).rejects.toMatchObject({
      code: 'restore-refused',
      message: expect.stringContaining(
        "process 'nth' cannot bring 'ids' of version 2 to version 3: no way from 2 (state of",
      ) as string,
      fix: expect.stringContaining('--drop-state nth#ids') as string,
    });
    const bad = flow({ version: 3, migrate: () => new Date(0) });
    await expect(made.begin({ topology: bad })).rejects.toMatchObject({
      message: expect.stringMatching(
        /cannot bring 'n' of version 2 to version 3: .*'n' .*; so are 2 other entries/,
      ) as string,
    });
    expect((await checkpointStore(made.blobs, 't').latest())?.checkpoint).toBe(newest);
    // Dropped by name, the rest of the state continues.
    const dropped = await made.begin({ topology: throws, dropState: ['nth#ids'] });
    made.send(7, 7);
    await dropped.pass(10);
    await dropped.stop();
    expect(rowOf(made, 'e7')).toMatchObject({ nth: 3, ids: ['e7'], other: 3 });
  });

  it('is restored after a kill at any call of the store meanwhile', async () => {
    for (let killAt = 1; ; killAt++) {
      const made = await kept();
      const next = await made.begin({ topology: flow({ version: 2 }) }, killAt);
      const isOver = !next.gate.isDead;
      const again = isOver ? next : await made.begin({ topology: flow({ version: 2 }) });
      next.gate.killAt = undefined;
      made.send(7, 7);
      await again.pass(10);
      await again.stop();
      expect(rowOf(made, 'e7'), `${killAt}`).toMatchObject({ nth: 3, from: 1, other: 3 });
      if (!isOver) continue;
      expect(killAt).toBeGreaterThan(15);
      return;
    }
  });
});

it('the test driver brings a snapshot to the version of now, or refuses it', async () => {
  const of = (id: string): ReturnType<typeof event> => event({ at: 1_000, user: 'ann' }, { id });
  const before = await createDriver(flow(), { now: 0 });
  await before.push('in', [of('a'), of('b')]);
  const snapshot = before.snapshot();
  const after = await createDriver(flow({ version: 2 }), { now: 0 });
  await after.restore(snapshot);
  await after.push('in', of('c'));
  expect(after.read('rows').map(({ value: one }) => madeOf(one as { text: string }))).toEqual([
    { id: 'c', nth: 3, from: 1, ids: ['a', 'b', 'c'], other: 3 },
  ]);
  await after.advanceWatermark('max');
  expect(after.read('counts').map(({ value: one }) => madeOf(one as { text: string }))).toEqual([
    { key: 'ann', n: { is: 3, from: 1 } },
  ]);
  const back = await createDriver(flow(), { now: 0 });
  await expect(back.restore(after.snapshot())).rejects.toMatchObject({ code: 'restore-refused' });
});

it('a version from 2 on needs a function, and a function a version', () => {
  const problemsOf = (given: object): readonly string[] =>
    validateTopology(
      topology('t', { version: 1, owner: 'a/b' }, (t) => {
        t.source('in', stream('a/b'))
          .eventTime('time', () => 0, { outOfOrderness: 0 })
          .keyBy((e) => e.id)
          .process('p', { state: { n: value<number>(given) }, onElement: () => [rowFor(1)] })
          .sinkTo('rows', table('rows', row));
      }),
    ).map(({ message }) => message);
  expect(problemsOf({ version: 2 })).toContain(
    "its state 'n' has version 2, and no function that brings earlier ones to it",
  );
  expect(problemsOf({ migrate: () => 0 })).toContain(
    "its state 'n' has a function that brings earlier versions to its own, which is the first",
  );
  for (const version of [0, 1.5, '2'])
    expect(problemsOf({ version, migrate: () => 0 })).toContain(
      `the version of its state 'n' must be a whole number from 1, not ${version}`,
    );
  expect(problemsOf({ version: 2, migrate: () => 0 })).toEqual([]);
  expect(problemsOf({ version: 1 })).toEqual([]);
});
