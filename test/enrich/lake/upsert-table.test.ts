/**
 * A table by key: a window that fires again adds a row, and the sum of all rows counted its
 * elements twice. `<table>_latest` has the last row of each key, whatever was restarted in between;
 * the table itself keeps all of them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lineWriter } from '../../../enrich/firehose/row-line.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { tableSink } from '../../../enrich/parquet/table-sink.ts';
import { RowOrder } from '../../../enrich/row-order.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { runOf } from '../../runs.ts';
import { batchOf, lakeAt, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('upsert');
const schema: JsonSchema = {
  $id: 'row',
  type: 'object',
  required: ['promo', 'start', 'clicks'],
  properties: {
    promo: { type: ['string', 'null'] },
    start: { type: 'string', format: 'date-time' },
    clicks: { type: 'integer' },
    team: { type: 'string' },
  },
};
const at = Date.parse('2026-01-02T09:00:00Z');
const pane = (promo: string | null, minute: number, clicks: number, team = 'x'): object => ({
  ...{ promo, clicks, team },
  start: new Date(at + minute * 60_000).toISOString(),
});

interface Run {
  readonly attempt: number;
  readonly clockMs: number;
  readonly state?: SinkState;
  readonly upsert?: readonly string[] | undefined;
}

async function write(
  lake: string,
  batches: readonly (readonly object[])[],
  { attempt, clockMs, state, upsert }: Run,
): Promise<SinkState> {
  const options = {
    owner: { team: 'own', app: 'er' },
    topology: 't',
    run: runOf(attempt),
    fileMaxBytes: 1e9,
    fileMaxAgeMs: 0,
  };
  const clock = manualClock(clockMs);
  const sink: Sink = tableSink({
    lake: lakeAt(lake),
    table: 'ctr',
    schema,
    partitionBy: ['date', 'hour', 'team'],
    upsert,
    ...options,
    clock,
  });
  let kept = state;
  await sink.open(kept);
  for (const [n, rows] of batches.entries()) {
    expect(await sink.write(batchOf(rows, () => at))).toEqual([]);
    kept = JSON.parse(JSON.stringify(await sink.prepare(100 * attempt + n, false))) as SinkState;
    await sink.commit(100 * attempt + n);
  }
  await sink.close();
  return kept;
}

const latest = async (lake: string): Promise<readonly (readonly unknown[])[]> =>
  (
    await queryLake(
      lake,
      'SELECT promo, minute(start) AS minute, team, clicks FROM ctr_latest ORDER BY ALL NULLS FIRST',
    )
  ).rows;
const key = ['promo', 'start', 'team'];

it('shows the last row of each key, within a batch, over checkpoints, and when the clock went back over a restart', async () => {
  const lake = folder();
  const first = [
    pane('a', 0, 1),
    pane('b', 0, 1),
    pane('a', 0, 2),
    pane('a', 1, 5),
    pane(null, 0, 7),
    pane('a', 0, 9, 'y'),
  ];
  const state = await write(lake, [first, [pane('a', 0, 3), pane(null, 0, 8)]], {
    attempt: 1,
    clockMs: at,
    upsert: key,
  });
  const before = [
    [null, 0, 'x', 8],
    ['a', 0, 'x', 3],
    ['a', 0, 'y', 9],
    ['a', 1, 'x', 5],
    ['b', 0, 'x', 1],
  ];
  expect(await latest(lake)).toEqual(before);
  await write(lake, [[pane('b', 0, 2), pane('a', 1, 4)]], {
    attempt: 2,
    clockMs: at - 3_600_000,
    state,
    upsert: key,
  });
  expect(await latest(lake)).toEqual([...before.slice(0, 3), ['a', 1, 'x', 4], ['b', 0, 'x', 2]]);
  expect(
    (await queryLake(lake, 'SELECT count(*), count(DISTINCT row_order) FROM ctr')).rows,
  ).toEqual([[10, 10]]);
  expect(
    (await queryLake(lake, 'SELECT * FROM ctr_latest')).columns.map(({ name }) => name),
  ).not.toContain('row_order');
  expect(JSON.parse(readFileSync(join(lake, '.tables/ctr.json'), 'utf8'))).toMatchObject({
    upsert: { key, order: 'row_order' },
  });
});

it('a run from the start, without checkpoints, comes after what is there', async () => {
  const lake = folder();
  await write(lake, [[pane('a', 0, 1), pane('a', 0, 2)]], { attempt: 1, clockMs: at, upsert: key });
  await write(lake, [[pane('a', 0, 1)], [pane('a', 0, 3)]], {
    attempt: 1,
    clockMs: at + 60_000,
    upsert: key,
  });
  expect(await latest(lake)).toEqual([['a', 0, 'x', 3]]);
});

it('a table of rows that were only added becomes one by key, and back: its rows of before stand behind later ones', async () => {
  const lake = folder();
  await write(lake, [[pane('a', 0, 1), pane('b', 0, 1)]], { attempt: 1, clockMs: at });
  await expect(latest(lake)).rejects.toMatchObject({ code: 'query-failed' });
  await write(lake, [[pane('a', 0, 2)]], { attempt: 2, clockMs: at, upsert: key });
  expect(await latest(lake)).toEqual([
    ['a', 0, 'x', 2],
    ['b', 0, 'x', 1],
  ]);
  await write(lake, [[pane('a', 0, 3)]], { attempt: 3, clockMs: at });
  expect((await queryLake(lake, 'SELECT count(*) FROM ctr')).rows).toEqual([[4]]);
});

it('a table without rows has its view, and one that is called as the view is stays itself', async () => {
  const lake = folder();
  await write(lake, [], { attempt: 1, clockMs: at, upsert: key });
  expect(await latest(lake)).toEqual([]);
  const other = {
    owner: { team: 'own', app: 'er' },
    topology: 'u',
    run: runOf(1),
    fileMaxBytes: 1e9,
    fileMaxAgeMs: 0,
    clock: manualClock(at),
  };
  const sink = tableSink({
    lake: lakeAt(lake),
    table: 'ctr_latest',
    schema: { ...schema, properties: { id: { type: 'string' } }, required: [] },
    partitionBy: [],
    ...other,
  });
  await sink.open(undefined);
  await sink.close();
  expect(
    (await queryLake(lake, 'SELECT * FROM ctr_latest')).columns.map(({ name }) => name),
  ).toEqual(['id']);
});

it('lines by Firehose have the order as well, of a table by key alone', () => {
  const options = { schema, owner: { team: 'own', app: 'er' }, sink: 't/ctr' };
  const rows = batchOf([pane('a', 0, 1), pane('a', 0, 2)], () => at);
  const ordersOf = (order?: RowOrder): readonly unknown[] =>
    lineWriter({ ...options, order })(rows).lines.map(
      ({ line }) => (JSON.parse(line.toString()) as Record<string, unknown>)['row_order'],
    );
  expect(ordersOf(new RowOrder(manualClock(5)))).toEqual([5_000, 5_001]);
  expect(ordersOf()).toEqual([undefined, undefined]);
});
