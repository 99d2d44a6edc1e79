/**
 * The tables of the lake as Glue has them: columns from the same schemas as the sinks', partitions
 * as the folders that the sinks name. Pure.
 *
 * Athena finds folders by projection: it computes their names and lists none. So a value that no
 * projection names is a row that no query finds. Hence:
 * - `date` is a range, `hour` its 24 values.
 * - `team` and `app` are what the table can have: the owner of its topology where rows have no
 *   column of that name, the values that the row's schema lists, or those of the streams for the
 *   rejected table.
 * - Otherwise they are `injected`: a query must name one value, and Athena says so.
 *
 * https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
 */
import type {
  ColumnType,
  JsonSchema,
  PartitionColumn,
  PartitionOwner,
  Plan,
  StreamConfig,
} from './sluice.ts';
import {
  columnsOf,
  describedTable,
  rejectedPartitionBy,
  rejectedSchema,
  storedColumns,
} from './sluice.ts';

export interface LakeTable {
  readonly name: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly comment: string;
  }[];
  readonly partitions: readonly LakePartition[];
  /** The delivery stream of Firehose that writes it. */
  readonly deliveryStream?: string | undefined;
}

export interface LakePartition {
  readonly name: PartitionColumn;
  /** Its values; `range`: days; `any`: a query has to name one. */
  readonly values: readonly string[] | 'range' | 'any';
}

const glueTypes: Readonly<Record<ColumnType, string>> = {
  STRING: 'string',
  TIMESTAMP: 'timestamp',
  INT64: 'bigint',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  JSON_TEXT: 'string',
};

/** https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html */
const commentMaxChars = 255;
const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));
/** What a list of values can hold, and a folder names as it is. */
const plain = /^[A-Za-z0-9._~-]+$/;

/** `delivered`: the delivery stream of a table that Firehose writes. */
export function tablesOf(
  plans: readonly Plan[],
  streams: readonly StreamConfig[],
  delivered: Readonly<Record<string, string>>,
): readonly LakeTable[] {
  const tables = new Map<string, LakeTable>();
  for (const { nodes, owner } of plans)
    for (const node of nodes) {
      if (node.kind !== 'sink' || node.sink.kind !== 'table') continue;
      const { sink } = node;
      const deliveryStream = Object.hasOwn(delivered, sink.table)
        ? delivered[sink.table]
        : undefined;
      const rowId = sink.rowId === true || deliveryStream !== undefined;
      const { schema } = describedTable({ ...sink, rowId });
      const made = tableOf(sink.table, schema, sink.partitionBy, (column) =>
        ofRows(sink.schema, column, owner),
      );
      const before = tables.get(sink.table);
      tables.set(sink.table, {
        ...(before === undefined ? made : merged(before, made)),
        deliveryStream,
      });
    }
  const rejected = tableOf('rejected', rejectedSchema, rejectedPartitionBy, (column) =>
    streams.map((stream) => stream[column]),
  );
  return [...tables.values(), rejected];
}

function tableOf(
  name: string,
  schema: JsonSchema,
  partitionBy: readonly PartitionColumn[],
  valuesOf: (column: 'team' | 'app') => readonly string[] | undefined,
): LakeTable {
  return {
    name,
    columns: storedColumns(schema, partitionBy).map(({ name: column, type, description }) => ({
      name: column,
      type: glueTypes[type],
      comment: description.slice(0, commentMaxChars),
    })),
    partitions: partitionBy.map((column) => {
      if (column === 'date') return { name: column, values: 'range' };
      if (column === 'hour') return { name: column, values: hours };
      const values = valuesOf(column);
      const isListed = values !== undefined && values.every((value) => plain.test(value));
      return { name: column, values: isListed ? [...new Set(values)] : 'any' };
    }),
  };
}

/** Undefined where rows may have any value. */
function ofRows(
  schema: JsonSchema,
  column: 'team' | 'app',
  owner: PartitionOwner,
): readonly string[] | undefined {
  if (!columnsOf(schema).some(({ name }) => name === column)) return [owner[column]];
  const property = (schema['properties'] as Readonly<Record<string, JsonSchema>>)[column];
  const { const: one, enum: several } = property as { const?: unknown; enum?: unknown[] };
  const listed = several ?? (one === undefined ? undefined : [one]);
  // Null is the topology's owner.
  return listed?.map((value) => (typeof value === 'string' ? value : owner[column]));
}

/** One table that several topologies write: their columns, and the values of all. */
function merged(one: LakeTable, other: LakeTable): LakeTable {
  const names = new Set(one.columns.map(({ name }) => name));
  return {
    ...one,
    columns: [...one.columns, ...other.columns.filter(({ name }) => !names.has(name))],
    partitions: one.partitions.map((partition, index) => {
      const more = other.partitions[index]?.values;
      if (!Array.isArray(partition.values)) return partition;
      return {
        ...partition,
        values: Array.isArray(more) ? [...new Set([...partition.values, ...more])] : 'any',
      };
    }),
  };
}
