/**
 * Taking over: from the newest manifest, or, where a build was given up that completed nothing,
 * from the newest that a run completed.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { encodeManifest, manifestVersion } from '../../../topology/checkpoint/manifest.ts';
import type { CheckpointStore } from '../../../topology/checkpoint/store.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { memoryBlobs } from '../support.ts';

const manifest = (
  checkpoint: number,
  attempt: number,
  version: number,
  operators: Manifest['operators'] = {},
): Manifest => ({
  manifestVersion,
  topology: 't',
  version,
  checkpoint,
  attempt,
  createdAtMs: 0,
  stateful: [],
  positions: {},
  operators,
  sinks: {},
  retiring: [],
  keyExamples: {},
  counts: {},
});

const create = (store: CheckpointStore, made: Manifest): Promise<void> =>
  store.create(made, encodeManifest(made));

describe('taking over', () => {
  const setUp = () => {
    const store = checkpointStore(memoryBlobs(), 't');
    const begin = (version: number, goBack = false) =>
      store.takeOver(
        seededRandom(1),
        (attempt, checkpoint, previous) =>
          manifest(checkpoint, attempt, version, previous?.operators),
        {
          goBack,
        },
      );
    return { store, begin };
  };

  it('going back passes over the beginnings of runs that completed nothing, under a number and an attempt of its own', async () => {
    const { store, begin } = setUp();
    await begin(1);
    await create(store, manifest(2, 1, 1, { window: 'state' }));
    // A build without the window, twice.
    await store.takeOver(seededRandom(1), (attempt, checkpoint) =>
      manifest(checkpoint, attempt, 2),
    );
    await store.takeOver(seededRandom(1), (attempt, checkpoint) =>
      manifest(checkpoint, attempt, 2),
    );
    expect(await begin(1, true)).toMatchObject({
      checkpoint: 5,
      attempt: 4,
      operators: { window: 'state' },
    });
    expect((await store.latest())?.operators).toEqual({ window: 'state' });
  });

  it('going back goes no further than what was completed last, by whichever build', async () => {
    const { store, begin } = setUp();
    await begin(1);
    await create(store, manifest(2, 1, 1, { window: 'old' }));
    await begin(2);
    await create(store, manifest(4, 2, 2, { window: 'new' }));
    await begin(2);
    expect(await begin(1, true)).toMatchObject({
      checkpoint: 6,
      attempt: 4,
      operators: { window: 'new' },
    });
  });

  it('going back begins with nothing where nothing was completed', async () => {
    const { begin } = setUp();
    await begin(1);
    expect(await begin(1, true)).toMatchObject({ checkpoint: 2, attempt: 2, operators: {} });
  });
});

describe('storing a checkpoint', () => {
  it('again, as the answer to an earlier try was lost, is no fence; when another run was first it is', async () => {
    const blobs = memoryBlobs();
    const store = checkpointStore(blobs, 't');
    const { attempt, lineage = '' } = await store.takeOver(seededRandom(1), (next, checkpoint) =>
      manifest(checkpoint, next, 1),
    );
    const held = { attempt, lineage };
    await create(store, { ...manifest(2, 1, 1), lineage });
    await create(store, { ...manifest(2, 1, 1), lineage });
    await store.checkFence(held);
    await checkpointStore(blobs, 't').takeOver(seededRandom(1), (next, checkpoint) =>
      manifest(checkpoint, next, 1),
    );
    await expect(create(store, { ...manifest(3, 1, 1), lineage })).rejects.toMatchObject({
      code: 'fenced',
    });
    await expect(store.checkFence(held)).rejects.toMatchObject({ code: 'fenced' });
  });
});

describe('runs whose checkpoints were removed', () => {
  const setUp = (seed: number) => {
    const blobs = memoryBlobs();
    const random = seededRandom(seed);
    const begin = (store: CheckpointStore) =>
      store.takeOver(random, (attempt, checkpoint) => manifest(checkpoint, attempt, 1));
    const remove = (): void => blobs.blobs.clear();
    const next = async (
      store: CheckpointStore,
      { attempt, lineage }: Manifest,
      checkpoint: number,
    ): Promise<void> =>
      create(store, {
        ...manifest(checkpoint, attempt, 1),
        ...(lineage === undefined ? {} : { lineage }),
      });
    return { blobs, begin, remove, next };
  };

  it('begin a lineage of their own, which is kept from then on', async () => {
    const { blobs, begin, remove, next } = setUp(1);
    const store = checkpointStore(blobs, 't');
    const first = await begin(store);
    await next(store, first, 2);
    expect((await begin(store)).lineage).toBe(first.lineage);
    remove();
    const second = await begin(store);
    expect(second).toMatchObject({
      attempt: 1,
      checkpoint: 1,
      lineage: expect.stringMatching(/^[0-9a-f]{10}$/) as string,
    });
    expect(second.lineage).not.toBe(first.lineage);
    expect((await begin(store)).lineage).toBe(second.lineage);
  });

  it.each([3, 9])(
    'end as taken over once another one has begun, whoever is ahead (checkpoint %i)',
    async (checkpoint) => {
      const { blobs, begin, remove, next } = setUp(checkpoint);
      const [older, newer] = [checkpointStore(blobs, 't'), checkpointStore(blobs, 't')];
      const late = await begin(older);
      for (let number = 2; number < checkpoint; number++) await next(older, late, number);
      remove();
      const fresh = await begin(newer);
      const fenced = {
        code: 'fenced',
        details: { topology: 't', attempt: 1, by: 1, restarted: true },
      };
      await expect(older.checkFence(late)).rejects.toMatchObject(fenced);
      await expect(next(older, late, checkpoint)).rejects.toMatchObject(fenced);
      await next(newer, fresh, 2);
      await newer.checkFence(fresh);
      expect((await newer.latest())?.lineage).toBe(fresh.lineage);
    },
  );

  it('go on where nobody else has begun', async () => {
    const { blobs, begin, remove, next } = setUp(1);
    const store = checkpointStore(blobs, 't');
    const first = await begin(store);
    remove();
    await next(store, first, 2);
    await next(store, first, 3);
    await store.checkFence(first);
    expect((await begin(store)).lineage).toBe(first.lineage);
  });

  it('of before there were lineages go on as one', async () => {
    const { blobs, begin } = setUp(1);
    const store = checkpointStore(blobs, 't');
    blobs.blobs.set('checkpoints/t/000000000007.json', encodeManifest(manifest(7, 3, 1)));
    expect(await begin(store)).toMatchObject({
      attempt: 4,
      checkpoint: 8,
      lineage: expect.any(String) as string,
    });
  });
});

describe('beginnings of runs that completed nothing', () => {
  it('do not pile up, and what a run completed last is kept among them', async () => {
    const blobs = memoryBlobs();
    const store = checkpointStore(blobs, 't');
    const begin = () =>
      store.takeOver(seededRandom(1), (attempt, checkpoint, previous) =>
        manifest(checkpoint, attempt, 1, previous?.operators),
      );
    await begin();
    await create(store, manifest(2, 1, 1, { window: 'state' }));
    for (let n = 0; n < 10; n++) {
      await begin();
      await store.pruneFences(3);
    }
    expect(
      [...blobs.blobs.keys()].map((key) => Number(/\d+/.exec(key)?.[0])).sort((a, b) => a - b),
    ).toEqual([2, 10, 11, 12]);
    expect(
      await store.takeOver(
        seededRandom(1),
        (attempt, checkpoint, previous) => manifest(checkpoint, attempt, 1, previous?.operators),
        {
          goBack: true,
        },
      ),
    ).toMatchObject({
      operators: { window: 'state' },
    });
  });
});
