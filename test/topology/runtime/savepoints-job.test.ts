/**
 * Savepoints of a running job, and jobs that go back to one: what they hold, what becomes of output
 * that came after them, and that a run which is killed anywhere leaves none that is half there.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { listSavepoints, openSavepoint } from '../../../topology/checkpoint/savepoints.ts';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import type { JobOptions } from '../../../topology/index.ts';
import { deleteSavepoint } from '../../../topology/index.ts';
import { savepointWaitMaxMs } from '../../../topology/runtime/job-savepoints.ts';
import { inlineWorkers } from '../../../topology/runtime/parallel/inline-workers.ts';
import type { Run, Tables } from './savepoint-world.ts';
import { expectedOf, flowNamed, SavepointWorld, without } from './savepoint-world.ts';

/** Up to which event a savepoint has read everything. */
async function readTo(made: SavepointWorld, name: string): Promise<number> {
  const { manifest } = await openSavepoint(made.blobs, 't', name);
  return Number(manifest.positions['in']?.['kinesis shard-0']) / 2;
}

/** All that a table has once the world went back to a savepoint of `at` events, and read on. */
async function expectedAfter(
  made: SavepointWorld,
  before: Tables,
  at: number,
  last: number,
): Promise<void> {
  const [all, upTo] = [await expectedOf(last), await expectedOf(at)];
  for (const name of ['rows', 'counts'] as const) {
    // What came after the savepoint stays, and comes again: with the values of one that never
    // went back.
    const again = without(all[name], upTo[name]);
    expect(made.rows(name), name).toEqual([...before[name], ...again].sort());
  }
}

