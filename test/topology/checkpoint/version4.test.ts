/**
 * A checkpoint that the first version of Sluice with state in files made (manifest version 4): the
 * run that goes on from it gives what one gives that never stopped.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { memoryBlobs } from '../support.ts';
import { feed, newWorld, rowsOf, runAll } from './version3-flow.ts';

const here = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/topology/checkpoint/${name}`, import.meta.url));
const { blobs: stored } = JSON.parse(readFileSync(here('version4.json'), 'utf8')) as {
  readonly blobs: Readonly<Record<string, string>>;
};
/** Of the same events, as the version made them that made version3.json. */
const { rows } = JSON.parse(readFileSync(here('version3.json'), 'utf8')) as {
  readonly rows: Readonly<Record<string, readonly unknown[]>>;
};

describe('a checkpoint with state in files', () => {
  it('is gone on from, by its manifest and its files as they were', async () => {
    const blobs = memoryBlobs();
    for (const [key, text] of Object.entries(stored))
      blobs.blobs.set(key, Buffer.from(text, 'base64'));
    const manifest = await checkpointStore(blobs, 't').latest();
    expect(manifest?.manifestVersion).toBe(4);
    expect(Object.keys(stored).filter((key) => key.endsWith('.run')).length).toBeGreaterThan(1);
    const made = newWorld();
    feed(made, 0, 70);
    await runAll(made, blobs, 'drain');
    expect(rowsOf(made)).toEqual(rows);
  });
});
