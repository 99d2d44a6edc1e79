/**
 * A run as files: what goes in comes out sorted, once a key, and nothing else is taken for it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import {
  ChunkWriter,
  chunkBytes,
} from '../../../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import { openFile } from '../../../../topology/checkpoint/sorted-runs/file-cursor.ts';
import { fileMaxBytes } from '../../../../topology/checkpoint/sorted-runs/file-format.ts';
import { bytesOf, entriesOf } from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { never } from '../../../../topology/state/entries.ts';
import type { ReadEntry } from './support.ts';
import { entriesIn, memoryFiles, runOf } from './support.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\u00e9', '\ud83d\ude00'), maxLength: 80 }),
  // Halves of surrogate pairs: JSON may hold them.
  fc
    .array(fc.constantFrom('\ud800', '\ud801', '\udc00', 'x'), { maxLength: 4 })
    .map((units) => units.join('')),
);

interface Change extends ReadEntry {
  readonly isRemoved: boolean;
}

const anyChange: fc.Arbitrary<Change> = fc.record({
  table: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 0, max: 127 }).map((group) => group % 5),
  key: anyText,
  time: fc.oneof(fc.integer(), fc.constantFrom(0, 0.5, never, Number.MAX_VALUE)),
  value: anyText,
  isRemoved: fc.boolean(),
});

/** The last of each key, sorted. */
function sortedOnce(changes: readonly Change[]): readonly Change[] {
  const last = new Map<string, Change>();
  for (const change of changes)
    last.set(JSON.stringify([change.table, change.group, change.key]), change);
  return [...last.values()].sort(
    (one, other) =>
      one.table - other.table || one.group - other.group || compareBytes(one.key, other.key),
  );
}

/** Of what `entry-text.ts` writes. */
function compareBytes(one: string, other: string): number {
  return Buffer.compare(bytesOfText(one), bytesOfText(other));
}

function bytesOfText(text: string): Uint8Array {
  const writer = new ChunkWriter();
  writer.remove(1, 0, text);
  return writer.take()[0]?.bytes.subarray(22) as Uint8Array;
}

describe('a run', () => {
  it('has the last entry of each key, sorted by table, group and bytes of the key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyChange, { maxLength: 80, size: 'max' }), async (changes) => {
        const files = memoryFiles();
        const run = await runOf(files, (writer) => {
          for (const { table, group, key, time, value, isRemoved } of changes)
            if (isRemoved) writer.remove(table, group, key);
            else writer.put(table, group, key, time, value);
        });
        const expected = sortedOnce(changes);
        expect(entriesOf([run])).toBe(expected.length);
        const live = expected.filter(({ isRemoved }) => !isRemoved);
        expect(await entriesIn(files, [run])).toEqual(
          live.map(({ table, group, key, time, value }) => ({ table, group, key, time, value })),
        );
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['random', (n: number) => `${(n * 7_919) % 20_011}`],
    ['with much in common', (n: number) => `["${'user'.repeat(40)}",${(n * 7_919) % 20_011}]`],
    ['each the beginning of others', (n: number) => 'a'.repeat((n * 7_919) % 503)],
    ['all the same', () => 'same'],
    [
      'of any bytes',
      (n: number) => String.fromCharCode((n * 7_919) % 256, n % 3).repeat(1 + (n % 9)),
    ],
  ])('sorts keys %s as a comparison of their bytes does', async (_, keyOf) => {
    const keys = Array.from({ length: 20_011 }, (__, n) => keyOf(n));
    const files = memoryFiles();
    const run = await runOf(files, (writer) => {
      for (const [n, key] of keys.entries()) writer.put(1, 7, key, n, String(n));
    });
    const last = new Map(keys.map((key, n) => [key, String(n)]));
    const expected = [...last].sort(([one], [other]) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    );
    const read = await entriesIn(files, [run]);
    expect(read.map(({ key, value }) => [key, value])).toEqual(expected);
  });

  it('is cut into files of at most 8 MiB, each of which says what it has', async () => {
    const files = memoryFiles();
    const digest = Buffer.alloc(16);
    const random = seededRandom(3);
    const count = 800_000;
    const run = await runOf(files, (writer) => {
      for (let n = 0; n < count; n++) {
        random.fill(digest);
        if (n % 100 === 0) writer.remove(2, n % 128, digest);
        else writer.put(1, n % 128, digest, n, '');
      }
    });
    expect(run.files.length).toBe(3);
    for (const file of run.files) {
      const bytes = files.stored.get(file.name) as Uint8Array;
      expect(bytes.length).toBe(file.bytes);
      expect(openFile(file.name, bytes).body.length).toBeLessThanOrEqual(fileMaxBytes);
    }
    const shares = run.files.flatMap(({ tables }) => tables);
    expect(shares.map(({ table }) => table)).toEqual([1, 1, 1, 2]);
    expect(shares.reduce((sum, { puts }) => sum + puts, 0)).toBe(count - count / 100);
    expect(shares.at(-1)).toEqual({ table: 2, puts: 0, removed: count / 100 });
    expect(Math.max(...shares.map(({ latest = 0 }) => Number(latest)))).toBe(count - 1);
    expect(run.files[0]?.first).toEqual([1, 0]);
    expect(run.files.at(-1)?.last).toEqual([2, 124]);
    // Digests do not get smaller: they are kept as they are.
    expect(bytesOf([run]) / count).toBeLessThan(27);
  });

  it('keeps an entry that is larger than a file in one of its own', async () => {
    const files = memoryFiles();
    const large = 'x'.repeat(fileMaxBytes + 1);
    const run = await runOf(files, (writer) => {
      writer.put(1, 0, 'a', 1, 'small');
      writer.put(1, 0, 'b', 2, large);
      writer.put(1, 0, 'c', 3, '\u00e9'.repeat(chunkBytes));
    });
    expect(run.files.map(({ tables }) => tables[0]?.puts)).toEqual([1, 1, 1]);
    const read = await entriesIn(files, [run]);
    expect(read.map(({ value }) => value.length)).toEqual([5, large.length, chunkBytes]);
    // Deflated.
    expect(bytesOf([run])).toBeLessThan(fileMaxBytes / 50);
  });

  it('gives what is live of the tables and groups that are wanted', async () => {
    const files = memoryFiles();
    const run = await runOf(files, (writer) => {
      for (let n = 0; n < 60; n++) writer.put(1 + (n % 3), n % 4, `k${n}`, n, `v${n}`);
    });
    const read = await entriesIn(files, [run], {
      deadThrough: new Map([[2, 20]]),
      hasGroup: (group) => group > 1,
    });
    const expected = Array.from({ length: 60 }, (_, n) => n)
      .filter((n) => n % 3 === 1 && n % 4 > 1 && n > 20)
      .map((n) => ({ table: 2, group: n % 4, key: `k${n}`, time: n, value: `v${n}` }));
    expect(read).toEqual(
      expected.toSorted((a, b) => a.group - b.group || (a.key < b.key ? -1 : 1)),
    );
  });
});

