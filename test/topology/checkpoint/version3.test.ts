/**
 * A checkpoint of manifest version 3, which had whole states in the manifest: the run that goes on
 * from it gives what the version that made it gave, and writes it anew.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { memoryBlobs } from '../support.ts';
import { feed, newWorld, rowsOf, runAll } from './version3-flow.ts';

const path = fileURLToPath(
  new URL('../../../../test/topology/checkpoint/version3.json', import.meta.url),
);
const { manifest, rows } = JSON.parse(readFileSync(path, 'utf8')) as {
  readonly manifest: Manifest;
  readonly rows: Readonly<Record<string, readonly unknown[]>>;
};

async function restored() {
  const blobs = memoryBlobs();
  const key = `checkpoints/t/${String(manifest.checkpoint).padStart(12, '0')}.json`;
  blobs.blobs.set(key, Buffer.from(JSON.stringify(manifest)));
  const made = newWorld();
  feed(made, 0, 40);
  return { blobs, made };
}

describe('a checkpoint of the version before', () => {
  it('has every kind of state', () => {
    expect(manifest.manifestVersion).toBe(3);
    expect(Object.keys(manifest.operators).sort()).toEqual(
      ['in-time', 'last', 'minutes', 'once', 'others-time', 'pairs', 'slides', 'visits'].sort(),
    );
    for (const name of ['last', 'minutes', 'once', 'pairs', 'slides', 'visits'])
      expect([name, (rows[name]?.length ?? 0) > 5]).toEqual([name, true]);
  });

  it('is gone on from as that version goes on', async () => {
    const { blobs, made } = await restored();
    feed(made, 40, 70);
    await runAll(made, blobs, 'drain');
    expect(rowsOf(made)).toEqual(rows);
  });

  it('is written anew before anything is read, and gone on from again', async () => {
    const { blobs, made } = await restored();
    await runAll(made, blobs, 'stop');
    const newest = await checkpointStore(blobs, 't').latest();
    expect(newest?.manifestVersion).toBe(4);
    expect(newest?.state?.tables.map(({ node, name }) => `${node} ${name}`).sort()).toEqual([
      'last keys',
      'minutes windows',
      'once firsts',
      'pairs left',
      'pairs right',
      'slides windows',
      'visits windows',
    ]);
    expect(newest?.operators['pairs']).not.toHaveProperty('keys');
    feed(made, 40, 70);
    await runAll(made, blobs, 'drain');
    expect(rowsOf(made)).toEqual(rows);
  });
});
