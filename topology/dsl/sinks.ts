/**
 * Where a stream can end. A sink definition is data; the process that runs the job chooses the
 * adapter.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { PartitionColumn } from '../../schemas/partition.ts';
import type { Schema } from '../../schemas/registry.ts';
import type { SinkDefinitionData } from '../operators/sink/node.ts';
import type { AnyModel, WriteOf } from './graph-model.ts';

/** A sink that takes elements of type `T`. */
export interface SinkDefinition<in T> {
  readonly definition: SinkDefinitionData;
  /** By slot. */
  readonly functions?: Readonly<Record<string, unknown>>;
  /** Never present; carries `T`. */
  readonly takes?: (value: T) => void;
}

export interface TableOptions<in out T = Record<string, unknown>> {
  /** Folders of the table, outermost first. Default: date, hour, team, app. */
  readonly partitionBy?: readonly PartitionColumn[];
  /**
   * Whether rows have a column `row_id`: text that tells each row of the topology's table from all
   * others, and stays the same when the row is produced again from the same events. Tables by
   * Firehose always have it. Default false: it costs about 36 bytes per row.
   */
  readonly rowId?: boolean;
  /**
   * The columns that form a row's key. A later row of a key replaces the earlier ones: the table
   * has the column `row_order`, and `<table>_latest` has the latest row of each key. For windows
   * that fire more than once. Every row stays in the table.
   */
  readonly upsert?: readonly (keyof T & string)[];
}

/**
 * A table in the lake. Columns come from the row's schema; `date` and `hour` are UTC of the
 * element's timestamp; `team` and `app` are the row's columns if it has them, else the topology's
 * owner.
 *
 * @example
 * clicks.sinkTo('clicks-table', table('clicks', clickRow, { partitionBy: ['date'] }));
 */
export function table<T>(
  name: string,
  schema: Schema<T>,
  options: TableOptions<NoInfer<T>> = {},
): SinkDefinition<T> {
  if (typeof (schema as Schema<T> | undefined)?.document !== 'object')
    throw new SluiceError(
      'schema-invalid',
      `the table '${name}' needs the schema of its rows: write table('${name}', rowSchema)`,
    );
  const partitionBy = options.partitionBy ?? ['date', 'hour', 'team', 'app'];
  const rowId = options.rowId === true ? { rowId: true as const } : {};
  const upsert = options.upsert === undefined ? {} : { upsert: [...options.upsert] };
  return {
    definition: {
      kind: 'table',
      table: name,
      schema: schema.document,
      partitionBy: [...partitionBy],
      ...rowId,
      ...upsert,
    },
  };
}

/**
 * The rejected table, for an output whose elements belong there. Their code is `late` from a late
 * output, else `rejected-by-topology`.
 *
 * @example
 * const { out, late } = clicks.deduplicate('once', {
 *   by: (c) => c.id,
 *   within: '1h',
 *   late: 'side',
 * });
 * late.sinkTo('late-clicks', rejected());
 */
export function rejected(): SinkDefinition<unknown> {
  return { definition: { kind: 'rejected' } };
}

/**
 * Keeps elements for the test driver, in tests of a part of a topology. A job does not accept it.
 *
 * @example
 * clicks.sinkTo('out', collect());
 */
export function collect(): SinkDefinition<unknown> {
  return { definition: { kind: 'collect' } };
}

/**
 * A property graph: `writes` returns the nodes and edges that an element writes. They are written
 * in the order of the elements, and the last value of a property wins. The order between two sinks
 * that write the same property is undefined.
 *
 * @example
 * const shop = graphModel({ nodes: { User: { key: 'id', props: { id: 'string' } } } });
 * clicks.sinkTo('users', graph(shop, (c) => [shop.User({ id: c.user })]));
 */
export function graph<T, M extends AnyModel>(
  model: M,
  writes: (value: T) => readonly WriteOf<M>[],
): SinkDefinition<T> {
  return { definition: { kind: 'graph', model: model.definition }, functions: { writes } };
}