describe('a savepoint', () => {
  it('of a job under load is what a job goes back to, with the state of that moment', async () => {
    const made = new SavepointWorld();
    made.send(1, 40);
    const run = await made.begin();
    await run.pass(5);
    for (let n = 41; n <= 60; n++) {
      made.send(n, n);
      await run.pass(1);
      if (n === 50) void made.take(run, 'mid');
    }
    await run.pass(10);
    expect(await listSavepoints(made.blobs)).toMatchObject([
      { topology: 't', name: 'mid', isWhole: true },
    ]);
    await run.stop();
    const at = await readTo(made, 'mid');
    expect(at).toBeGreaterThanOrEqual(49);
    expect(at).toBeLessThan(60);
    const before = { rows: made.rows('rows'), counts: made.rows('counts') };
    expect(before).toEqual(await expectedOf(60));
    made.send(61, 70);
    const again = await made.begin({ savepoint: 'mid' });
    expect(again.job.notes[0]).toContain("it starts from the savepoint 'mid' of 1970-");
    await again.pass(20);
    await again.stop();
    await expectedAfter(made, before, at, 70);
    // The next start resumes from the last checkpoint: nothing comes again.
    const rows = made.rows('rows');
    const last = await made.begin();
    await last.pass(20);
    await last.stop();
    expect(made.rows('rows')).toEqual(rows);
  });

  it.each([
    [1, 2],
    [1, 3],
    [3, 1],
  ])('knows nothing of parallelism: taken at %i, gone back to at %i', async (first, second) => {
    const made = new SavepointWorld();
    const at = (parallelism: number): Partial<JobOptions> =>
      parallelism === 1
        ? {}
        : {
            keyedWorkers: (of) =>
              inlineWorkers(of, parallelism, { clock: manualClock(), random: seededRandom(1) }),
          };
    made.send(1, 20);
    const run = await made.begin(at(first));
    await run.pass(10);
    await made.take(run, 'kept');
    made.send(21, 30);
    await run.pass(10);
    await run.stop();
    const before = { rows: made.rows('rows'), counts: made.rows('counts') };
    expect(before).toEqual(await expectedOf(30));
    const again = await made.begin({ savepoint: 'kept', ...at(second) });
    await again.pass(20);
    await again.stop();
    await expectedAfter(made, before, 20, 30);
  });

  it('has its own files, so that nothing which becomes of checkpoints touches it', async () => {
    const made = new SavepointWorld();
    made.send(1, 20);
    const run = await made.begin();
    await run.pass(10);
    await made.take(run, 'kept');
    made.send(21, 30);
    await run.pass(10);
    await run.stop();
    const before = { rows: made.rows('rows'), counts: made.rows('counts') };
    for (const key of [...made.blobs.blobs.keys()])
      if (key.startsWith('checkpoints/')) made.blobs.blobs.delete(key);
    const again = await made.begin({ savepoint: 'kept' });
    await again.pass(20);
    await again.stop();
    await expectedAfter(made, before, 20, 30);
    const newest = await checkpointStore(made.blobs, 't').latest();
    const { manifest } = await openSavepoint(made.blobs, 't', 'kept');
    // A new line of runs, whose numbers are later than all that the state may speak of.
    expect(newest?.lineage).not.toBe(manifest.lineage);
    expect(newest?.checkpoint).toBeGreaterThan(manifest.checkpoint);
    // It may be gone, and the run has what it needs.
    await deleteSavepoint(made.blobs, 't', 'kept');
    expect([...made.blobs.blobs.keys()].filter((key) => key.startsWith('savepoints/'))).toEqual([]);
    const last = await made.begin();
    await last.pass(5);
    await last.stop();
    await expectedAfter(made, before, 20, 30);
  });

  it('asks every sink to keep nothing open, at once, whenever the next checkpoint was due', async () => {
    const made = new SavepointWorld();
    made.send(1, 10);
    const { connectors } = made.made;
    const asked: boolean[] = [];
    const run = await made.begin({
      checkpointIntervalMs: 3_600_000,
      connectors: {
        ...connectors,
        sink: (node, plan, of) => {
          const sink = connectors.sink(node, plan, of);
          const prepare = (checkpoint: number, last: boolean): Promise<unknown> => {
            asked.push(last);
            return sink.prepare(checkpoint, last);
          };
          return { ...sink, prepare };
        },
      },
    });
    await run.pass(20);
    expect(asked).toEqual([]);
    const taken = made.take(run, 'now');
    await run.pass(20);
    expect(asked).toEqual([true, true]);
    expect(await taken).toMatchObject({ name: 'now' });
    await run.stop();
    // One that is no savepoint's keeps open what it likes.
    expect(asked.slice(2)).not.toContain(true);
  });

  it('makes all output visible, and is taken of a job that has nothing new to keep', async () => {
    const made = new SavepointWorld();
    made.send(1, 10);
    const run = await made.begin();
    await run.pass(10);
    const first = await made.take(run, 'first');
    const second = await made.take(run, 'second');
    expect(second?.checkpoint).toBeGreaterThan(first?.checkpoint ?? 0);
    const { manifest } = await openSavepoint(made.blobs, 't', 'second');
    expect([manifest.sinks, manifest.retiring]).toEqual([{}, []]);
    await run.stop();
  });

  it('keeps every file until it is copied, however many checkpoints come meanwhile', async () => {
    const made = new SavepointWorld();
    made.send(1, 20);
    let hold: (() => void) | undefined;
    const store = made.blobs;
    const createIfAbsent = store.createIfAbsent.bind(store);
    store.createIfAbsent = async (key, bytes) => {
      if (key.startsWith('savepoints/') && key.endsWith('.run') && hold === undefined)
        await new Promise<void>((resolve) => {
          hold = resolve;
        });
      return createIfAbsent(key, bytes);
    };
    const run = await made.begin();
    await run.pass(10);
    const taking = made.take(run, 'slow');
    await run.pass(5);
    const numbers = async (): Promise<readonly number[]> =>
      (await checkpointStore(made.blobs, 't').all()).map(({ checkpoint }) => checkpoint);
    for (let n = 21; n <= 60; n++) {
      made.send(n, n);
      await run.pass(6);
    }
    expect((await numbers()).length).toBeGreaterThan(30);
    hold?.();
    const taken = await taking;
    const { manifest, files } = await openSavepoint(made.blobs, 't', 'slow');
    const named = filesOf(manifest.state?.runs ?? []);
    expect(taken?.files).toBe(named.length);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect((await files.get(name)).length).toBeGreaterThan(0);
    made.send(61, 61);
    await run.pass(10);
    expect((await numbers()).length).toBe(3);
    await run.stop();
  });

  it('takes the place of what a try before left, unless that is damaged', async () => {
    const made = new SavepointWorld();
    made.send(1, 10);
    const run = await made.begin();
    await run.pass(10);
    const { blobs } = made.blobs;
    blobs.set('savepoints/t/good/stray.run', Buffer.from('left'));
    await made.take(run, 'good');
    expect(blobs.has('savepoints/t/good/stray.run')).toBe(false);
    const { manifest } = await openSavepoint(made.blobs, 't', 'good');
    const [file = ''] = filesOf(manifest.state?.runs ?? []);
    blobs.set(`savepoints/t/bad/${file}`, Buffer.from('damaged'));
    await expect(made.take(run, 'bad')).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      message: `savepoints/t/bad/${file} is damaged: its SHA-256 is another one`,
    });
    expect(await listSavepoints(made.blobs)).toMatchObject([
      { name: 'bad', isWhole: false },
      { name: 'good', isWhole: true },
    ]);
    await deleteSavepoint(made.blobs, 't', 'bad');
    await run.stop();
  });

  it('is none when somebody deletes files of it while it is taken', async () => {
    const made = new SavepointWorld();
    made.send(1, 10);
    const run = await made.begin();
    await run.pass(10);
    const store = made.blobs;
    const createIfAbsent = store.createIfAbsent.bind(store);
    store.createIfAbsent = (key, bytes) => {
      if (key.endsWith('/manifest.json'))
        for (const other of [...store.blobs.keys()])
          if (other.startsWith('savepoints/t/kept/')) store.blobs.delete(other);
      return createIfAbsent(key, bytes);
    };
    await expect(made.take(run, 'kept')).rejects.toMatchObject({
      code: 'savepoint-failed',
      message: 'files in savepoints/t/kept/ were deleted while it was taken',
    });
    expect(await listSavepoints(made.blobs)).toEqual([]);
    await run.stop();
  });

  it('is none any more once its deletion has begun', async () => {
    const made = new SavepointWorld();
    made.send(1, 10);
    const run = await made.begin();
    await run.pass(10);
    await made.take(run, 'kept');
    await run.stop();
    const store = made.blobs;
    const remove = store.delete.bind(store);
    store.delete = (key) =>
      key.endsWith('.run')
        ? Promise.reject(new SluiceError('s3-failed', 'away', { retryable: true }))
        : remove(key);
    await expect(deleteSavepoint(store, 't', 'kept')).rejects.toMatchObject({ code: 's3-failed' });
    expect(await listSavepoints(store)).toMatchObject([{ name: 'kept', isWhole: false }]);
    store.delete = remove;
    await deleteSavepoint(store, 't', 'kept');
    expect(await listSavepoints(store)).toEqual([]);
  });

  it('is refused in a sentence where it cannot be taken', async () => {
    const made = new SavepointWorld();
    made.send(1, 5);
    const run = await made.begin();
    await run.pass(5);
    await expect(run.job.savepoint('../x')).rejects.toMatchObject({
      code: 'savepoint-name-invalid',
    });
    await made.take(run, 'one');
    await expect(run.job.savepoint('one')).rejects.toMatchObject({
      code: 'savepoint-exists',
      message: "'t' has a savepoint 'one' already",
    });
    const two = run.job.savepoint('two');
    await Promise.resolve();
    await Promise.resolve();
    await expect(run.job.savepoint('three')).rejects.toMatchObject({
      code: 'savepoint-failed',
      message: "the savepoint 'two' of 't' is being taken",
    });
    const ended = expect(two).rejects.toMatchObject({
      code: 'savepoint-failed',
      message: 'the topology ended before it was taken',
    });
    await run.job.close();
    await ended;
  });

  it('is none while a sink is late with what is visible of it', async () => {
    const made = new SavepointWorld();
    made.send(1, 5);
    const { connectors } = made.made;
    let isAway = true;
    const run = await made.begin({
      connectors: {
        ...connectors,
        sink: (node, plan, of) => {
          const sink = connectors.sink(node, plan, of);
          if (node.id !== 'rows') return sink;
          const staged: number[] = [];
          return {
            ...sink,
            commitsAside: true,
            prepare(checkpoint, last) {
              staged.push(checkpoint);
              return sink.prepare(checkpoint, last);
            },
            async commit(checkpoint) {
              if (isAway) throw new SluiceError('graph-unreachable', 'away', { retryable: true });
              while ((staged[0] ?? checkpoint + 1) <= checkpoint)
                await sink.commit(staged.shift() as number);
            },
          };
        },
      },
    });
    await run.pass(3);
    const never = run.job.savepoint('never');
    const refused = expect(never).rejects.toMatchObject({
      code: 'savepoint-failed',
      message:
        "no savepoint of 't' was taken within 5 min: what the sink 'rows' has staged is not visible yet",
    });
    await run.pass(20);
    expect(await listSavepoints(made.blobs)).toEqual([]);
    run.clock.advance(savepointWaitMaxMs);
    await refused;
    const taking = made.take(run, 'then');
    await run.pass(10);
    expect(await listSavepoints(made.blobs)).toEqual([]);
    isAway = false;
    expect(await taking).toMatchObject({ name: 'then', isWhole: true });
    expect(made.rows('rows')).toHaveLength(5);
    await run.stop();
  });
});

