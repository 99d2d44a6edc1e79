/**
 * Tables against real files: what a checkpoint publishes and where, what is refused, what stays
 * open, and what a damaged or changed lake does.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { queryLake } from '../../../enrich/lake/query.ts';
import { sinkPendingMaxBytes, tableSink } from '../../../enrich/parquet/table-sink.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import { runName } from '../../../schemas/run-id.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { sinkContract } from '../../contract/sink.ts';
import { runOf } from '../../runs.ts';
import { batchOf, filesOf, lakeAt, rowsOf, temporaryFolders } from '../support.ts';
import { base, tableRig, typedRow, typedSchema } from './support.ts';

/** As files have it. */
const run = runName(runOf(1));

const folder = temporaryFolders('table');
const hourMs = 3_600_000;
const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;

async function checkpoint(sink: Sink, number: number): Promise<SinkState> {
  const state = stored(await sink.prepare(number, false));
  await sink.commit(number);
  return state;
}

/** Elements in two partitions, so that a checkpoint has several files. */
const contractRig = (fileMaxAgeMs: number, fileMaxBytes?: number) => () => {
  const rig = tableRig(folder(), fileMaxAgeMs, fileMaxBytes);
  return {
    sink: (attempt: number) => rig.sink(attempt),
    batch: (n: number) => batchOf([typedRow(n)], () => base + (n % 2) * hourMs),
    visible: () => rig.numbers(),
    wait: () => rig.clock.advance(600),
  };
};

sinkContract('a table that publishes at every checkpoint', {
  make: contractRig(0),
  checkpointsMax: 1,
  runs: 6,
});
sinkContract('a table whose files stay open', {
  make: contractRig(2_000),
  checkpointsMax: 5,
  runs: 6,
});
sinkContract('a table whose files are full after two rows', {
  make: contractRig(1_000, 100),
  checkpointsMax: 3,
  runs: 6,
});

