/**
 * A batch in parts, one for each worker: its elements by the key groups of their keys, its control
 * to all. Pure but for the author's function that gives the keys.
 *
 * Invariants:
 * 1. Each part has its rows in the order of the batch.
 * 2. The author's function is called once for an element, in the order of the batch: what gives
 *    another key each time gives one.
 * 3. An origin goes without the bytes that came, which operators do not read.
 */
import type { Origin, Provenance } from '../../nodes/sink.ts';
import type { Batch } from '../../operators/batch.ts';
import { Batch as Rows, rowKinds } from '../../operators/batch.ts';
import { keyTextOf } from '../../operators/key-text.ts';
import type { KeyedReads } from '../../operators/kind.ts';
import { keyGroups } from '../../state/entries.ts';
import { groupOfKeyText, operatorIndexOf } from '../../state/key-group.ts';
import type { SentRows } from './keyed-workers.ts';

export interface Split {
  /** By worker. */
  readonly parts: readonly SentRows[];
  /** By row: what the function of the keys threw, or the engine for the key. */
  readonly thrown: ReadonlyMap<number, unknown>;
}

interface Part {
  readonly rows: number[];
  readonly kinds: number[];
  readonly timestamps: number[];
  readonly keys: (string | undefined)[];
  readonly values: unknown[];
  readonly origins: unknown[];
}

/** Which worker has a key. */
function workerOfKey(text: string, parallelism: number): number {
  return workerOfGroup(groupOfKeyText(text), parallelism);
}

export function workerOfGroup(group: number, parallelism: number): number {
  return operatorIndexOf(group, parallelism, keyGroups);
}

export function splitRows(
  batch: Batch,
  parallelism: number,
  keyOf: (value: unknown) => unknown,
  reads: KeyedReads,
): Split {
  const parts = Array.from({ length: parallelism }, newPart);
  const thrown = new Map<number, unknown>();
  for (let row = 0; row < batch.length; row++) {
    const kind = batch.kinds[row] as number;
    const value = batch.values[row];
    if (kind !== rowKinds.element) {
      const told = kind === rowKinds.watermark ? value : undefined;
      for (const part of parts) add(part, batch, row, undefined, told, undefined);
      continue;
    }
    const origin = batch.origins[row];
    let key: string | undefined;
    try {
      key = keyTextOf(keyOf(value), origin);
    } catch (cause) {
      thrown.set(row, cause);
    }
    const worker = key === undefined ? 0 : workerOfKey(key, parallelism);
    add(
      parts[worker] as Part,
      batch,
      row,
      key,
      reads.values ? value : undefined,
      reads.origins ? sentOrigin(origin) : undefined,
    );
  }
  return { parts: parts.map((part) => sentOf(part, reads)), thrown };
}

function newPart(): Part {
  return { rows: [], kinds: [], timestamps: [], keys: [], values: [], origins: [] };
}

function add(
  part: Part,
  { kinds, timestamps }: Batch,
  row: number,
  key: string | undefined,
  value: unknown,
  origin: unknown,
): void {
  part.rows.push(row);
  part.kinds.push(kinds[row] as number);
  part.timestamps.push(timestamps[row] as number);
  part.keys.push(key);
  part.values.push(value);
  part.origins.push(origin);
}

function sentOf(part: Part, { origins }: KeyedReads): SentRows {
  return {
    rows: Int32Array.from(part.rows),
    kinds: Uint8Array.from(part.kinds),
    timestamps: Float64Array.from(part.timestamps),
    keys: part.keys,
    values: part.values,
    origins: origins ? part.origins : undefined,
  };
}

type SentOrigin =
  | Provenance
  | readonly [stream: string, path: string, split: string, position: string, element?: string];

function sentOrigin(origin: Provenance | undefined): SentOrigin | undefined {
  if (origin === undefined || origin.derived !== undefined) return origin;
  const { stream, path, split, position, element } = origin;
  return element === undefined
    ? [stream, path, split, position]
    : [stream, path, split, position, element];
}

const noBytes = new Uint8Array();
const noAttributes = {} as Origin['attributes'];

/** What an operator reads of an origin is there. */
function receivedOrigin(sent: SentOrigin | undefined): Provenance | undefined {
  if (!Array.isArray(sent)) return sent as Provenance | undefined;
  const [stream, path, split, position, element] = sent as readonly [
    string,
    Origin['path'],
    string,
    string,
    string?,
  ];
  const origin: Origin = {
    stream,
    path,
    split,
    splitKey: '',
    position,
    attributes: noAttributes,
    data: noBytes,
  };
  return element === undefined ? origin : { ...origin, element };
}

/** The part of a batch, where it has come. */
export function receivedRows({ kinds, timestamps, values, origins }: SentRows): Batch {
  const batch = new Rows();
  for (let i = 0; i < kinds.length; i++)
    batch.push(
      kinds[i] as Batch['kinds'][number],
      values[i],
      timestamps[i] as number,
      receivedOrigin(origins?.[i] as SentOrigin | undefined),
    );
  return batch;
}
