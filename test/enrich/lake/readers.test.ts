/**
 * Tables as DuckDB, pyarrow, polars and Spark read them, each as docs/guide/tables.md says, from a
 * folder and from what is in a bucket: the same rows, whatever a partition's value is, whichever
 * columns came and went, and also where a table has no rows. What is in a folder's name alone is
 * the hard part.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { queryLake } from '../../../enrich/lake/query.ts';
import { tableSink } from '../../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import type { ElementBatch, PartitionColumn, Sink } from '../../../topology/index.ts';
import { motoRig } from '../../deploy/stores/s3/support.ts';
import { runOf } from '../../runs.ts';
import { pythonMissing } from '../../servers/cache.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { LakePlace } from '../support.ts';
import { batchOf, lakeAt, temporaryFolders } from '../support.ts';
import type { FoundTables } from './four-readers.ts';
import { foundRows, readers, readTables } from './four-readers.ts';
import { teams } from './team-values.ts';

const folder = temporaryFolders('readers');
const at = Date.parse('2026-01-02T09:10:11Z');
const installMaxMs = 600_000;

const refusedTeams = ['', '__HIVE_DEFAULT_PARTITION__', 'é'.repeat(126), 'x'.repeat(251)];

const schemaOf = (
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema => ({
  $id: 'row',
  type: 'object',
  properties,
  required: [...required],
});
const text = { type: 'string' };
const everyPartition: readonly PartitionColumn[] = ['date', 'hour', 'team', 'app'];

interface Written {
  readonly table: string;
  readonly schema: JsonSchema;
  readonly rows: readonly object[];
  readonly partitionBy?: readonly PartitionColumn[];
}

let attempts = 0;

async function commit(sink: Sink, batch: ElementBatch): Promise<readonly string[]> {
  await sink.open(undefined);
  const refused = await sink.write(batch);
  await sink.prepare(1, true);
  await sink.commit(1);
  await sink.close();
  return refused.map(({ pointer }) => pointer);
}

function write(
  dir: LakePlace,
  { table, schema, rows, partitionBy = everyPartition }: Written,
  attempt: number,
): Promise<readonly string[]> {
  const options = {
    owner: { team: 'own', app: 'er' },
    topology: 't',
    run: runOf(attempt),
    fileMaxBytes: 1e9,
    fileMaxAgeMs: 0,
  };
  const sink = tableSink({
    lake: lakeAt(dir),
    table,
    schema,
    partitionBy,
    ...options,
    clock: manualClock(at),
  });
  return commit(
    sink,
    batchOf(rows, () => at),
  );
}

const values = {
  table: 'by_value',
  schema: schemaOf({ n: { type: 'integer' }, team: text }, ['n', 'team']),
  rows: teams.map((team, n) => ({ n, team })),
};
const typed = schemaOf(
  {
    n: { type: 'integer' },
    at: { type: 'string', format: 'date-time' },
    ratio: { type: 'number' },
    good: { type: 'boolean' },
    more: {},
  },
  ['n'],
);

/** Everything that the tests read, in one lake. */
async function fill(dir: LakePlace): Promise<void> {
  expect(await write(dir, values, 1)).toEqual([]);
  await write(dir, { table: 'empty', schema: typed, rows: [] }, 1);
  await write(dir, { table: 'flat', schema: typed, rows: [], partitionBy: [] }, 1);
  const row = { n: 1, at: '2026-01-02T03:04:05.678Z', ratio: 0.5, good: true, more: { x: [1] } };
  await write(dir, { table: 'types', schema: typed, rows: [row, { n: 2 }] }, 1);
  const kept = { id: text };
  const versions: readonly Omit<Written, 'table'>[] = [
    { schema: schemaOf({ ...kept, v: { type: 'integer' } }, ['v']), rows: [{ id: '1', v: 1 }] },
    {
      schema: schemaOf({ ...kept, v: { type: ['integer', 'null'] } }),
      rows: [{ id: '2', v: null }],
    },
    { schema: schemaOf(kept), rows: [{ id: '3' }] },
    {
      schema: schemaOf({ w: { type: 'boolean' }, ...kept, team: text }),
      rows: [{ id: '4', w: true, team: 'x' }],
    },
  ];
  for (const [n, version] of versions.entries())
    await write(dir, { table: 'versions', ...version }, n + 1);
  const rejected = rejectedSink({
    lake: lakeAt(dir),
    topology: 't',
    run: runOf(1),
    clock: manualClock(at),
  });
  await commit(
    rejected,
    batchOf([rejection('1', 'café'), rejection('2', 'null')], () => at),
  );
}

const rejection = (id: string, team: string): RejectedEvent => ({
  ...{
    id,
    source: '/a/b',
    type: 't',
    team,
    app: 'b',
    receivedtime: new Date(at).toISOString(),
    element: '0',
    topology: 't',
  },
  ...{
    topology_version: 1,
    operator: 'op',
    code: 'schema-violation',
    message: 'm',
    pointer: '/x',
    schema: null,
    stream: `${team}/b`,
  },
  ...{ path: 'kinesis', split: 'shard', position: '1', data: '{}', data_encoding: 'utf8' },
});

const day = { date: '2026-01-02', hour: '09' };

