/**
 * States of sinks in a checkpoint that somebody else made, or changed: each sink refuses what it did
 * not write with a sentence, and touches no file outside of what is its own.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { lakeFiles } from '../../deploy/stores/local/local-lake-files.ts';
import { firehoseSink } from '../../enrich/firehose/firehose-sink.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../schemas/kernel/clock.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { DeliveryStream } from '../../schemas/ports/delivery-stream.ts';
import type { Sink } from '../../topology/index.ts';
import { graphModel } from '../../topology/index.ts';
import { runOf } from '../runs.ts';
import { tableRig, typedRow, typedSchema } from './parquet/support.ts';
import { batchOf, filesOf, lakeAt, temporaryFolders } from './support.ts';

const folder = temporaryFolders('restored');
const clock = manualClock(1_000_000);

/** A lake with a file beside it, and in another table, that no sink of these may touch. */
function lakeWithOthers(): { readonly lake: string; readonly others: readonly string[] } {
  const lake = join(folder(), 'lake');
  const others = [
    join(lake, '..', 'outside', 'victim'),
    join(lake, 'other', 'victim.parquet'),
    join(lake, '.staging', 'other', 't', '1-0.parquet'),
    join(lake, '.staging', 'typed', 'u', '1-0.parquet'),
  ];
  for (const file of others) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'of somebody else');
  }
  return { lake, others };
}

const untouched = (others: readonly string[]): void =>
  expect(others.map((file) => existsSync(file) && readFileSync(file, 'utf8'))).toEqual(
    others.map(() => 'of somebody else'),
  );

const corrupt = (message: RegExp): unknown =>
  expect.objectContaining({
    code: 'checkpoint-corrupt',
    message: expect.stringMatching(message) as string,
  });

const staged = '.staging/typed/t/1-0.parquet';
const target = 'typed/date=2013-01-01/t-1-1.parquet';
const log = { file: '.staging/typed/t/rows-1-1.ndjson', bytes: 2, rows: 1, since: 0 };
const tableOf = (more: object): unknown => ({ staged: [], log: null, ...more });
const file = (more: object): unknown => tableOf({ staged: [{ staged, target, rows: 1, ...more }] });

const wrongForAll: readonly unknown[] = [null, 5, 'x', true, [], [null], {}, { staged: null }];
const wrongTables: readonly (readonly [string, unknown])[] = [
  ...wrongForAll.map((state) => [JSON.stringify(state), state] as const),
  ['no log', { staged: [] }],
  ['staged outside', file({ staged: '../../outside/victim' })],
  [
    'staged outside, from its folder',
    file({ staged: '.staging/typed/t/../../../../outside/victim' }),
  ],
  ['staged for another table', file({ staged: '.staging/other/t/1-0.parquet' })],
  ['staged by another topology', file({ staged: '.staging/typed/u/1-0.parquet' })],
  ['staged where tables are', file({ staged: 'other/victim.parquet' })],
  ['its folder itself', file({ staged: '.staging/typed/t' })],
  ['staged as a number', file({ staged: 5 })],
  ['a target outside', file({ target: '../outside/new.parquet' })],
  ['a target outside, from its table', file({ target: 'typed/../../outside/new.parquet' })],
  ['a target in another table', file({ target: 'other/victim.parquet' })],
  ['a target that ends early', file({ target: 'typed/a\0.parquet' })],
  ['its table as a target', file({ target: 'typed/' })],
  ['rows that are no number', file({ rows: '1' })],
  ['a log outside', tableOf({ log: { ...log, file: '../outside/victim' } })],
  ['a folder as its log', tableOf({ log: { ...log, file: '../..' } })],
  ['another table as its log', tableOf({ log: { ...log, file: 'other/victim.parquet' } })],
  ['a log of less than nothing', tableOf({ log: { ...log, bytes: -1 } })],
  [
    'a file outside that grows',
    tableOf({
      growing: {
        shape: 'x',
        files: [{ partition: '', target: '../outside/victim', rows: 1, bytes: 1, sinceMs: 0 }],
      },
    }),
  ],
  ['growing files that are none', tableOf({ growing: [] })],
  ['an order that is none', tableOf({ order: 'x' })],
];

