/**
 * The thread that writes runs does what is done without one, hands memory over, and what fails
 * outside it rejects as it failed.
 */
import { afterEach, expect, it } from 'vitest';
import { jobStateThread } from '../../../deploy/host/state-thread.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { EntryChunk } from '../../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import { ChunkWriter } from '../../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type { StateWriter } from '../../../topology/checkpoint/sorted-runs/state-writer.ts';
import { inlineStateWriter } from '../../../topology/checkpoint/sorted-runs/state-writer.ts';
import { entriesIn, memoryFiles } from '../../topology/checkpoint/sorted-runs/support.ts';

const threads: StateWriter[] = [];
const open = (): StateWriter => {
  const thread = jobStateThread().stateWriter();
  threads.push(thread);
  return thread;
};

afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.close();
});

function chunksOf(round: number): readonly EntryChunk[] {
  const writer = new ChunkWriter();
  for (let n = 0; n < 20_000; n++)
    if (n % 10 === round) writer.remove(1, n % 128, `key ${n}`);
    else writer.put(1, n % 128, `key ${n}`, n, `{"round":${round},"n":${n}}`);
  return writer.take();
}

const rules = { deadThrough: new Map([[1, 1_000]]), hiding: new Set<number>() };

/** Two runs, then both as one. */
async function played(writer: StateWriter) {
  const files = memoryFiles();
  writer.add(chunksOf(0));
  const older = { id: 'r1', files: await writer.write('state/t/r1-', files.put) };
  writer.add(chunksOf(1).slice(0, 2));
  writer.add(chunksOf(1).slice(2));
  const newer = { id: 'r2', files: await writer.write('state/t/r2-', files.put) };
  const merged = await writer.merge('state/t/r3-', [older, newer], rules, files);
  return { older, newer, merged, files };
}

it('writes and merges the same files as without a thread', async () => {
  const [inline, threaded] = [await played(inlineStateWriter()), await played(open())];
  expect(threaded.merged).toEqual(inline.merged);
  expect([threaded.older, threaded.newer]).toEqual([inline.older, inline.newer]);
  expect([...threaded.files.stored.keys()]).toEqual([...inline.files.stored.keys()]);
  const entries = await entriesIn(threaded.files, [{ id: 'r3', files: threaded.merged }]);
  expect(entries).toHaveLength(18_000 - 901);
});

it('takes the memory of chunks over, and gives that of files away', async () => {
  const thread = open();
  const chunks = chunksOf(0);
  thread.add(chunks);
  expect(chunks.map(({ bytes }) => bytes.length)).toEqual(chunks.map(() => 0));
  const files = memoryFiles();
  await thread.write('state/t/r1-', files.put);
  const [bytes] = files.stored.values();
  expect(bytes?.buffer.byteLength).toBe(bytes?.length);
});

it('a store that fails rejects as it failed, and the thread goes on with the next', async () => {
  const thread = open();
  const full = new SluiceError('disk-full', 'no room', { retryable: true });
  thread.add(chunksOf(0));
  await expect(thread.write('state/t/r1-', () => Promise.reject(full))).rejects.toBe(full);
  const { files, older } = await played(thread);
  const gone = new SluiceError('checkpoint-corrupt', 'missing');
  const get = (): Promise<Uint8Array> => Promise.reject(gone);
  await expect(thread.merge('state/t/r4-', [older], rules, { ...files, get })).rejects.toBe(gone);
  expect((await played(thread)).merged).toHaveLength(1);
});

it('a damaged file is told as one', async () => {
  const thread = open();
  const { files, older } = await played(thread);
  const get = async (name: string): Promise<Uint8Array> => (await files.get(name)).slice(1);
  const merging = thread.merge('state/t/r4-', [older], rules, { ...files, get });
  await expect(merging).rejects.toMatchObject({
    name: 'SluiceError',
    code: 'checkpoint-corrupt',
    message: expect.stringContaining('r1-'),
  });
});

it('a write goes on while a merge waits for a file', async () => {
  const thread = open();
  const { files, older, newer } = await played(thread);
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const get = (name: string): Promise<Uint8Array> => held.then(() => files.get(name));
  const merging = thread.merge('state/t/r4-', [older, newer], rules, { ...files, get });
  thread.add(chunksOf(2));
  expect(await thread.write('state/t/r5-', files.put)).toHaveLength(1);
  release?.();
  expect(await merging).toHaveLength(1);
});

it('what is under way when it is closed rejects, and so does what comes after', async () => {
  const thread = open();
  const { files, older } = await played(thread);
  const get = (): Promise<Uint8Array> => new Promise(() => undefined);
  const merging = thread.merge('state/t/r4-', [older], rules, { ...files, get });
  const rejected = expect(merging).rejects.toMatchObject({ code: 'checkpoint-failed' });
  await thread.close();
  await rejected;
  await expect(thread.write('state/t/r5-', files.put)).rejects.toMatchObject({
    code: 'checkpoint-failed',
  });
});

it('deflates what is at rest in memory, until it is closed', async () => {
  const thread = jobStateThread({ plainMaxBytes: 0 });
  const store = thread.recordStore();
  const textOf = (n: number): string => `${n}${'said again and again '.repeat(40)}`;
  const handles = Array.from({ length: 10_000 }, (_, n) => store.add(Buffer.from(textOf(n))));
  // More than a segment is raw yet, and less than two are once all that was given came back.
  expect(store.heldBytes).toBeGreaterThan(store.bytes * 0.9);
  while (store.heldBytes > 2 * mebi) await new Promise((resolve) => setImmediate(resolve));
  await thread.close();
  const later = Array.from({ length: 3_000 }, (_, n) => store.add(Buffer.from(textOf(n))));
  expect(store.heldBytes).toBeLessThan(3 * mebi);
  for (const [n, handle] of [...handles, ...later].entries())
    expect(Buffer.from(store.read(handle)).toString()).toBe(textOf(n % handles.length));
  store.close();
});

it('is given no more blocks to deflate than it takes: the others are deflated where they are written', async () => {
  const thread = jobStateThread({ plainMaxBytes: 0 });
  const store = thread.recordStore();
  const record = Buffer.from('said again and again '.repeat(400));
  for (let n = 0; n < 5_000; n++) store.add(record);
  // None of it came back yet: this turn is not over.
  expect(store.bytes).toBeGreaterThan(40 * mebi);
  expect(store.heldBytes).toBeGreaterThan(15 * mebi);
  expect(store.heldBytes).toBeLessThan(20 * mebi);
  await thread.close();
  store.close();
});
