/**
 * The owner of the graph's file: opened when needed, once, and anew after a failure; calls of a
 * thread and their answers.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { GraphCall, GraphReply } from '../../../deploy/host/graph-link.ts';
import { answerCall, remoteGraph } from '../../../deploy/host/graph-link.ts';
import type { GraphOwner } from '../../../deploy/local/graph-owner.ts';
import { graphOwner } from '../../../deploy/local/graph-owner.ts';
import type { ChunkId } from '../../../enrich/graph/graph-database.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { SluiceError } from '../../../schemas/kernel/errors.ts';
import { graphModel } from '../../../topology/index.ts';
import { allCounts, runOf } from '../../runs.ts';

const numbers = graphModel({
  nodes: { Number: { key: 'n', props: { n: 'integer', square: 'integer' } } },
});
const { definition: model } = numbers;

function owned(): { readonly owner: GraphOwner; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-owner-'));
  const path = join(folder, 'graph');
  const owner = graphOwner({ path, copies: join(folder, 'copies'), clock: systemClock });
  onTestFinished(async () => {
    await owner.close();
    rmSync(folder, { recursive: true });
  });
  return { owner, path };
}

const at = (chunk: number, sink = 't/a'): ChunkId => ({
  sink,
  run: runOf(1),
  checkpoint: 1,
  chunk,
});
const count = 'MATCH (n:Number) RETURN count(*)';

it('opens the graph when it is needed, once for all, and makes none for a question', async () => {
  const { owner, path } = owned();
  await expect(owner.query(count)).rejects.toMatchObject({ code: 'graph-missing' });
  expect(existsSync(path)).toBe(false);
  const sinks = ['t/a', 't/b', 'u/c'];
  await Promise.all(
    sinks.map((sink) => owner.openSink({ sink, run: runOf(1), model, restored: allCounts })),
  );
  await Promise.all(
    sinks.map((sink, n) => owner.applyChunk(at(1, sink), [numbers.Number({ n, square: n * n })])),
  );
  expect((await owner.query(count)).rows).toEqual([[3]]);
  await owner.close();
  await expect(owner.query(count)).rejects.toMatchObject({
    code: expect.stringMatching(/graph-closed|query-failed/) as string,
  });
});

it('opens it anew after a write that failed, and has lost nothing', async () => {
  const { owner } = owned();
  await owner.openSink({ sink: 't/a', run: runOf(1), model, restored: allCounts });
  await owner.applyChunk(at(1), [numbers.Number({ n: 1 })]);
  // No sink lets such a value pass.
  const unfit = [
    numbers.Number({ n: 2 }),
    { kind: 'node', label: 'Number', props: { n: 3, square: 'nine' } },
  ] as const;
  await expect(owner.applyChunk(at(2), unfit)).rejects.toMatchObject({
    code: 'graph-write-failed',
    retryable: true,
  });
  expect((await owner.query(count)).rows).toEqual([[1]]);
  expect(await owner.applyChunk(at(1), [numbers.Number({ n: 9 })])).toBe('skipped');
  expect(await owner.applyChunk(at(2), [numbers.Number({ n: 2 })])).toBe('applied');
  expect((await owner.query(count)).rows).toEqual([[2]]);
});

it('shares its file with no other owner, also by a link to the file, until it closes', async () => {
  const { owner, path } = owned();
  await owner.openSink({ sink: 't/a', run: runOf(1), model, restored: allCounts });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-other-'));
  symlinkSync(path, join(folder, 'graph'));
  const other = graphOwner({
    path: join(folder, 'graph'),
    copies: join(folder, 'copies'),
    clock: systemClock,
  });
  onTestFinished(async () => {
    await other.close();
    rmSync(folder, { recursive: true });
  });
  // The database's own lock would be gone after this.
  closeSync(openSync(path, 'r'));
  await expect(
    other.openSink({ sink: 't/a', run: runOf(2), model, restored: allCounts }),
  ).rejects.toMatchObject({ code: 'folder-in-use' });
  await owner.close();
  expect(await other.openSink({ sink: 't/a', run: runOf(2), model, restored: allCounts })).toEqual({
    checkpoint: 0,
    chunk: 0,
  });
});

it('tries again to open what could not be opened', async () => {
  const { owner, path } = owned();
  writeFileSync(path, 'no graph'.repeat(1_000));
  await expect(
    owner.openSink({ sink: 't/a', run: runOf(1), model, restored: allCounts }),
  ).rejects.toMatchObject({
    code: 'graph-open-failed',
  });
  rmSync(path);
  expect(await owner.openSink({ sink: 't/a', run: runOf(1), model, restored: allCounts })).toEqual({
    checkpoint: 0,
    chunk: 0,
  });
});

it('answers the calls of a thread, each its own, with values and with errors as they were', async () => {
  const { owner } = owned();
  const link: {
    readonly database: ReturnType<typeof remoteGraph>['database'];
    settle(id: number, reply: GraphReply): void;
  } = remoteGraph((id: number, call: GraphCall) => {
    void answerCall(owner, structuredClone(call)).then((reply) =>
      link.settle(id, structuredClone(reply)),
    );
  });
  const { database } = link;
  expect(
    await database.openSink({ sink: 't/a', run: runOf(2), model, restored: allCounts }),
  ).toEqual({ checkpoint: 0, chunk: 0 });
  const chunks = [1, 2, 2].map((chunk) =>
    database.applyChunk({ ...at(chunk), run: runOf(2) }, [numbers.Number({ n: chunk })]),
  );
  expect(await Promise.all(chunks)).toEqual(['applied', 'applied', 'skipped']);
  const own: unknown = await owner.applyChunk(at(3), []).catch((thrown: unknown) => thrown);
  const { message, fix } = own as SluiceError;
  expect(own).toMatchObject({ details: { sink: 't/a', attempt: 1, by: 2 } });
  await expect(database.applyChunk(at(3), [])).rejects.toMatchObject({
    name: 'SluiceError',
    code: 'fenced',
    retryable: false,
    message,
    fix,
  });
});

it('writes and answers on while one question takes for ever and another one ends its process', async () => {
  const { owner } = owned();
  await owner.openSink({ sink: 't/a', run: runOf(1), model, restored: allCounts });
  const rows = Array.from({ length: 500 }, (_, n) => numbers.Number({ n, square: n * n }));
  await owner.applyChunk(at(1), rows);
  const asker = new AbortController();
  const endless = owner.query(
    'MATCH (a:Number), (b:Number), (c:Number), (d:Number) WHERE a.n * b.n = c.n + d.n RETURN count(*)',
    asker.signal,
  );
  const tooLarge = owner.query('RETURN size(range(1, 500000000))');
  for (let chunk = 2; chunk <= 40; chunk++) {
    expect(await owner.applyChunk(at(chunk), [numbers.Number({ n: 1_000 + chunk })])).toBe(
      'applied',
    );
  }
  await expect(tooLarge).rejects.toMatchObject({
    code: 'query-failed',
    message: expect.stringContaining('memory') as string,
  });
  const { rows: found, asOf } = await owner.query(count);
  expect(found).toEqual([[539]]);
  expect(Date.parse(asOf)).toBeGreaterThan(Date.now() - 60_000);
  asker.abort();
  await expect(endless).rejects.toMatchObject({
    code: 'query-failed',
    message: expect.stringContaining('cancelled') as string,
  });
});
