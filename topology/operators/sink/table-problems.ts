/**
 * Checks the names of a plan's tables and of their columns. Pure.
 *
 * One rule, so that a table can be written to a folder, a bucket or by Firehose, and be read by
 * DuckDB, pyarrow, polars, Spark and Hive alike. The name of a column:
 *
 * - has 1 to 255 bytes of UTF-8 and no control character: AWS Glue accepts no other, and DuckDB
 *   renames a column without a name;
 * - differs from every other name in more than case, which SQL and Spark ignore;
 * - is not the name of a partition folder, in any case: readers see two columns, or refuse the
 *   table. `team` and `app` may be columns of text: their values then name the row's folders and
 *   are stored in its path alone;
 * - is not `row_id` or `row_order`, which delivery and tables by key add, nor a name that pyarrow
 *   uses for columns of its own.
 */
import { columnsOf, storedColumns } from '../../../schemas/columns.ts';
import { isWellFormed } from '../../../schemas/kernel/well-formed.ts';
import { limits } from '../../../schemas/limits.ts';
import { folded } from '../../../schemas/partition.ts';
import { latestOf } from '../../../schemas/table-rows.ts';
import type { PlanProblem, Problem } from '../../nodes/node.ts';
import type { SinkOf } from './sink-kind.ts';
import type { TableDefinition } from './table-definition.ts';

/**
 * A column's name: as long as AWS Glue takes,
 * https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
 */
const columnNameMaxBytes = 255;

const tablePattern = new RegExp(`^[a-z][a-z0-9_]{0,${limits.tableNameMaxChars - 1}}$`);
const reservedTables = new Set(['rejected']);
/** https://arrow.apache.org/docs/cpp/dataset.html: what a scan adds to the columns of a file. */
const reservedColumns = new Set([
  'row_id',
  'row_order',
  '__fragment_index',
  '__batch_index',
  '__last_in_fragment',
  '__filename',
]);

/** Of a name that a table may have in a lake, also in one that is not of a plan. */
export const isTableName = (name: unknown): boolean =>
  typeof name === 'string' && tablePattern.test(name) && !reservedTables.has(name);

export function tableProblems(sinks: readonly SinkOf<TableDefinition>[]): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const owners = new Map<string, string>();
  for (const { id, sink } of sinks) {
    const found = [...nameProblems(sink, owners), ...schemaProblems(sink), ...keyProblems(sink)];
    problems.push(...found.map((problem) => ({ node: id, ...problem })));
    owners.set(sink.table, id);
  }
  return [...problems, ...latestProblems(sinks)];
}

/** The view of a table by key has a name of its own. */
function latestProblems(sinks: readonly SinkOf<TableDefinition>[]): readonly PlanProblem[] {
  const tables = sinks.map(({ id, sink }) => ({ id, ...sink }));
  return tables.flatMap(({ id, table }) => {
    const of = tables.find(
      (other) => other.upsert !== undefined && latestOf(other.table) === table,
    );
    if (of === undefined) return [];
    return [
      {
        node: id,
        message: `'${table}' is the name under which the latest rows of the table '${of.table}' are read`,
        fix: 'rename one of the two tables',
      },
    ];
  });
}

function keyProblems({ table, schema, upsert }: TableDefinition): readonly Problem[] {
  const properties = schema['properties'];
  if (upsert === undefined || typeof properties !== 'object' || properties === null) return [];
  // That is the problem, and told as such.
  if (Object.keys(properties).length === 0) return [];
  if (upsert.length === 0)
    return [
      {
        message: `upsert of the table '${table}' lists no column`,
        fix: "list the columns of the row's key, such as upsert: ['id']",
      },
    ];
  if (new Set(upsert).size < upsert.length)
    return [
      {
        message: `upsert of the table '${table}' lists a column twice`,
        fix: 'list each column once',
      },
    ];
  const columns = columnsOf(schema);
  return upsert.flatMap((name): readonly Problem[] => {
    const type = columns.find((column) => column.name === name)?.type;
    if (type === undefined)
      return [
        {
          message: `upsert lists '${name}', which is not a column of the table '${table}'`,
          fix: `use one of: ${columns.map((column) => column.name).join(', ')}`,
        },
      ];
    if (type !== 'DOUBLE' && type !== 'JSON_TEXT') return [];
    return [
      {
        message: `upsert lists '${name}', which cannot be a key: a key must be text, an integer, a boolean or a time`,
        fix: 'use another column, or give this one such a type',
      },
    ];
  });
}

