/**
 * Taking over: from the newest manifest, or, where a build was given up that completed nothing, from the newest that a run completed.
 */
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { manifestVersion } from '../../../topology/checkpoint/manifest.ts';
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
  counts: {},
});

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
    await store.create(manifest(2, 1, 1, { window: 'state' }));
    // A build without the window, twice.
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 2));
    await store.takeOver((attempt, checkpoint) => manifest(checkpoint, attempt, 2));
    expect(await begin(1, true)).toMatchObject({ checkpoint: 5, attempt: 4, operators: { window: 'state' } });
    expect((await store.latest())?.operators).toEqual({ window: 'state' });
  });

  it('going back goes no further than what was completed last, by whichever build', async () => {
    const { store, begin } = setUp();
    await begin(1);
    await store.create(manifest(2, 1, 1, { window: 'old' }));
    await begin(2);
    await store.create(manifest(4, 2, 2, { window: 'new' }));
    await begin(2);
    expect(await begin(1, true)).toMatchObject({ checkpoint: 6, attempt: 4, operators: { window: 'new' } });
  });

  it('going back begins with nothing where nothing was completed', async () => {
    const { begin } = setUp();
    await begin(1);
    expect(await begin(1, true)).toMatchObject({ checkpoint: 2, attempt: 2, operators: {} });
  });
});