describe('a damaged file', () => {
  it.each(['deflated', 'as it is'])(
    'is refused, whichever byte is another one: %s',
    async (how) => {
      const files = memoryFiles();
      const random = seededRandom(5);
      const bytes = Buffer.alloc(16);
      const run = await runOf(files, (writer) => {
        for (let n = 0; n < 20; n++) {
          random.fill(bytes);
          writer.put(
            1,
            0,
            bytes.subarray(0, 16),
            n,
            how === 'deflated' ? '{"a":1}'.repeat(20) : bytes.subarray(16),
          );
        }
      });
      const [[name, whole] = ['', new Uint8Array()]] = files.stored;
      expect(run.files.map((file) => file.name)).toEqual([name]);
      expect(whole[7]).toBe(how === 'deflated' ? 1 : 0);
      expect(openFile(name, whole).body.length).toBeGreaterThan(400);
      for (let at = 0; at < whole.length; at++) {
        const other = Uint8Array.from(whole);
        other[at] = (other[at] as number) ^ (1 << (at % 8));
        expect(() => openFile(name, other)).toThrow(
          expect.objectContaining({
            code: 'checkpoint-corrupt',
            message: expect.stringContaining(name),
          }),
        );
      }
      for (const cut of [0, 1, 15, 16, whole.length - 1])
        expect(() => openFile(name, whole.subarray(0, cut))).toThrow(
          expect.objectContaining({ code: 'checkpoint-corrupt' }),
        );
      expect(whole.length).toBeGreaterThan(200);
    },
  );
});

describe('chunks', () => {
  it('say what they took, are their own memory, and are small when little is in them', () => {
    const writer = new ChunkWriter();
    writer.put(1, 0, 'key', never, 'value');
    writer.remove(1, 0, 'other');
    expect([writer.entries, writer.bytes]).toEqual([2, 22 + 3 + 5 + 22 + 5]);
    const [chunk, ...more] = writer.take();
    expect(more).toEqual([]);
    expect(chunk?.bytes.buffer.byteLength).toBe(57);
    writer.put(1, 0, 'key', never, 'value');
    expect([writer.entries, writer.bytes]).toEqual([3, 57 + 30]);
    expect(writer.take().map(({ entries }) => entries)).toEqual([1]);
    expect(writer.take()).toEqual([]);
  });

  it('a value that is too large is refused before memory is taken for it', () => {
    const writer = new ChunkWriter();
    const value = { length: 300 * 1_024 * 1_024 } as unknown as Uint8Array;
    expect(() => writer.put(7, 0, 'key', 0, value)).toThrow(
      expect.objectContaining({ code: 'state-unwritable', message: expect.stringContaining('7') }),
    );
  });
});
