/**
 * The files of runs on a store, and who may delete which.
 */
import { describe, expect, it } from 'vitest';
import { FileUse } from '../../../../topology/checkpoint/sorted-runs/file-use.ts';
import { StateFiles } from '../../../../topology/checkpoint/sorted-runs/state-files.ts';
import { memoryBlobs } from '../../support.ts';
import { memoryFiles, runOf } from './support.ts';

const lineage = '0123456789';
const idOf = (attempt: number, of = lineage, id = 'abcdef') => ({ attempt, lineage: of, id });
const folder = 'checkpoints/t/0-state/';
const sha = '5'.repeat(64);

describe('files on a store', () => {
  it('have names that no other run has, and that this one uses once', () => {
    const names = [idOf(1), idOf(2), idOf(1, '9876543210'), idOf(1, lineage, 'fedcba')].flatMap(
      (run) => {
        const store = new StateFiles(memoryBlobs(), 't', run);
        return [store.name(), store.name()];
      },
    );
    expect(new Set(names.map(({ id }) => id)).size).toBe(8);
    expect(names[0]).toEqual({
      id: `1-${lineage}abcdef-1`,
      prefix: `${folder}1-${lineage}abcdef-1-`,
    });
  });

  it('can be stored again, and one that is missing is told by its name', async () => {
    const store = new StateFiles(memoryBlobs(), 't', idOf(1));
    const files = memoryFiles();
    const run = await runOf(files, (writer) => writer.put(1, 0, 'key', 1, 'value'));
    const [file] = run.files;
    if (file === undefined) throw new Error('a run of one entry has a file');
    const made = { file, bytes: Uint8Array.from(await files.get(file.name)) };
    await store.put(made);
    await store.put(made);
    expect(await store.get(file.name)).toEqual(made.bytes);
    await store.delete([file.name]);
    await expect(store.get(file.name)).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      details: { file: file.name },
    });
  });

  it('of earlier attempts of the lineage are swept where no manifest names them, and no others', async () => {
    const blobs = memoryBlobs();
    const of = (run: string): string => `${folder}${run}-1-${sha}.run`;
    const [named, past] = [of(`2-${lineage}abcdef`), of(`2-${lineage}fedcba`)];
    const left = [
      named,
      of(`3-${lineage}abcdef`),
      of(`3-${lineage}fedcba`),
      of(`4-${lineage}abcdef`),
      of('1-9876543210abcdef'),
      `${folder}2-${lineage}abcdef-1.run`,
      'checkpoints/t/000000000001.json',
      `checkpoints/other/0-state/1-${lineage}abcdef-1-${sha}.run`,
    ];
    for (const key of [past, ...left]) blobs.blobs.set(key, new Uint8Array());
    const store = new StateFiles(blobs, 't', idOf(3));
    // Another run has taken over, or there is nothing.
    for (const newest of [idOf(4), idOf(3, '9876543210'), undefined]) {
      await store.sweep(newest, new Set([named]));
      expect(blobs.blobs.has(past)).toBe(true);
    }
    await store.sweep(idOf(3), new Set([named]));
    expect([...blobs.blobs.keys()]).toEqual(left);
  });
});

describe('files in use', () => {
  it('are those of a manifest that came while old ones were removed', () => {
    const use = new FileUse();
    for (const [checkpoint, file] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ] as const) {
      use.written(file);
      use.named(checkpoint, [file]);
    }
    // Listed before the third was created.
    expect(use.takeFree([2])).toEqual(['a']);
    expect(use.inUse).toEqual(new Set(['b', 'c']));
    expect(use.takeFree([3])).toEqual(['b']);
  });

  it('are free once no manifest that is kept names them, each once', () => {
    const use = new FileUse();
    use.written('a');
    use.named(1, ['a']);
    use.written('b');
    use.named(2, ['a', 'b']);
    use.named(3, ['b']);
    expect(use.takeFree([1, 2, 3])).toEqual([]);
    expect(use.takeFree([2, 3])).toEqual([]);
    expect(use.takeFree([3])).toEqual(['a']);
    expect(use.takeFree([3])).toEqual([]);
    expect(use.inUse).toEqual(new Set(['b']));
  });

  it('are not free before a manifest names them, unless they are for nothing', () => {
    const use = new FileUse();
    use.named(1, []);
    for (const name of ['a', 'b']) use.written(name);
    expect(use.takeFree([1])).toEqual([]);
    use.dropped(['a']);
    expect(use.takeFree([1])).toEqual(['a']);
  });

  it('are not free while there is a manifest that nobody here made', () => {
    const use = new FileUse();
    use.named(1, ['a']);
    use.named(2, []);
    expect(use.takeFree([2, 3])).toEqual([]);
    use.named(3, []);
    expect(use.takeFree([2, 3])).toEqual(['a']);
  });
});
