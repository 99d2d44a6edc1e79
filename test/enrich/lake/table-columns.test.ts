/**
 * A table whose columns change: what readers can unify is taken, and read; the rest is refused
 * while the table has rows, before one is written.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { queryLake } from '../../../enrich/lake/query.ts';
import { sinkMisfits } from '../../../enrich/lake/table-misfits.ts';
import { tableSink } from '../../../enrich/parquet/table-sink.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import { runOf } from '../../runs.ts';
import { batchOf, lakeAt, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('table-columns');
const at = Date.parse('2026-01-02T03:04:05Z');

const rowSchema = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  $id: 'row',
  type: 'object',
  properties: { id: { type: 'string' }, ...properties },
});
const sinkOf = (
  schema: JsonSchema,
): {
  readonly kind: 'table';
  readonly table: string;
  readonly schema: JsonSchema;
  readonly partitionBy: readonly ['date'];
} => ({
  kind: 'table',
  table: 'rows',
  schema,
  partitionBy: ['date'],
});
const misfits = (lake: string, schema: JsonSchema): Promise<readonly string[]> =>
  sinkMisfits({ lake: lakeAt(lake), sink: sinkOf(schema), was: undefined, isDelivered: false });

let attempts = 0;
/** One run of a sink: `publish` says whether its row becomes visible or stays staged. */
async function write(lake: string, schema: JsonSchema, row: object, publish = true): Promise<void> {
  const attempt = ++attempts;
  const owner = { team: 'a', app: 'b' };
  const more = {
    owner,
    topology: 't',
    run: runOf(attempt),
    fileMaxBytes: 1e9,
    fileMaxAgeMs: publish ? 0 : 3_600_000,
    clock: manualClock(at),
  };
  const sink = tableSink({
    lake: lakeAt(lake),
    table: 'rows',
    schema,
    partitionBy: ['date'],
    ...more,
  });
  try {
    await sink.open(undefined);
    expect(await sink.write(batchOf([row], () => at))).toEqual([]);
    await sink.prepare(attempt, publish);
    await sink.commit(attempt);
  } finally {
    await sink.close();
  }
}

const types: readonly (readonly [name: string, type: JsonSchema, value: unknown])[] = [
  ['text', { type: 'string' }, 'x'],
  ['a time', { type: 'string', format: 'date-time' }, '2026-01-02T03:04:05Z'],
  ['an integer', { type: 'integer' }, 1],
  ['a number', { type: 'number' }, 1.5],
  ['a boolean', { type: 'boolean' }, true],
  ['JSON text', { type: 'object' }, { x: 1 }],
];

