/**
 * The sources of enrichment: a table in a file, or an asynchronous call.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import type { Schema } from '../../schemas/registry.ts';
import type { SchemaChoice } from '../nodes/node.ts';
import type { Duration } from '../time/duration.ts';

/** Rows of type `V`, all read when the job starts. */
export interface FileTable<out V> {
  readonly from: 'file';
  readonly file: string;
  readonly key: string;
  readonly schema: SchemaChoice;
  readonly whenChanged: 'reload' | 'keep';
  /** Never present; carries `V`. */
  readonly gives?: () => V;
}

export interface FileTableOptions<V> {
  /** The rows' property that is looked up. */
  readonly key: keyof V & string;
  /**
   * When the file changes while the topology runs: `reload` resumes from the last checkpoint with
   * the new rows; `keep` continues to use the rows read at the start, and `sluice status` asks for
   * a restart. Default 'reload'.
   */
  readonly whenChanged?: 'reload' | 'keep';
}

/**
 * A table from a file beside the topology: a JSON array, or one JSON object per line (`.ndjson`),
 * also gzipped (`.gz`). Every row must fit `schema`. `key` is the property that is looked up; it
 * must be unique among the rows.
 *
 * @example
 * const users = fileTable('users.ndjson', userRow, { key: 'id' });
 * clicks.lookup('user', users, { by: (c) => c.user }, (c, user) => ({
 *   ...c,
 *   name: user?.name ?? null,
 * }));
 */
export function fileTable<V>(
  file: string,
  schema: Schema<V>,
  options: FileTableOptions<V>,
): FileTable<V> {
  if (
    typeof (schema as Schema<V> | undefined)?.document !== 'object' ||
    typeof (options as FileTableOptions<V> | undefined)?.key !== 'string'
  )
    throw new SluiceError(
      'table-invalid',
      `the table of ${file} needs the schema of its rows and its key: write fileTable('${file}', rowSchema, { key: 'id' })`,
    );
  const { key, whenChanged = 'reload' } = options;
  return {
    from: 'file',
    file,
    key,
    schema: { id: schema.id, document: schema.document },
    whenChanged,
  };
}

export interface LookupContext {
  /** Aborted when the look-up times out. */
  readonly signal: AbortSignal;
}

/** Answers of type `V`, requested for one key at a time. */
export interface AsyncLookup<in K, out V> {
  readonly from: 'connector' | 'function';
  readonly name: string;
  readonly call: unknown;
  /** Never present; carries `K`. */
  readonly takes?: (key: K) => void;
  /** Never present; carries `V`. */
  readonly gives?: () => V;
}

/**
 * A custom function; undefined means that there is nothing for this key. It is retried when it
 * rejects.
 *
 * @example
 * const price = asyncLookup(async (item: string, { signal }) => {
 *   const answer = await fetch(`https://prices.example/${item}`, { signal });
 *   return answer.ok ? ((await answer.json()) as number) : undefined;
 * });
 * clicks.lookup('price', price, { by: (c) => c.item }, (c, found) => ({
 *   ...c,
 *   price: found ?? 0,
 * }));
 */
export function asyncLookup<K extends Key, V>(
  call: (key: K, context: LookupContext) => Promise<V | undefined>,
): AsyncLookup<K, V> {
  return { from: 'function', name: 'function', call };
}

/**
 * A connector of the configuration with this name.
 *
 * @example
 * const stock = connector<{ left: number }>('stock');
 * clicks.lookup('stock', stock, { by: (c) => c.item }, (c, found) => ({
 *   ...c,
 *   left: found?.left ?? 0,
 * }));
 */
export function connector<V>(name: string): AsyncLookup<Key, V> {
  return { from: 'connector', name, call: undefined };
}

export interface AsyncLookupOptions {
  /**
   * Keeps at most this many answers for this long; the least recently used are dropped first. Equal
   * keys share an answer in flight. Default: none.
   */
  readonly cache?: { readonly maxEntries: number; readonly ttl: Duration };
  /** Look-ups in flight at once; 1 to 1,000. Default 64. */
  readonly capacity?: number;
  /** Of one attempt. Default '5s'. */
  readonly timeout?: Duration;
  /** Attempts before a failing look-up is reported, or rejects. Default 3. */
  readonly retry?: { readonly attempts: number };
  /**
   * `ordered` keeps the order of the input; `unordered` emits answers as they arrive, never across
   * a watermark. Default 'ordered'.
   */
  readonly order?: 'ordered' | 'unordered';
  /**
   * `hold` retries until there is an answer, so that an outage rejects no valid data; `reject`
   * sends the element to the rejected table. Default 'hold'.
   */
  readonly whenFailing?: 'hold' | 'reject';
}

export interface LookupOptions<in T, out K extends Key> {
  readonly by: (value: T) => K;
}
