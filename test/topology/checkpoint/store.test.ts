/**
 * Taking over: from the newest manifest, or, where a build was given up that completed nothing, from the newest that a run completed.
 */
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { encodeManifest, manifestVersion } from '../../../topology/checkpoint/manifest.ts';
import type { CheckpointStore } from '../../../topology/checkpoint/store.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { memoryBlobs } from '../support.ts';

const manifest = (checkpoint: number, attempt: number, version: number, operators: Manifest['operators'] = {}): Manifest => ({
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

const create = (store: CheckpointStore, made: Manifest): Promise<void> => store.create(made, encodeManifest(made));

describe('taking over', () => {
  const setUp = () => {
    const store = checkpointStore(memoryBlobs(), 't');
    const begin = (version: number, goBack = false) =>
      store.takeOver((attempt, checkpoint, previous) => manifest(checkpoint, attempt, version, previous?.operators), { goBack });
    return { store, begin };
  };

  it('going back passes over the beginnings of runs that completed nothing, under a number and an attempt of its own', async () => {
    const { store, begin } = setUp();
    await begin(1);
    await create(store, manifest(2, 1, 1, { window: 'state' }));
    // A build without the window, twice.
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 2));
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 2));
    expect(await begin(1, true)).toMatchObject({ checkpoint: 5, attempt: 4, operators: { window: 'state' } });
    expect((await store.latest())?.operators).toEqual({ window: 'state' });
  });

  it('going back goes no further than what was completed last, by whichever build', async () => {
    const { store, begin } = setUp();
    await begin(1);
    await create(store, manifest(2, 1, 1, { window: 'old' }));
    await begin(2);
    await create(store, manifest(4, 2, 2, { window: 'new' }));
    await begin(2);
    expect(await begin(1, true)).toMatchObject({ checkpoint: 6, attempt: 4, operators: { window: 'new' } });
  });

  it('going back begins with nothing where nothing was completed', async () => {
    const { begin } = setUp();
    await begin(1);
    expect(await begin(1, true)).toMatchObject({ checkpoint: 2, attempt: 2, operators: {} });
  });
});

describe('storing a checkpoint', () => {
  it('again, as the answer to an earlier try was lost, is no fence; when another run was first it is', async () => {
    const store = checkpointStore(memoryBlobs(), 't');
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 1));
    await create(store, manifest(2, 1, 1));
    await create(store, manifest(2, 1, 1));
    await store.checkFence({ checkpoint: 2, attempt: 1 });
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 1));
    await expect(create(store, manifest(3, 1, 1))).rejects.toMatchObject({ code: 'fenced' });
    await expect(store.checkFence({ checkpoint: 2, attempt: 1 })).rejects.toMatchObject({ code: 'fenced' });
  });
});

describe('beginnings of runs that completed nothing', () => {
  it('do not pile up, and what a run completed last is kept among them', async () => {
    const blobs = memoryBlobs();
    const store = checkpointStore(blobs, 't');
    const begin = () => store.takeOver((attempt, checkpoint, previous) => manifest(checkpoint, attempt, 1, previous?.operators));
    await begin();
    await create(store, manifest(2, 1, 1, { window: 'state' }));
    for (let n = 0; n < 10; n++) {
      await begin();
      await store.pruneFences(3);
    }
    expect([...blobs.blobs.keys()].map((key) => Number(/\d+/.exec(key)?.[0])).sort((a, b) => a - b)).toEqual([2, 10, 11, 12]);
    expect(
      await store.takeOver((attempt, checkpoint, previous) => manifest(checkpoint, attempt, 1, previous?.operators), { goBack: true }),
    ).toMatchObject({
      operators: { window: 'state' },
    });
  });
});