describe('a column', () => {
  it.each(types.flatMap((was) => types.map((is) => ({ from: was[0], to: is[0], was, is }))))(
    'of $from that becomes $to',
    async ({ from, to, was, is }) => {
      const lake = folder();
      await write(lake, rowSchema({ v: was[1] }), { id: '1', v: was[2] });
      const next = rowSchema({ v: is[1] });
      if (from === to) {
        expect(await misfits(lake, next)).toEqual([]);
        await write(lake, next, { id: '2', v: is[2] });
        expect((await queryLake(lake, 'SELECT id, v FROM rows ORDER BY id')).rows).toHaveLength(2);
        return;
      }
      const message = `its column 'v' was ${from} in the table 'rows', now it is ${to}: readers cannot unify them`;
      expect(await misfits(lake, next)).toEqual([message]);
      await expect(write(lake, next, { id: '2', v: is[2] })).rejects.toMatchObject({
        code: 'table-mismatch',
        message,
      });
      expect((await queryLake(lake, 'SELECT id FROM rows')).rows).toEqual([['1']]);
    },
  );

  it('may come, go, and be null', async () => {
    const lake = folder();
    const required = { ...rowSchema({ v: { type: 'integer' } }), required: ['v'] };
    await write(lake, required, { id: '1', v: 1 });
    await write(lake, rowSchema({ v: { type: ['integer', 'null'] } }), { id: '2', v: null });
    await write(lake, rowSchema({}), { id: '3' });
    await write(lake, rowSchema({ w: { type: 'boolean' } }), { id: '4', w: true });
    expect((await queryLake(lake, 'SELECT id, v, w FROM rows ORDER BY id')).rows).toEqual([
      ['1', 1, null],
      ['2', null, null],
      ['3', null, null],
      ['4', null, true],
    ]);
  });

  it('that went is not forgotten: it comes back as what its files have, also where a description of before does not say so', async () => {
    const lake = folder();
    await write(lake, rowSchema({ v: { type: 'integer' } }), { id: '1', v: 1 });
    await write(lake, rowSchema({}), { id: '2' });
    const back = rowSchema({ v: { type: 'string' } });
    expect(await misfits(lake, back)).toHaveLength(1);
    await expect(write(lake, back, { id: '3', v: 'x' })).rejects.toMatchObject({
      code: 'table-mismatch',
    });
    const described = join(lake, '.tables/rows.json');
    const { columns: _, ...before } = JSON.parse(readFileSync(described, 'utf8')) as Record<
      string,
      unknown
    >;
    rmSync(described);
    writeFileSync(join(lake, 'rows/_table.json'), JSON.stringify(before));
    expect(await misfits(lake, back)).toHaveLength(1);
    await expect(write(lake, back, { id: '3', v: 'x' })).rejects.toMatchObject({
      code: 'table-mismatch',
    });
  });

  it('is described beside the rows no more: what an earlier version wrote there moves, and is kept', async () => {
    const lake = folder();
    await write(lake, rowSchema({ v: { type: 'integer' } }), { id: '1', v: 1 });
    const [former, now] = [join(lake, 'rows/_table.json'), join(lake, '.tables/rows.json')];
    const text = readFileSync(now, 'utf8');
    rmSync(now);
    writeFileSync(former, text);
    expect(await misfits(lake, rowSchema({ v: { type: 'string' } }))).toHaveLength(1);
    await expect(
      write(lake, rowSchema({ v: { type: 'string' } }), { id: '2', v: 'x' }),
    ).rejects.toMatchObject({ code: 'table-mismatch' });
    expect((await queryLake(lake, 'SELECT id, v FROM rows')).rows).toEqual([['1', 1]]);
    await write(lake, rowSchema({ w: { type: 'boolean' } }), { id: '2', w: true });
    expect([existsSync(former), existsSync(now)]).toEqual([false, true]);
    expect((await queryLake(lake, 'SELECT id, v, w FROM rows ORDER BY id')).rows).toEqual([
      ['1', 1, null],
      ['2', null, true],
    ]);
  });

  it('may be of any type while the table has no rows; staged ones count', async () => {
    const lake = folder();
    await write(lake, rowSchema({ v: { type: 'integer' } }), { id: '1', v: 1 }, false);
    expect(await misfits(lake, rowSchema({ v: { type: 'string' } }))).toHaveLength(1);
    rmSync(join(lake, '.staging'), { recursive: true });
    expect(await misfits(lake, rowSchema({ v: { type: 'string' } }))).toEqual([]);
    await write(lake, rowSchema({ v: { type: 'string' } }), { id: '2', v: 'x' });
    expect(await misfits(lake, rowSchema({ v: { type: 'integer' } }))).toHaveLength(1);
  });

  it('of a table that is not there, or is delivered elsewhere, is compared with what the checkpoint says', async () => {
    const lake = folder();
    mkdirSync(lake, { recursive: true });
    const [was, is] = [
      sinkOf(rowSchema({ v: { type: 'integer' } })),
      sinkOf(rowSchema({ v: { type: 'string' } })),
    ];
    expect(await sinkMisfits({ lake: lakeAt(lake), sink: is, was, isDelivered: false })).toEqual(
      [],
    );
    expect(
      await sinkMisfits({ lake: lakeAt(lake), sink: is, was, isDelivered: true }),
    ).toHaveLength(1);
    expect(
      await sinkMisfits({ lake: lakeAt(lake), sink: is, was: undefined, isDelivered: true }),
    ).toEqual([]);
  });
});