describe.skipIf(pythonMissing() !== undefined || javaMissing() !== undefined)(
  'a table is read alike by four readers',
  () => {
    const lake = folder();
    let found: FoundTables;

    beforeAll(async () => {
      await fill(lake);
      const tables = ['by_value', 'empty', 'flat', 'types', 'versions', 'rejected'];
      found = await readTables(lake, ...tables);
    }, installMaxMs);

    const rowsOf = (table: string, reader: string): readonly Readonly<Record<string, unknown>>[] =>
      foundRows(found, table, reader);
    const byId = (
      rows: readonly Readonly<Record<string, unknown>>[],
      id: string,
    ): readonly Readonly<Record<string, unknown>>[] =>
      [...rows].sort((a, b) => Number(a[id]) - Number(b[id]));

    it.each(readers)('%s: whatever names its partitions', (reader) => {
      expect(byId(rowsOf('by_value', reader), 'n')).toEqual(
        teams.map((team, n) => ({ n, ...day, team, app: 'er' })),
      );
    });

    it.each(readers)('%s: each type, null where a row has none', (reader) => {
      const own = { ...day, team: 'own', app: 'er' };
      expect(byId(rowsOf('types', reader), 'n')).toEqual([
        { n: 1, at: '2026-01-02T03:04:05.678Z', ratio: 0.5, good: true, more: '{"x":[1]}', ...own },
        { n: 2, at: null, ratio: null, good: null, more: null, ...own },
      ]);
    });

    it.each(readers)('%s: columns that come, go and are null', (reader) => {
      const own = { ...day, team: 'own', app: 'er' };
      expect(byId(rowsOf('versions', reader), 'id')).toEqual([
        { id: '1', v: 1, w: null, ...own },
        { id: '2', v: null, w: null, ...own },
        { id: '3', v: null, w: null, ...own },
        { id: '4', v: null, w: true, ...own, team: 'x' },
      ]);
    });

    it.each(readers)(
      '%s: a table without rows has its columns, with and without partitions, for who knows nothing else of it',
      (reader) => {
        const columns = ['at', 'good', 'more', 'n', 'ratio'];
        expect([rowsOf('empty', reader), rowsOf('flat', reader)]).toEqual([[], []]);
        expect(found['empty']?.[reader]?.columns).toEqual(
          [...columns, 'app', 'date', 'hour', 'team'].sort(),
        );
        expect(found['flat']?.[reader]?.columns).toEqual(columns);
        expect(found['by_value']?.[reader]?.columns).toEqual(['app', 'date', 'hour', 'n', 'team']);
      },
    );

    it.each(readers)('%s: the rejected table has team and app once', (reader) => {
      const rows = rowsOf('rejected', reader).map(({ id, team, app, seen, stream }) => ({
        id,
        team,
        app,
        seen,
        stream,
      }));
      expect(byId(rows, 'id')).toEqual([
        { id: '1', team: 'café', app: 'b', seen: 1, stream: 'café/b' },
        { id: '2', team: 'null', app: 'b', seen: 1, stream: 'null/b' },
      ]);
      expect(found['rejected']?.[reader]?.columns).toContain('team');
    });

    it('and so by `sluice query`', async () => {
      const { rows } = await queryLake(lake, 'SELECT n, team FROM by_value ORDER BY n');
      expect(rows).toEqual(teams.map((team, n) => [n, team]));
      expect((await queryLake(lake, 'SELECT * FROM empty')).columns).toHaveLength(9);
    });

    it('has only Parquet in its folder', () => {
      const names = readdirSync(lake, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      const inTables = names
        .map((entry) => relative(lake, join(entry.parentPath, entry.name)))
        .filter((path) => !path.startsWith('.'));
      expect(inTables.filter((path) => !path.endsWith('.parquet'))).toEqual([]);
    });
  },
);

it('a value that no folder can be named by is refused, with its place', async () => {
  const rows = refusedTeams.map((team, n) => ({ n, team }));
  expect(await write(folder(), { ...values, rows }, ++attempts)).toEqual(
    refusedTeams.map(() => '/team'),
  );
  // Null is no value: the row is its topology's.
  const lake = folder();
  const schema = schemaOf({ n: { type: 'integer' }, team: { type: ['string', 'null'] } });
  expect(
    await write(
      lake,
      { table: 'nulls', schema, rows: [{ n: 1, team: null }, { n: 2 }] },
      ++attempts,
    ),
  ).toEqual([]);
  expect((await queryLake(lake, 'SELECT n, team FROM nulls ORDER BY n')).rows).toEqual([
    [1, 'own'],
    [2, 'own'],
  ]);
});

describe.skipIf(pythonMissing() !== undefined)('in a bucket', { timeout: 120_000 }, () => {
  const rig = motoRig('readers');

  it('a table has the same files under the same names', async () => {
    const { client, place } = rig();
    await fill({ ...place, prefix: 'p/lake' });
    const [local, copy] = [folder(), folder()];
    await fill(local);
    const { Contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: place.bucket, Prefix: 'p/lake/' }),
    );
    for (const { Key = '' } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: place.bucket, Key }));
      const path = join(copy, Key.slice('p/lake/'.length));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, (await Body?.transformToByteArray()) ?? new Uint8Array());
    }
    const filesOf = (lake: string): Readonly<Record<string, string>> =>
      Object.fromEntries(
        readdirSync(lake, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .map((path) => [relative(lake, path), readFileSync(path, 'base64')]),
      );
    expect(Object.keys(filesOf(copy)).length).toBeGreaterThan(teams.length);
    expect(filesOf(copy)).toEqual(filesOf(local));
  });
});