describe('a table', () => {
  it('gives no two files one name to a disk that does not see case, or how an accent is written', async () => {
    const teams = ['Plain', 'plain', 'PLAIN', 'caf\u00e9', 'cafe\u0301', 'other'];
    const rows = (n: number) =>
      batchOf(
        teams.map((team, at) => typedRow(n + at, { team })),
        () => base,
      );
    const foldersOf = (lake: string): ReadonlySet<string> =>
      new Set(filesOf(lake, 'typed').map((name) => name.normalize('NFC').toLowerCase()));
    // Published by each checkpoint, and of rows that another schema finds open.
    for (const ageMs of [0, 1e9]) {
      const rig = tableRig(folder(), ageMs);
      const sink = rig.sink(1);
      await sink.open(undefined);
      let state: SinkState;
      for (const n of [1, 2]) {
        await sink.write(rows(n * 100));
        state = await checkpoint(sink, n);
      }
      await sink.close();
      const next = rig.sink(2, {
        ...typedSchema,
        properties: { ...(typedSchema['properties'] as object), more: { type: 'string' } },
      });
      await next.open(state);
      await next.close();
      expect(foldersOf(rig.lake).size).toBe(filesOf(rig.lake, 'typed').length);
      expect(await rig.numbers()).toHaveLength(2 * teams.length);
    }
  });

  it('holds every value in its type, in the folder of its hour, as SQL reads it', async () => {
    const rig = tableRig(folder(), 0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    const raw = '{"big": 12345678901234567890, "x":[ 1 ]}';
    const rows = [
      typedRow(1, { note: 'naïve 日本 "quoted"', raw, nested: { a: [1] }, team: "own team/x*'" }),
      typedRow(-(2 ** 53) + 1, { ratio: null, note: '' }),
      typedRow(3, { at: '2013-01-01T12:17:00.123456+02:00' }),
    ];
    expect(await sink.write(batchOf(rows, (_row, index) => base + index * hourMs))).toEqual([]);
    await checkpoint(sink, 1);
    await sink.close();
    const { columns, rows: found } = await queryLake(
      rig.lake,
      'SELECT id, n, "at", ratio, good, note, raw, nested, date, hour, team, app FROM typed ORDER BY hour',
    );
    const types =
      'VARCHAR BIGINT TIMESTAMP_TZ DOUBLE BOOLEAN VARCHAR VARCHAR VARCHAR DATE VARCHAR VARCHAR VARCHAR';
    expect(
      columns
        .map((column) => column.type.replace('TIMESTAMP WITH TIME ZONE', 'TIMESTAMP_TZ'))
        .join(' '),
    ).toBe(types);
    const [date, at] = ['2013-01-01', '2013-01-01T10:17:00.500Z'];
    expect(found).toEqual([
      [
        'id-1',
        1,
        at,
        0.25,
        false,
        'naïve 日本 "quoted"',
        raw,
        '{"a":[1]}',
        date,
        '10',
        "own team/x*'",
        'er',
      ],
      [
        'id--9007199254740991',
        -9007199254740991,
        at,
        null,
        false,
        '',
        null,
        null,
        date,
        '11',
        'own',
        'er',
      ],
      [
        'id-3',
        3,
        '2013-01-01T10:17:00.123Z',
        0.75,
        false,
        null,
        null,
        null,
        date,
        '12',
        'own',
        'er',
      ],
    ]);
    expect(filesOf(rig.lake, 'typed')).toEqual([
      `date=2013-01-01/hour=10/team=own%20team%2Fx%2A%27/app=er/t-1-${run}.parquet`,
      `date=2013-01-01/hour=11/team=own/app=er/t-1-${run}.parquet`,
      `date=2013-01-01/hour=12/team=own/app=er/t-1-${run}.parquet`,
    ]);
  });

  it('hands back what it cannot take, with the place, and takes the others', async () => {
    const rig = tableRig(folder(), 0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    const rows: readonly (readonly [
      row: unknown,
      pointer: string | undefined,
      timestamp?: number,
    ])[] = [
      [typedRow(1), undefined],
      [{ ...typedRow(2), id: 5 }, '/id'],
      [typedRow(2 ** 60), '/n'],
      [typedRow(0.5), '/n'],
      [{ n: 3 }, '/id'],
      [{ ...typedRow(4), extra: 1 }, '/extra'],
      [typedRow(5, { at: 'noon' }), '/at'],
      [typedRow(5, { at: '2016-12-30T23:59:60Z' }), '/at'],
      [typedRow(5, { at: '2016-12-31 23:59:59Z' }), '/at'],
      [typedRow(5, { note: 'half \ud83d' }), '/note'],
      [typedRow(5, { team: 't'.repeat(300) }), '/team'],
      [typedRow(5, { team: 'half \ud83d' }), '/team'],
      ['no row', ''],
      [null, ''],
      [typedRow(6), '', Number.NaN],
      [typedRow(6), '', 8.64e15],
      [typedRow(6), '', Number.MAX_SAFE_INTEGER],
      [typedRow(7), undefined],
      [typedRow(8, { at: '2016-12-31t23:59:60z' }), undefined],
    ];
    const batch = batchOf(
      rows.map(([row]) => row),
      (_row, index) => rows[index]?.[2] ?? base,
    );
    const refused = await sink.write(batch);
    expect(refused.map(({ index, pointer }) => [index, pointer])).toEqual(
      rows.flatMap(([, pointer], index) => (pointer === undefined ? [] : [[index, pointer]])),
    );
    for (const { message } of refused) expect(message.length).toBeGreaterThan(10);
    await checkpoint(sink, 1);
    expect(await rig.numbers()).toEqual([1, 7, 8]);
    await sink.close();
  });

  it('takes null where a property says nothing about its type', async () => {
    const lake = folder();
    const schema: JsonSchema = {
      $id: 'https://sluice.example/any',
      type: 'object',
      required: ['any', 'one'],
      properties: { any: {}, one: { enum: ['a', null] } },
    };
    const options = {
      table: 'loose',
      topology: 't',
      run: runOf(1),
      fileMaxBytes: 1e6,
      fileMaxAgeMs: 0,
      clock: manualClock(0),
    };
    const sink = tableSink({
      lake: lakeAt(lake),
      schema,
      partitionBy: [],
      owner: { team: 'a', app: 'b' },
      ...options,
    });
    await sink.open(undefined);
    await sink.write(
      batchOf(
        [
          { any: null, one: null },
          { any: [1, null], one: 'a' },
        ],
        () => base,
      ),
    );
    await checkpoint(sink, 1);
    await sink.close();
    expect(await rowsOf(lake, 'loose')).toEqual([
      { any: null, one: null },
      { any: '[1,null]', one: '"a"' },
    ]);
    expect(filesOf(lake, 'loose')).toEqual([`t-1-${run}.parquet`]);
  });

  it('keeps a file open across checkpoints until it is old enough, also over a restart', async () => {
    const rig = tableRig(folder(), 1_000);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(batchOf([typedRow(1)], () => base));
    await checkpoint(first, 1);
    rig.clock.advance(600);
    await first.write(batchOf([typedRow(2)], () => base));
    const state = await checkpoint(first, 2);
    expect([await rig.numbers(), first.pendingRows()]).toEqual([[], 2]);
    await first.write(batchOf([typedRow(3)], () => base));
    await first.close();

    const second = rig.sink(2);
    await second.open(state);
    expect(second.pendingRows()).toBe(2);
    await second.write(batchOf([typedRow(3)], () => base));
    rig.clock.advance(400);
    await checkpoint(second, 3);
    expect(await rig.numbers()).toEqual([1, 2, 3]);
    expect(filesOf(rig.lake, 'typed')).toHaveLength(1);
    await second.close();
    expect(readdirSync(join(rig.lake, '.staging', 'typed', 't'))).toEqual([]);
  });

  it('holds an open row once, through restarts before and after a checkpoint that was not kept', async () => {
    const rig = tableRig(folder(), 10_000);
    let state: SinkState | undefined;
    for (let attempt = 1; attempt <= 4; attempt++) {
      const sink = rig.sink(attempt);
      await sink.open(state);
      await sink.write(batchOf([typedRow(attempt)], () => base));
      state = await checkpoint(sink, attempt * 10);
      expect(sink.pendingRows()).toBe(attempt);
      await sink.write(batchOf([typedRow(-attempt)], () => base));
      await sink.prepare(attempt * 10 + 1, false);
      await sink.close();
    }
    const last = rig.sink(5);
    await last.open(state);
    rig.clock.advance(10_000);
    await checkpoint(last, 50);
    expect(await rig.numbers()).toEqual([1, 2, 3, 4]);
    await last.close();
  });

  it('makes a file of its open rows as soon as they are large, and counts age anew from there', async () => {
    const rig = tableRig(folder(), 1_000, 250);
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(
      batchOf(
        [1, 2, 3, 4, 5, 6, 7, 8].map((n) => typedRow(n, { note: 'x'.repeat(50) })),
        () => base,
      ),
    );
    rig.clock.advance(999);
    await checkpoint(sink, 1);
    expect(await rig.numbers()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(sink.pendingRows()).toBe(2);
    expect(filesOf(rig.lake, 'typed').map((path) => path.slice(path.lastIndexOf('/') + 1))).toEqual(
      [`t-1-${run}.1.parquet`, `t-1-${run}.parquet`],
    );
    rig.clock.advance(999);
    await checkpoint(sink, 2);
    expect(sink.pendingRows()).toBe(2);
    rig.clock.advance(1);
    await checkpoint(sink, 3);
    expect(await rig.numbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await sink.close();
  });

  it('finishes a publication that was cut off between two files, and removes what no checkpoint names', async () => {
    const rig = tableRig(folder(), 0);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(batchOf([typedRow(1), typedRow(2)], (_row, index) => base + index * hourMs));
    const state = stored(await first.prepare(1, false)) as {
      readonly staged: readonly { readonly staged: string; readonly target: string }[];
    };
    await first.write(batchOf([typedRow(3)], () => base));
    await first.prepare(2, false);
    await first.close();
    const [done] = state.staged;
    if (done === undefined) throw new Error('nothing was staged');
    mkdirSync(dirname(join(rig.lake, done.target)), { recursive: true });
    renameSync(join(rig.lake, done.staged), join(rig.lake, done.target));
    const staging = join(rig.lake, '.staging', 'typed', 't');
    writeFileSync(join(staging, '1-9.parquet'), 'half a fi');
    writeFileSync(join(staging, 'rows-9-1.ndjson'), '[');

    const second = rig.sink(2);
    await second.open(state);
    expect(await rig.numbers()).toEqual([1, 2]);
    expect(readdirSync(staging)).toEqual([]);
    await second.close();
  });

  it('says so when a file that the checkpoint names is gone, published or not', async () => {
    const rig = tableRig(folder(), 0);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(batchOf([typedRow(1)], () => base));
    const state = stored(await first.prepare(1, false));
    await first.close();
    rmSync(join(rig.lake, '.staging'), { recursive: true });
    const second = rig.sink(2);
    await expect(second.open(state)).rejects.toMatchObject({
      code: 'staged-file-missing',
      fix: expect.stringContaining('reset') as string,
    });
    await second.close();
  });

  it('publishes rows of an old schema as they were when the schema changes while they are open', async () => {
    const rig = tableRig(folder(), 1_000);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(
      batchOf([typedRow(1, { note: 'old' }), typedRow(2)], (_row, index) => base + index * hourMs),
    );
    const state = await checkpoint(first, 1);
    await first.close();

    const { note: _note, ...properties } = typedSchema['properties'] as Readonly<
      Record<string, JsonSchema>
    >;
    const changed: JsonSchema = {
      ...typedSchema,
      properties: { extra: { type: 'integer' }, ...properties },
    };
    // Twice, as if the first had crashed before its first checkpoint; then once more under the old
    // schema.
    for (const [attempt, schema] of [
      [2, changed] as const,
      [3, changed] as const,
      [4, typedSchema] as const,
    ]) {
      const sink = rig.sink(attempt, schema);
      await sink.open(state);
      expect(sink.pendingRows()).toBe(0);
      expect(await rig.numbers()).toEqual([1, 2]);
      await sink.close();
    }
    const last = rig.sink(5, changed);
    await last.open(state);
    await last.write(batchOf([typedRow(3, { extra: 7 })], () => base));
    rig.clock.advance(1_000);
    await checkpoint(last, 2);
    await last.close();
    expect((await queryLake(rig.lake, 'SELECT n, note, extra FROM typed ORDER BY n')).rows).toEqual(
      [
        [1, 'old', null],
        [2, null, null],
        [3, null, 7],
      ],
    );
    expect(readdirSync(join(rig.lake, '.staging', 'typed', 't'))).toEqual([]);
  });

  it('refuses to mix folders of two kinds in one table', async () => {
    const rig = tableRig(folder(), 0);
    const first = rig.sink(1);
    await first.open(undefined);
    await first.write(batchOf([typedRow(1)], () => base));
    await checkpoint(first, 1);
    await first.close();
    const other = tableSink({
      lake: lakeAt(rig.lake),
      table: 'typed',
      schema: typedSchema,
      partitionBy: ['date'],
      owner: { team: 'a', app: 'b' },
      topology: 'u',
      run: runOf(1),
      fileMaxBytes: 1,
      fileMaxAgeMs: 0,
      clock: rig.clock,
    });
    await expect(other.open(undefined)).rejects.toMatchObject({ code: 'table-mismatch' });
    await other.close();
  });

  it('goes on with what was staged while the table was delivered by Firehose, which keeps it as its fallback', async () => {
    const rig = tableRig(folder(), 3_600_000);
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(batchOf([typedRow(1)], () => base));
    const state = await sink.prepare(1, false);
    await sink.close();
    const again = rig.sink(2);
    await again.open({ fallback: state });
    await again.prepare(2, true);
    await again.commit(2);
    await again.close();
    expect(await rig.numbers()).toEqual([1]);
  });

  it('waits until its thread has taken the rows, once as many bytes are on their way as it may hold', async () => {
    const rig = tableRig(folder(), 0, 1);
    const sink = rig.sink(1);
    await sink.open(undefined);
    const staging = join(rig.lake, '.staging', 'typed', 't');
    await sink.write(batchOf([typedRow(1)], () => base));
    await sink.write(batchOf([typedRow(2, { note: 'x'.repeat(sinkPendingMaxBytes) })], () => base));
    expect(readdirSync(staging)).toEqual([`${run}-0.parquet`, `${run}-1.parquet`]);
    await sink.close();
  });

  it('fails for good after one failure: only a restart knows again what is there', async () => {
    const rig = tableRig(folder(), 0);
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(batchOf([typedRow(1)], () => base));
    rmSync(join(rig.lake, '.staging'), { recursive: true });
    await expect(sink.prepare(1, false)).rejects.toMatchObject({
      code: 'lake-write-failed',
      retryable: true,
    });
    await sink.write(batchOf([typedRow(2)], () => base));
    await expect(sink.prepare(2, false)).rejects.toMatchObject({ code: 'lake-write-failed' });
    await sink.close();
    expect(await rig.numbers()).toEqual([]);
  });
});
