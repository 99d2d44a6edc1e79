/**
 * The lake's sinks against real files, read back by DuckDB: what a checkpoint publishes, and that a crash between any two steps neither loses
 * nor repeats a row.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { localBlobStore } from '../../enrich/checkpoint-store/local-blob-store.ts';
import { queryLake, renderTable, tablesOf } from '../../enrich/lake/query.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import type { Sink, SinkState } from '../../topology/index.ts';
import { blobStoreContract } from '../contract/blob-store.ts';
import { memoryBlobs } from '../topology/support.ts';
import { batchOf } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-lake-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const hourMs = 3_600_000;
const base = Date.parse('2013-01-01T10:00:00Z');

const schema: JsonSchema = {
  $id: 'https://sluice.example/test/typed',
  type: 'object',
  additionalProperties: false,
  required: ['id', 'n', 'at', 'ratio', 'good'],
  properties: {
    id: { type: 'string' },
    n: { type: 'integer' },
    at: { type: 'string', format: 'date-time' },
    ratio: { type: ['number', 'null'] },
    good: { type: 'boolean' },
    note: { type: 'string' },
    raw: { type: 'string', contentMediaType: 'application/json' },
    nested: { type: 'object' },
    team: { type: 'string' },
  },
};
const row = (n: number, more: object = {}): object => ({
  id: `id-${n}`,
  n,
  at: '2013-01-01T10:17:00.5Z',
  ratio: n / 4,
  good: n % 2 === 0,
  ...more,
});

interface TableRig {
  readonly lake: string;
  readonly clock: ReturnType<typeof manualClock>;
  sink(attempt: number): Sink;
  ids(): Promise<readonly unknown[]>;
}

function tableRig(fileMaxAgeMs: number): TableRig {
  const lake = folder();
  const clock = manualClock(0);
  return {
    lake,
    clock,
    sink: (attempt) =>
      tableSink({
        dir: lake,
        table: 'typed',
        schema,
        partitionBy: ['date', 'hour', 'team', 'app'],
        owner: { team: 'own', app: 'er' },
        topology: 't',
        attempt,
        fileMaxBytes: 1e9,
        fileMaxAgeMs,
        clock,
      }),
    ids: async () => (await queryLake(lake, 'SELECT n FROM typed ORDER BY n')).rows.map(([n]) => n),
  };
}

describe('the local blob store', () => blobStoreContract(() => localBlobStore(folder())));
describe('the memory blob store of the tests', () => {
  const unchecked = memoryBlobs();
  it('stands for the real one', async () => {
    expect(await unchecked.createIfAbsent('a', Buffer.from('1'))).toBe(true);
    expect(await unchecked.createIfAbsent('a', Buffer.from('2'))).toBe(false);
  });
});

describe('a table', () => {
  it('shows nothing before the commit and every value after it, in the folder of its hour', async () => {
    const rig = tableRig(0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    expect(await rig.ids()).toEqual([]);
    const raw = '{"big": 12345678901234567890, "x":[ 1 ]}';
    const rows = [row(1, { note: 'naïve 日本 "quoted"', raw, nested: { a: [1] }, team: 'own team/x' }), row(2, { ratio: null }), row(3)];
    expect(await sink.write(batchOf(rows, (_row, index) => base + index * hourMs))).toEqual([]);
    expect(sink.pendingRows()).toBe(3);
    await sink.prepare(1);
    expect(await rig.ids()).toEqual([]);
    await sink.commit(1);
    expect(sink.pendingRows()).toBe(0);
    await sink.close();
    const { columns, rows: found } = await queryLake(
      rig.lake,
      'SELECT id, n, "at", ratio, good, note, raw, nested, date, hour, team, app FROM typed ORDER BY n',
    );
    expect(columns.map((column) => column.type)).toEqual([
      'VARCHAR',
      'BIGINT',
      'TIMESTAMP WITH TIME ZONE',
      'DOUBLE',
      'BOOLEAN',
      'VARCHAR',
      'VARCHAR',
      'VARCHAR',
      'DATE',
      'VARCHAR',
      'VARCHAR',
      'VARCHAR',
    ]);
    expect(found).toEqual([
      ['id-1', 1, '2013-01-01T10:17:00.500Z', 0.25, false, 'naïve 日本 "quoted"', raw, '{"a":[1]}', '2013-01-01', '10', 'own team/x', 'er'],
      ['id-2', 2, '2013-01-01T10:17:00.500Z', null, true, null, null, null, '2013-01-01', '11', 'own', 'er'],
      ['id-3', 3, '2013-01-01T10:17:00.500Z', 0.75, false, null, null, null, '2013-01-01', '12', 'own', 'er'],
    ]);
    expect(readdirSync(join(rig.lake, 'typed', 'date=2013-01-01', 'hour=10'))).toEqual(['team=own%20team%2Fx']);
  });

  it('hands back what it cannot take, with the place, and takes the others', async () => {
    const rig = tableRig(0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    const rows = [row(1), { ...row(2), id: 5 }, row(2 ** 60), { n: 3 }, { ...row(4), extra: 1 }, row(5, { at: 'noon' }), 'no row', row(6)];
    const refused = await sink.write(batchOf(rows, () => base));
    expect(refused.map(({ index, pointer }) => [index, pointer])).toEqual([
      [1, '/id'],
      [2, '/n'],
      [3, '/id'],
      [4, '/extra'],
      [5, '/at'],
      [6, ''],
    ]);
    await sink.prepare(1);
    await sink.commit(1);
    expect(await rig.ids()).toEqual([1, 6]);
    await sink.close();
  });

  it('keeps a file open across checkpoints until it is old enough, also over a restart', async () => {
    const rig = tableRig(1_000);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(batchOf([row(1)], () => base));
    await first.prepare(1);
    await first.commit(1);
    rig.clock.advance(600);
    await first.write(batchOf([row(2)], () => base));
    const state = await first.prepare(2);
    await first.commit(2);
    expect([await rig.ids(), first.pendingRows()]).toEqual([[], 2]);
    await first.write(batchOf([row(3)], () => base));
    await first.close();

    const second = rig.sink(2);
    await second.open(JSON.parse(JSON.stringify(state)) as SinkState);
    expect(second.pendingRows()).toBe(2);
    await second.write(batchOf([row(3)], () => base));
    rig.clock.advance(400);
    await second.prepare(3);
    await second.commit(3);
    expect(await rig.ids()).toEqual([1, 2, 3]);
    expect(
      readdirSync(join(rig.lake, 'typed'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.parquet')),
    ).toHaveLength(1);
    await second.close();
    expect(readdirSync(join(rig.lake, '.staging', 'typed', 't'))).toEqual([]);
  });

  it.each([0, 1_000])('loses and repeats nothing when it is killed after any step (file age %i)', async (fileMaxAgeMs) => {
    for (let killAt = 0; killAt < 16; killAt++) {
      const rig = tableRig(fileMaxAgeMs);
      let state: SinkState | undefined;
      let done = 0;
      let step = 0;
      let checkpoint = 0;
      for (let attempt = 1; attempt <= 2; attempt++) {
        const killed = (): boolean => attempt === 1 && step++ === killAt;
        const sink = rig.sink(attempt);
        await sink.open(state);
        for (let n = done; ; n++) {
          if (n < 4) await sink.write(batchOf([row(n)], () => base));
          if (killed()) break;
          checkpoint++;
          const prepared = await sink.prepare(checkpoint);
          if (killed()) break;
          // The manifest exists from here on.
          state = JSON.parse(JSON.stringify(prepared)) as SinkState;
          done = Math.min(n + 1, 4);
          if (killed()) break;
          await sink.commit(checkpoint);
          if (killed()) break;
          rig.clock.advance(600);
          if (n >= 6) break;
        }
        await sink.close();
      }
      expect(await rig.ids(), `killed after step ${killAt}`).toEqual([0, 1, 2, 3]);
    }
  });
});

const rejection = (id: string, more: Partial<RejectedEvent> = {}): RejectedEvent => ({
  id,
  source: '/a/b',
  type: 't',
  team: 'a',
  app: 'b',
  receivedtime: '2026-11-23T10:00:00.000Z',
  topology: 'top',
  topology_version: 1,
  operator: 'op',
  code: 'schema-violation',
  message: 'm',
  pointer: '/x',
  schema: 's#',
  stream: 'a/b',
  path: 'kinesis',
  split: 'shard',
  position: '49650000000000000000001',
  data: '{"x":1}',
  data_encoding: 'utf8',
  ...more,
});
const rejectedBatch = (...events: readonly RejectedEvent[]): ReturnType<typeof batchOf> =>
  batchOf(events, (event) => Date.parse((event as RejectedEvent).receivedtime));

describe('the rejected table', () => {
  const clock = manualClock(Date.parse('2026-11-23T12:00:00Z'));
  const seenIn = async (lake: string): Promise<readonly unknown[]> =>
    (await queryLake(lake, 'SELECT id, operator, code, seen, first_seen, last_seen FROM rejected ORDER BY id, operator, code')).rows;

  it('has one row for an identity, however often and however much later it comes', async () => {
    const lake = folder();
    const first = rejectedSink({ dir: lake, topology: 'top', attempt: 1, clock });
    await first.open(undefined);
    await first.write(rejectedBatch(rejection('a'), rejection('b'), rejection('a'), rejection('a', { operator: 'other' })));
    let state = await first.prepare(1);
    expect(await seenIn(lake)).toEqual([]);
    await first.commit(1);
    await first.write(rejectedBatch(rejection('a', { receivedtime: '2026-11-23T11:30:00.000Z', position: '9' })));
    state = await first.prepare(2);
    await first.commit(2);
    const at = '2026-11-23T10:00:00.000Z';
    expect(await seenIn(lake)).toEqual([
      ['a', 'op', 'schema-violation', 3, at, '2026-11-23T11:30:00.000Z'],
      ['a', 'other', 'schema-violation', 1, at, at],
      ['b', 'op', 'schema-violation', 1, at, at],
    ]);
    const again = rejectedSink({ dir: lake, topology: 'top', attempt: 2, clock });
    await again.open(JSON.parse(JSON.stringify(state)) as SinkState);
    await again.write(rejectedBatch(rejection('b')));
    await again.prepare(3);
    await again.commit(3);
    expect((await seenIn(lake))[2]).toEqual(['b', 'op', 'schema-violation', 2, at, at]);
    const [full] = (
      await queryLake(lake, "SELECT data, position, pointer, schema, split, topology_version, hour FROM rejected WHERE id = 'b'")
    ).rows;
    expect(full).toEqual(['{"x":1}', '49650000000000000000001', '/x', 's#', 'shard', 1, '10']);
  });

  it('counts exactly, when it is killed after any step and the events come again', async () => {
    for (let killAt = 0; killAt < 12; killAt++) {
      const lake = folder();
      let state: SinkState | undefined;
      let done = 0;
      let step = 0;
      let checkpoint = 0;
      for (let attempt = 1; attempt <= 2; attempt++) {
        const killed = (): boolean => attempt === 1 && step++ === killAt;
        const sink = rejectedSink({ dir: lake, topology: 'top', attempt, clock });
        await sink.open(state);
        for (let n = done; n < 3; n++) {
          await sink.write(rejectedBatch(rejection('a'), rejection(`own-${n}`)));
          if (killed()) break;
          checkpoint++;
          const prepared = await sink.prepare(checkpoint);
          if (killed()) break;
          state = JSON.parse(JSON.stringify(prepared)) as SinkState;
          done = n + 1;
          if (killed()) break;
          await sink.commit(checkpoint);
          if (killed()) break;
        }
        await sink.close();
      }
      expect(
        (await seenIn(lake)).map((found) => (found as unknown[]).slice(0, 4)),
        `killed after step ${killAt}`,
      ).toEqual([
        ['a', 'op', 'schema-violation', 3],
        ['own-0', 'op', 'schema-violation', 1],
        ['own-1', 'op', 'schema-violation', 1],
        ['own-2', 'op', 'schema-violation', 1],
      ]);
    }
  });
});

describe('SQL over the lake', () => {
  it('knows tables without rows by their columns, and names the tables when it is asked for another', async () => {
    const rig = tableRig(0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.close();
    expect(tablesOf(rig.lake)).toEqual(['typed']);
    expect((await queryLake(rig.lake, 'SELECT * FROM typed')).columns.map((column) => column.name)).toEqual([
      'id',
      'n',
      'at',
      'ratio',
      'good',
      'note',
      'raw',
      'nested',
      'team',
      'date',
      'hour',
      'app',
    ]);
    await expect(queryLake(rig.lake, 'SELECT * FROM nope')).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringContaining('nope') as string,
      fix: 'tables: typed',
    });
    await expect(queryLake(folder(), 'SELECT * FROM nope')).rejects.toMatchObject({ fix: expect.stringContaining('no table') as string });
  });

  it('prints a table that a person can read', async () => {
    const result = await queryLake(folder(), "SELECT 1 AS n, 'a\nb' AS text, 9007199254740993 AS big, NULL AS none");
    expect(result.rows).toEqual([[1, 'a\nb', '9007199254740993', null]]);
    expect(renderTable(result)).toBe(
      'n  text               big  none\n-  ----  ----------------  ----\n1  a b   9007199254740993\n(1 row)\n',
    );
  });
});
