/**
 * Rows into Parquet files by hour: by the table sink (rows checked against their schema, spread
 * over partitions, encoded in its thread, synced, published), and by a loop over hyparquet-writer
 * that does nothing but turn rows into columns and write a file an hour.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { localLake } from '../../deploy/stores/local/local-lake-files.ts';
import { parquetRowGroupRows } from '../../enrich/parquet/encode.ts';
import { parquetFileMaxBytes } from '../../enrich/parquet/table-binding.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { runOf } from '../runs.ts';
import type { Race } from './sinks.ts';

const hourMs = 3_600_000;
const hours = 6;
const turnRows = 1_024;
const [text, integer, real] = [
  { type: 'string' },
  { type: 'integer' },
  { type: 'number' },
] as const;
const schema = {
  $id: 'https://sluice.example/bench/row',
  type: 'object',
  properties: {
    id: text,
    user: text,
    page: text,
    clicked: { type: 'string', format: 'date-time' },
    position: integer,
    price: real,
    note: text,
  },
  required: ['id', 'user', 'page', 'clicked', 'position', 'price', 'note'],
  additionalProperties: false,
} as const;

interface Row {
  readonly id: string;
  readonly user: string;
  readonly page: string;
  readonly clicked: string;
  readonly position: number;
  readonly price: number;
  readonly note: string;
}

function rowOf(n: number): Row {
  const clicked = new Date(Date.UTC(2026, 0, 1, n % hours, 0, n % 3_600)).toISOString();
  const [user, page] = [
    `user-${(n * 7_919) % 20_000}`,
    `https://shop.example/page/${(n * 31) % 500}`,
  ];
  return {
    id: `event-${n}`,
    user,
    page,
    clicked,
    position: n % 40,
    price: (n % 9_973) / 7,
    note: `note ${n} `.repeat(12),
  };
}

export async function parquetRace(scale: number): Promise<Race> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-parquet-'));
  const rows = Array.from({ length: Math.round(200_000 * scale) }, (_, n) => rowOf(n));
  const megabytes = rows.reduce((sum, row) => sum + JSON.stringify(row).length, 0) / 1e6;
  let [rounds, checkpoint] = [0, 0];
  // One sink for all rounds, as a job has it.
  const sink = tableSink({
    lake: localLake(join(dir, 'lake')),
    table: 'clicks',
    schema,
    partitionBy: ['date', 'hour', 'team', 'app'],
    owner: { team: 'bench', app: 'clicks' },
    topology: 'bench',
    run: runOf(1),
    fileMaxBytes: parquetFileMaxBytes,
    fileMaxAgeMs: 0,
    clock: systemClock,
  });
  await sink.open(undefined);
  return {
    what: 'Parquet, files by hour',
    unit: 'MB/s of rows as JSON',
    bare: async () => {
      const folder = join(dir, `bare-${rounds++}`);
      const startedMs = performance.now();
      mkdirSync(folder);
      const byHour = grouped(rows);
      for (const [hour, own] of byHour) {
        const bytes = parquetWriteBuffer({
          columnData: [
            { name: 'id', data: own.map(({ id }) => id), type: 'STRING' },
            { name: 'user', data: own.map(({ user }) => user), type: 'STRING' },
            { name: 'page', data: own.map(({ page }) => page), type: 'STRING' },
            {
              name: 'clicked',
              data: own.map(({ clicked }) => new Date(clicked)),
              type: 'TIMESTAMP',
            },
            { name: 'position', data: own.map(({ position }) => BigInt(position)), type: 'INT64' },
            { name: 'price', data: own.map(({ price }) => price), type: 'DOUBLE' },
            { name: 'note', data: own.map(({ note }) => note), type: 'STRING' },
          ],
          rowGroupSize: parquetRowGroupRows,
        });
        writeFileSync(join(folder, `${hour}.parquet`), new Uint8Array(bytes));
      }
      return (megabytes * 1_000) / (performance.now() - startedMs);
    },
    sluice: async () => {
      checkpoint++;
      const startedMs = performance.now();
      for (let begin = 0; begin < rows.length; begin += turnRows) {
        const values = rows.slice(begin, begin + turnRows);
        const timestamps = values.map(({ clicked }) => Date.parse(clicked));
        await sink.write({
          length: values.length,
          values,
          timestamps,
          origins: values.map(() => undefined),
        });
      }
      await sink.prepare(checkpoint, false);
      await sink.commit(checkpoint);
      return (megabytes * 1_000) / (performance.now() - startedMs);
    },
    async stop() {
      await sink.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function grouped(rows: readonly Row[]): ReadonlyMap<number, readonly Row[]> {
  const byHour = new Map<number, Row[]>();
  for (const row of rows) {
    const hour = Math.floor(Date.parse(row.clicked) / hourMs);
    const own = byHour.get(hour);
    if (own === undefined) byHour.set(hour, [row]);
    else own.push(row);
  }
  return byHour;
}