describe('a job that starts from a savepoint', () => {
  const kept = async (): Promise<SavepointWorld> => {
    const made = new SavepointWorld();
    made.send(1, 20);
    const run = await made.begin();
    await run.pass(10);
    await made.take(run, 'kept');
    made.send(21, 30);
    await run.pass(10);
    await run.stop();
    return made;
  };

  it('refuses one that is unknown, of another topology, or does not fit, and ends nobody', async () => {
    const made = await kept();
    const running = await made.begin();
    await running.pass(3);
    await expect(made.begin({ savepoint: 'nobody' })).rejects.toMatchObject({
      code: 'savepoint-unknown',
      message: "'t' has no savepoint 'nobody'",
      fix: 'use one of: t/kept',
    });
    await expect(
      made.begin({ savepoint: 'kept', topology: flowNamed('other') }),
    ).rejects.toMatchObject({ code: 'savepoint-unknown' });
    const key = 'savepoints/t/kept/manifest.json';
    const bytes = made.blobs.blobs.get(key) as Uint8Array;
    made.blobs.blobs.set('savepoints/other/kept/manifest.json', bytes);
    await expect(
      made.begin({ savepoint: 'kept', topology: flowNamed('other') }),
    ).rejects.toMatchObject({
      message: "savepoints/other/kept/manifest.json is of the topology 't', not of 'other'",
    });
    const newer = Buffer.from(bytes)
      .toString()
      .replace('"manifestVersion":4', '"manifestVersion":5');
    made.blobs.blobs.set(key, Buffer.from(newer));
    await expect(made.begin({ savepoint: 'kept' })).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      message: `${key} is not a manifest of version 4`,
    });
    const of = { topology: 't', name: 'kept', isWhole: true, takenAtMs: null };
    expect(await listSavepoints(made.blobs)).toMatchObject([
      { topology: 'other', name: 'kept', isWhole: true, problem: null },
      { ...of, problem: `${key} is not a manifest of version 4` },
    ]);
    made.send(31, 31);
    await running.pass(10);
    expect(running.end()).toBeUndefined();
    await running.stop();
    expect(running.end()).toBe('stopped');
  });

  it('names a file that is missing or damaged, and leaves the last checkpoint as it is', async () => {
    const made = await kept();
    const newest = (await checkpointStore(made.blobs, 't').latest())?.checkpoint;
    const keys = [...made.blobs.blobs.keys()].filter((key) => /^savepoints\/.*\.run$/.test(key));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const bytes = made.blobs.blobs.get(key) as Uint8Array;
      const damaged = Uint8Array.from(bytes);
      damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
      made.blobs.blobs.set(key, damaged);
      await expect(made.begin({ savepoint: 'kept' })).rejects.toMatchObject({
        code: 'checkpoint-corrupt',
        message: `${key} is damaged: its SHA-256 is another one`,
      });
      made.blobs.blobs.delete(key);
      await expect(made.begin({ savepoint: 'kept' })).rejects.toMatchObject({
        code: 'checkpoint-corrupt',
        message: `${key} is missing`,
      });
      made.blobs.blobs.set(key, bytes);
    }
    expect((await checkpointStore(made.blobs, 't').latest())?.checkpoint).toBe(newest);
  });

  it('makes visible what the run before had staged, once', async () => {
    const made = new SavepointWorld();
    made.send(1, 20);
    const { connectors } = made.made;
    let isStuck = false;
    const run = await made.begin({
      connectors: {
        ...connectors,
        sink: (node, plan, of) => {
          const sink = connectors.sink(node, plan, of);
          const commit = (checkpoint: number): Promise<void> =>
            isStuck ? new Promise<void>(() => undefined) : sink.commit(checkpoint);
          return { ...sink, commit };
        },
      },
    });
    await run.pass(10);
    await made.take(run, 'kept');
    isStuck = true;
    made.send(21, 30);
    await run.pass(10);
    run.gate.isDead = true;
    // Its manifest names them, and they are not visible.
    expect(made.rows('rows')).toEqual((await expectedOf(20)).rows);
    const back = await made.begin({ savepoint: 'kept' });
    const staged = { rows: made.rows('rows'), counts: made.rows('counts') };
    expect(staged).toEqual(await expectedOf(30));
    await back.pass(20);
    await back.stop();
    await expectedAfter(made, staged, 20, 30);
  });

  it('drops what is named of its state', async () => {
    const made = await kept();
    const before = made.rows('rows');
    const again = await made.begin({ savepoint: 'kept', dropState: ['nth'] });
    await again.pass(20);
    await again.stop();
    // Each user counts from one again; what came before is still known as sent.
    const came = without(made.rows('rows'), before).map((text) => JSON.parse(text) as object);
    expect(came).toHaveLength(10);
    expect(came).toContainEqual({ id: 'e21', nth: 1 });
    expect(came).toContainEqual({ id: 'e24', nth: 2 });
  });

  it('waits for a person where its stream no longer keeps its positions', async () => {
    const made = await kept();
    const [split] = made.input.splits;
    if (split !== undefined) split.trimmed = 44;
    const again = await made.begin({ savepoint: 'kept' });
    await again.pass(10);
    const { splits } = await again.job.status();
    expect(JSON.stringify(splits)).toContain('is no longer kept');
    const before = made.rows('rows');
    const skipped = again.job.skip({ split: 'shard-0', to: 'oldest' });
    await again.pass(10);
    expect(await skipped).toContain('shard-0');
    await again.pass(10);
    await again.stop();
    expect(without(made.rows('rows'), before).length).toBe(8);
  });

  it('is what a later build that fails at once goes back to', async () => {
    const made = await kept();
    const first = await made.begin({ savepoint: 'kept' });
    first.gate.isDead = true;
    const manifest = await checkpointStore(made.blobs, 't').latest();
    expect(manifest?.fence).toBeUndefined();
    const before = { rows: made.rows('rows'), counts: made.rows('counts') };
    const back = await made.begin({ goBack: true });
    await back.pass(20);
    await back.stop();
    await expectedAfter(made, before, 20, 30);
  });
});

