/**
 * A row as the line that Firehose delivers: its own members, then the partition columns and its
 * identity. Pure.
 *
 * - `team`, `app`: the row's own values, of any type, null included; the topology's when the row
 *   has none.
 * - `date`, `hour`: of the element's time, in UTC.
 * - `row_id`: stays the same when the row is delivered again after a restart, so that readers can
 *   keep one of them (row-id.ts).
 * - `row_order`: in tables by key, says which row of a key came last (row-order.ts).
 */
import type { RowProblem } from '../../schemas/columns.ts';
import { rowReader } from '../../schemas/columns.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { PartitionColumn, PartitionOwner } from '../../schemas/partition.ts';
import { partitioner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { ElementBatch, Provenance, RejectedRow } from '../../topology/index.ts';
import { rowIdColumn, rowIds } from '../row-id.ts';
import type { RowOrder } from '../row-order.ts';
import { rowOrderColumn } from '../row-order.ts';

const reserved = ['date', 'hour', rowIdColumn];

export interface LineOptions {
  readonly schema: JsonSchema;
  /** Of the table: what the delivery stream's prefix has. Default: none. */
  readonly partitionBy?: readonly PartitionColumn[];
  readonly owner: PartitionOwner;
  /** Names the sink in identities: `topology/table`. */
  readonly sink: string;
  /** Of a table by key. */
  readonly order?: RowOrder | undefined;
}

export interface BatchLine {
  readonly index: number;
  readonly line: Buffer;
  /**
   * Whether the delivery stream, which takes values into its prefix as they are, names the row's
   * folders as a table does.
   */
  readonly isPlain: boolean;
}

export interface BatchLines {
  /** With their line feeds, each with its row's index in the batch. */
  readonly lines: readonly BatchLine[];
  readonly rejected: readonly RejectedRow[];
}

/** A row's members but for its identity and order, and whether its folders are plain. */
export interface RowMembers {
  readonly members: Readonly<Record<string, unknown>>;
  readonly isPlain: boolean;
}

/** By the row, its time and its numbers that are not exact. Throws as `lineWriter`. */
export function rowMembers({
  schema,
  partitionBy = [],
  owner,
  sink,
}: Omit<LineOptions, 'order'>): (
  row: unknown,
  ms: number,
  inexact?: Provenance['inexact'],
) => RowMembers | RowProblem {
  const reader = rowReader(schema);
  const taken = reader.columns.map(({ name }) => name).filter((name) => reserved.includes(name));
  if (taken.length > 0) {
    throw new SluiceError(
      'columns-reserved',
      `rows of '${sink}' have ${taken.join(', ')}, which delivery adds`,
      {
        fix: `rename those columns: ${reserved.join(', ')} are derived from the element's time and origin`,
      },
    );
  }
  const folderOf = partitioner(partitionBy);
  return (row, ms, inexact) => {
    const read = reader.read(row, inexact);
    if ('message' in read) return read;
    const { team, app } = row as { readonly team?: unknown; readonly app?: unknown };
    const folder = folderOf(ms, textOf(team, owner.team), textOf(app, owner.app));
    if (typeof folder !== 'string') return folder;
    const iso = new Date(ms).toISOString();
    const members = {
      ...(row as object),
      team: team === undefined ? owner.team : team,
      app: app === undefined ? owner.app : app,
      date: iso.slice(0, 10),
      hour: iso.slice(11, 13),
    };
    const isPlain =
      !folder.includes('%') &&
      !(partitionBy.includes('team') && team === null) &&
      !(partitionBy.includes('app') && app === null);
    return { members, isPlain };
  };
}

/** Throws `columns-reserved` when the schema has members that are added here. */
export function lineWriter(options: LineOptions): (batch: ElementBatch) => BatchLines {
  const membersOf = rowMembers(options);
  const idOf = rowIds(options.sink);
  const { order } = options;
  return (batch) => {
    const ids = idOf(batch);
    const lines: BatchLine[] = [];
    const rejected: RejectedRow[] = [];
    for (let index = 0; index < batch.length; index++) {
      const ms = batch.timestamps[index] as number;
      const found = membersOf(batch.values[index], ms, batch.origins[index]?.inexact);
      if ('message' in found) {
        rejected.push({ index, message: found.message, pointer: found.pointer });
        continue;
      }
      const whole = {
        ...found.members,
        [rowIdColumn]: ids(index),
        ...(order === undefined ? {} : { [rowOrderColumn]: order.next() }),
      };
      const line = Buffer.from(`${JSON.stringify(whole)}\n`);
      lines.push({ index, line, isPlain: found.isPlain });
    }
    return { lines, rejected };
  };
}

const textOf = (value: unknown, owner: string): string =>
  typeof value === 'string' ? value : owner;
