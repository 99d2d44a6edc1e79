/**
 * A table in the lake as a job on Flink writes it: the engine's own cells, folders, row ids and
 * description (enrich/lake/, schemas/table-rows.ts), as text. The job puts cells into columns.
 *
 * Invariants:
 * 1. A row that has no cells or no folder is rejected here: what is sent, the job can write.
 * 2. The columns that are added to a row's own are the last ones: its id, then its order.
 */

import { describedTable } from '../../../enrich/lake/described-table.ts';
import { grownColumns } from '../../../enrich/lake/table-columns.ts';
import type { TableFile } from '../../../enrich/lake/table-description.ts';
import {
  allColumns,
  columnsIn,
  columnsPath,
  descriptionPath,
  descriptionText,
  isOther,
  misfitFix,
  misfitsOf,
  parsedDescription,
} from '../../../enrich/lake/table-description.ts';
import { rowIdTexts } from '../../../enrich/row-id.ts';
import type { Column } from '../../../schemas/columns.ts';
import { tableRows } from '../../../schemas/table-rows.ts';
import type { SinkNode, TableDefinition } from '../../../topology/operators/sink/node.ts';
import type { NodeRuntime } from './node-runtime.ts';
import type { TakeRow } from './sink.ts';

/** What the job has to know of a table, once. */
export class Table {
  readonly #table: TableFile;
  readonly #columns: readonly Column[];
  readonly #topology: string;

  constructor(table: TableFile, topology: string) {
    this.#table = table;
    this.#topology = topology;
    this.#columns = columnsIn(table);
  }

  /**
   * Its name, the columns of its files in order, how the names of files begin (those of the engine
   * have no `~` there), and where its description is, as JSON.
   */
  layout(): string {
    const { table, partitionBy, upsert } = this.#table;
    return JSON.stringify({
      table,
      columns: this.#columns.map(told),
      order: upsert !== undefined,
      prefix: `${this.#topology}~`,
      description: descriptionPath(table),
      columnsFile: columnsPath(table, partitionBy),
    });
  }

  /**
   * The description that is to be there, the columns of the file without rows, and whether it
   * matters that there are rows, as JSON. `before`: the text that is there, or empty; `hasRows`:
   * whether the table has files.
   */
  describe(before: string, hasRows: boolean): string {
    const table = this.#table;
    const found = parsedDescription(before === '' ? undefined : before);
    const changed = found !== undefined && isOther(found, table);
    const known =
      found === undefined || (changed && !hasRows)
        ? {}
        : (found.columns ?? grownColumns({}, columnsIn(found)));
    const misfits = changed && hasRows ? misfitsOf(found, known, table) : [];
    return JSON.stringify({
      changed,
      problem: misfits.length === 0 ? null : `${misfits.join('; ')}: ${misfitFix(table.table)}`,
      text: descriptionText(table, known),
      columns: allColumns(known, table).map(told),
    });
  }
}

function told({ name, type, nullable }: Column): Pick<Column, 'name' | 'type' | 'nullable'> {
  return { name, type, nullable };
}

export function tableOf(definition: TableDefinition, topology: string): Table {
  return new Table(describedTable(definition), topology);
}

/** Rows in the form `columns`: the folder as key, what the row's id is a digest of, its cells. */
export function columnsTaker(sink: SinkNode, node: NodeRuntime): TakeRow {
  const { table, schema, partitionBy, rowId } = sink.sink as TableDefinition;
  const { name, owner } = node.plan;
  const rows = tableRows(schema, partitionBy, owner);
  const idTexts = rowId === true ? rowIdTexts(`${name}/${table}`) : undefined;
  return (value, timestamp, origin) => {
    const cells = rows.cells(value, origin?.inexact);
    const folder = 'message' in cells ? cells : rows.folder(value, timestamp);
    if (typeof folder !== 'string') {
      const { message, pointer } = folder;
      const code = 'row-mismatch';
      node.reject({ node: sink.id, code, message, pointer, schema: null, value, origin });
      return undefined;
    }
    const batch = { values: [value], timestamps: [timestamp], origins: [origin] };
    return { key: folder, read: idTexts?.(batch)(0), value: JSON.stringify(cells), origin: '' };
  };
}