describe('a run that is killed', () => {
  /** The state is in several files. */
  async function sentInParts(made: SavepointWorld): Promise<Run> {
    const run = await made.begin();
    for (let n = 1; n <= 20; n += 4) {
      made.send(n, n + 3);
      await run.pass(8);
    }
    return run;
  }

  it('at any call of its store while a savepoint is taken leaves a whole one, or none', async () => {
    let whole = 0;
    let points = 0;
    for (let killAt = 1; ; killAt++) {
      const made = new SavepointWorld();
      const run = await sentInParts(made);
      run.gate.killAt = run.gate.calls * 2 + killAt;
      const taken = await made.take(run, 'mid');
      made.send(21, 25);
      if (taken !== undefined) break;
      points++;
      const next = await made.begin();
      await next.pass(10);
      const [left] = await listSavepoints(made.blobs);
      if (left?.isWhole === true) whole++;
      else await made.take(next, 'mid');
      await next.stop();
      const all = await expectedOf(25);
      expect(made.rows('rows'), `${killAt}`).toEqual(all.rows);
      // What was left of the try is gone, but for what the savepoint names.
      const { manifest, files } = await openSavepoint(made.blobs, 't', 'mid');
      const named = filesOf(manifest.state?.runs ?? []);
      const there = [...made.blobs.blobs.keys()].filter((key) => key.startsWith('savepoints/'));
      if (left?.isWhole !== true) expect(there).toHaveLength(named.length + 1);
      for (const name of named) await files.get(name);
      const before = { rows: made.rows('rows'), counts: made.rows('counts') };
      const at = await readTo(made, 'mid');
      const back = await made.begin({ savepoint: 'mid' });
      await back.pass(20);
      await back.stop();
      await expectedAfter(made, before, at, 25);
    }
    expect(whole).toBeGreaterThan(0);
    expect(points - whole).toBeGreaterThan(20);
  });

  it.each([true, false])(
    'at any call while one is restored starts again to the same output (told again: %s)',
    async (again) => {
      for (let killAt = 1; ; killAt++) {
        const made = new SavepointWorld();
        const run = await sentInParts(made);
        await made.take(run, 'mid');
        made.send(21, 25);
        await run.pass(8);
        await run.stop();
        const before = { rows: made.rows('rows'), counts: made.rows('counts') };
        const back = await made.begin({ savepoint: 'mid' }, killAt);
        const hasBegun = !back.gate.isDead;
        await back.pass(8);
        if (!back.gate.isDead) {
          await back.stop();
          expect(killAt).toBeGreaterThan(40);
          return;
        }
        // The host tells it again until it has begun; a manifest of its own says the same.
        const newest = await checkpointStore(made.blobs, 't').latest();
        const isBack = hasBegun || newest?.positions['in']?.['kinesis shard-0'] === '40';
        const isTold = !isBack || (again && !hasBegun);
        const next = await made.begin(isTold ? { savepoint: 'mid' } : {});
        await next.pass(20);
        await next.stop();
        await expectedAfter(made, before, 20, 25);
      }
    },
  );
});
