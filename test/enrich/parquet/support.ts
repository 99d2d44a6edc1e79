/**
 * A table with a column of every type.
 */
import type { TableSinkOptions } from '../../../enrich/parquet/table-sink.ts';
import { tableSink } from '../../../enrich/parquet/table-sink.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { Sink } from '../../../topology/index.ts';
import { runOf } from '../../runs.ts';
import type { LakePlace } from '../support.ts';
import { batchOf, lakeAt, rowsOf } from '../support.ts';

export const base = Date.parse('2013-01-01T10:00:00Z');

export const typedSchema: JsonSchema = {
  $id: 'https://sluice.example/test/typed',
  type: 'object',
  additionalProperties: false,
  required: ['id', 'n', 'at', 'ratio', 'good'],
  properties: {
    id: { type: 'string', description: 'Which one' },
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

export const typedRow = (n: number, more: object = {}): object => ({
  id: `id-${n}`,
  n,
  at: '2013-01-01T10:17:00.5Z',
  ratio: n / 4,
  good: n % 2 === 0,
  ...more,
});

export interface TableRig {
  readonly lake: string;
  readonly clock: ManualClock;
  sink(attempt: number, schema?: JsonSchema, lineage?: string): Sink;
  /** Every row's `n` that a reader finds, sorted. */
  numbers(): Promise<readonly number[]>;
}

export interface TableRigOptions
  extends Partial<Pick<TableSinkOptions, 'partitionsMax' | 'countEarly'>> {
  /** Where the sinks write, if not to the folder. */
  readonly place?: LakePlace;
}

export function tableRig(
  lake: string,
  fileMaxAgeMs: number,
  fileMaxBytes = 1e9,
  { place = lake, ...more }: TableRigOptions = {},
): TableRig {
  const clock = manualClock(1_000_000);
  return {
    lake,
    clock,
    sink: (attempt, schema = typedSchema, lineage) =>
      tableSink({
        ...more,
        lake: lakeAt(place),
        table: 'typed',
        schema,
        partitionBy: ['date', 'hour', 'team', 'app'],
        owner: { team: 'own', app: 'er' },
        topology: 't',
        run: runOf(attempt, lineage),
        fileMaxBytes,
        fileMaxAgeMs,
        clock,
      }),
    numbers: async () =>
      (await rowsOf(lake, 'typed')).map((row) => Number(row['n'])).sort((a, b) => a - b),
  };
}

/** A lake whose table `typed` has one row. */
export async function lakeWithRow(lake: string): Promise<void> {
  const sink = tableRig(lake, 0).sink(1);
  await sink.open(undefined);
  await sink.write(batchOf([typedRow(1)], () => 0));
  await sink.prepare(1, false);
  await sink.commit(1);
  await sink.close();
}