describe('the state of a table', () => {
  it.each(wrongTables)('is refused: %s', async (_what, state) => {
    const { lake, others } = lakeWithOthers();
    const sink = tableRig(lake, 0).sink(1);
    await expect(sink.open(state)).rejects.toEqual(
      corrupt(/^the last checkpoint's state of the table 'typed' is not/),
    );
    await sink.close();
    untouched(others);
    expect(existsSync(join(lake, 'typed'))).toBe(false);
  });

  it('that the sink itself made passes, also with a log and files that grow', async () => {
    const { lake, others } = lakeWithOthers();
    const rig = tableRig(lake, 1_000);
    const first = rig.sink(1);
    await first.open(undefined);
    let state: unknown;
    for (let n = 0; n < 3; n++) {
      await first.write(batchOf([typedRow(n)], () => 0));
      state = JSON.parse(JSON.stringify(await first.prepare(n + 1, n === 1)));
      await first.commit(n + 1);
    }
    await first.close();
    expect(state).toMatchObject({ log: { rows: 1 }, growing: { files: [{ rows: 2 }] } });
    const second = rig.sink(2);
    await second.open(state);
    await second.prepare(4, true);
    await second.commit(4);
    await second.close();
    expect(await rig.numbers()).toEqual([0, 1, 2]);
    untouched(others);
  });

  it.each(wrongTables)(
    'is refused by the rows that Firehose could not take: %s',
    async (_what, state) => {
      const { lake, others } = lakeWithOthers();
      const sink = delivered(tableRig(lake, 0).sink(1));
      await expect(sink.open({ fallback: state })).rejects.toEqual(corrupt(/the table 'typed'/));
      await expect(sink.open(state)).rejects.toEqual(corrupt(/typed'/));
      await sink.close();
      untouched(others);
    },
  );
});

function delivered(fallback: Sink): Sink {
  return firehoseSink({
    connect: () =>
      ({
        describe: async () => ({ kind: 'done' }),
        close: () => undefined,
      }) as unknown as DeliveryStream,
    clock,
    random: seededRandom(1),
    schema: typedSchema,
    partitionBy: ['date'],
    owner: { team: 'own', app: 'er' },
    sink: 't/typed',
    fallback,
  });
}

it.each<readonly [string, unknown]>([
  ...wrongForAll.map((state) => [JSON.stringify(state), state] as const),
  ['a file of nothing', { staged: [null] }],
  ['staged outside', { staged: [{ staged: '../outside/victim', target: 'rejected/x.parquet' }] }],
  [
    'a target outside',
    { staged: [{ staged: '.staging/rejected/t/1-0.parquet', target: '../outside/victim' }] },
  ],
])('the state of the rejected table is refused: %s', async (_what, state) => {
  const { lake, others } = lakeWithOthers();
  const sink = rejectedSink({ lake: lakeAt(lake), topology: 't', run: runOf(1), clock });
  await expect(sink.open(state)).rejects.toEqual(corrupt(/the table 'rejected' is not/));
  await sink.close();
  untouched(others);
  expect(filesOf(lake, 'rejected')).toEqual([]);
});

const graphFile = { file: '1-0.ndjson', rows: 1, chunks: 1, checkpoint: 1, first: 1 };
it.each<readonly [string, unknown]>([
  ...wrongForAll.map((state) => [JSON.stringify(state), state] as const),
  ['no files', { applied: 1 }],
  ['a file of nothing', { applied: 1, files: [null] }],
  ['a file outside', { applied: 1, files: [{ ...graphFile, file: '../../victim' }] }],
  ['a file of another sink', { applied: 1, files: [{ ...graphFile, file: 'other/1-0.ndjson' }] }],
  ['chunks that are no number', { applied: 1, files: [{ ...graphFile, chunks: 1e300 }] }],
  ['bytes that are no number', { applied: 1, files: [{ ...graphFile, bytes: '1' }] }],
])('the state of a graph is refused: %s', async (_what, state) => {
  const model = graphModel({ nodes: { Step: { key: 'n', props: { n: 'integer' } } }, edges: {} });
  const asked: string[] = [];
  const sink = graphSink({
    database: {
      openSink: async () => {
        asked.push('open');
        return { checkpoint: 0, chunk: 0 };
      },
      applyChunk: async () => 'applied',
    },
    model: model.definition,
    staging: localBlobStore(folder()),
    folder: 'staged',
    sink: 't/graph',
    run: runOf(1),
  });
  await expect(sink.open(state)).rejects.toEqual(corrupt(/the graph sink 't\/graph' is not/));
  await sink.close();
  expect(asked).toEqual([]);
});

it('the lake of a folder refuses every path that leads out of it', async () => {
  const { lake, others } = lakeWithOthers();
  const files = lakeFiles(lake);
  const out = '../outside/victim';
  const calls: Readonly<Record<string, () => unknown>> = {
    makeFolder: () => files.makeFolder('../more'),
    read: () => files.read(out),
    exists: () => files.exists('typed/../../outside/victim'),
    names: () => files.names('..'),
    list: () => files.list('../outside'),
    columns: () => files.columns?.('../outside'),
    write: () => files.write(out, Buffer.from('x')),
    replace: () => files.replace(out, Buffer.from('x')),
    append: () => files.append(out, 0, Buffer.from('x')),
    readLog: () => files.readLog(out, 2),
    settle: () => files.settle('..'),
    staged: () => files.publish([{ staged: out, target: 'typed/x.parquet' }]),
    target: () => files.publish([{ staged: 'other/victim.parquet', target: out }]),
    remove: () => files.remove('../outside'),
    letGo: async () => files.letGo([out]),
  };
  for (const [name, call] of Object.entries(calls))
    await expect(Promise.resolve().then(call), name).rejects.toMatchObject({
      code: 'lake-path-invalid',
    });
  untouched(others);
  await files.makeFolder('');
  await files.write('other/a..b.parquet', Buffer.from('1'));
  expect(await files.list('other')).toContain('other/a..b.parquet');
});