function nameProblems(
  { table }: TableDefinition,
  owners: ReadonlyMap<string, string>,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (!tablePattern.test(table)) {
    const message = `a table name must be lower-case letters, digits and _, starting with a letter, not '${table}'`;
    problems.push({ message, fix: 'rename the table' });
  }
  if (reservedTables.has(table))
    problems.push({
      message: `the table name '${table}' is reserved by Sluice`,
      fix: 'rename the table',
    });
  const other = owners.get(table);
  if (other !== undefined) {
    const fix = 'use another table, or put a union() before one sink';
    problems.push({ message: `the table '${table}' already has the sink '${other}'`, fix });
  }
  return problems;
}

function schemaProblems(sink: TableDefinition): readonly Problem[] {
  const { table, schema, partitionBy } = sink;
  const properties = schema['properties'];
  if (schema['type'] !== 'object' || typeof properties !== 'object' || properties === null) {
    const message = `the schema of table '${table}' must describe an object with properties, which become its columns`;
    return [{ message, fix: "write type: 'object' and properties into the schema" }];
  }
  const columns = Object.keys(properties);
  if (columns.length === 0) {
    const message = `the table '${table}' has no column: its schema has no properties`;
    return [
      {
        message,
        fix: "list the members of the rows in the schema's properties, each with its type",
      },
    ];
  }
  const twice: readonly Problem[] =
    new Set(partitionBy).size === partitionBy.length
      ? []
      : [{ message: 'partitionBy lists a column twice', fix: 'list each column once' }];
  const none: readonly Problem[] =
    storedColumns(schema, partitionBy).length > 0
      ? []
      : [
          {
            message: `the table '${table}' has no columns except those in its path`,
            fix: 'add another property to its schema',
          },
        ];
  return [
    ...columns.flatMap(columnProblem),
    ...caseProblems(columns),
    ...folderProblems(sink),
    ...twice,
    ...none,
  ];
}

function columnProblem(name: string): readonly Problem[] {
  const shown = JSON.stringify(name).slice(1, -1);
  const bytes = Buffer.byteLength(name);
  const fix = `rename the property ${shown}`;
  if (bytes === 0 || bytes > columnNameMaxBytes || /\p{Cc}/u.test(name) || !isWellFormed(name)) {
    const rule = `1 to ${columnNameMaxBytes} bytes of text without control characters`;
    return [
      {
        message: `the name of a column must be ${rule}, not '${shown.length > 64 ? `${shown.slice(0, 61)}...` : shown}'`,
        fix,
      },
    ];
  }
  return reservedColumns.has(folded(name))
    ? [
        {
          message: `the column name '${shown}' is reserved: readers or delivery use it for columns of their own`,
          fix,
        },
      ]
    : [];
}

function caseProblems(columns: readonly string[]): readonly Problem[] {
  const alike = new Map<string, string[]>();
  for (const column of columns) {
    const key = folded(column);
    alike.set(key, [...(alike.get(key) ?? []), `'${column}'`]);
  }
  return [...alike.values()]
    .filter((names) => names.length > 1)
    .map((names) => ({
      message: `the columns ${names.join(' and ')} differ in case only, which SQL ignores`,
      fix: 'rename one of the two',
    }));
}

function folderProblems({ schema, partitionBy }: TableDefinition): readonly Problem[] {
  const folders: readonly string[] = partitionBy;
  return columnsOf(schema).flatMap(({ name, type }): readonly Problem[] => {
    const folder = folded(name);
    if (!folders.includes(folder)) return [];
    const fix = `rename the property ${name}, or remove '${folder}' from partitionBy`;
    if (name !== folder) {
      const message = `the column '${name}' and the partition column '${folder}' differ in case only, which SQL ignores`;
      return [{ message, fix }];
    }
    if (folder === 'date' || folder === 'hour')
      return [
        {
          message: `the column '${folder}' is ambiguous: the table is partitioned by the element's own ${folder}`,
          fix,
        },
      ];
    if (type === 'STRING') return [];
    const message = `the column '${folder}' names the folders of the table, so it must be text: type 'string', or 'string' and 'null'`;
    return [{ message, fix: `correct the property ${folder}, or remove it from partitionBy` }];
  });
}
