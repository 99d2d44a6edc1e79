/**
 * What a checkpoint keeps of a table, read again. Pure.
 */
import type { Check } from '../../schemas/shape.ts';
import {
  anything,
  date,
  listOf,
  mapOf,
  objectOf,
  oneOf,
  text,
  whole,
} from '../../schemas/shape.ts';
import { requireShape, stagedContent, stagedFor, targetIn } from '../lake/restored-state.ts';
import type { TableState } from './worker-protocol.ts';

/**
 * A table's state whichever way it was delivered when it was made: Firehose keeps that of the rows
 * that it could not take. Throws `SluiceError` `checkpoint-corrupt` where it is neither, or names
 * what is not the topology's own in the table.
 */
export function tableStateOf(
  restored: unknown,
  { table, topology }: { readonly table: string; readonly topology: string },
): TableState | undefined {
  const state = undelivered(restored, `the table '${table}'`);
  if (state === undefined) return undefined;
  requireShape(`the table '${table}'`, state, shapeOf(table, topology));
  return state as TableState;
}

/**
 * The part of a state that is of the table's own files. `sink`: in words. Throws `SluiceError`
 * `checkpoint-corrupt`.
 */
export function undelivered(restored: unknown, sink: string): unknown {
  if (restored === undefined) return undefined;
  requireShape(sink, restored, mapOf(anything));
  return Object.hasOwn(restored as object, 'fallback')
    ? (restored as { readonly fallback: unknown }).fallback
    : restored;
}

function shapeOf(table: string, topology: string): Check {
  const staged = stagedFor(table, topology);
  const rows = whole;
  const log = objectOf({ file: staged, bytes: whole, rows, since: date });
  const target = targetIn(table);
  const growing = objectOf({ partition: text, target, rows, bytes: whole, sinceMs: date });
  const file = stagedContent(table, topology);
  return objectOf(
    {
      staged: listOf((value, at) => file(value, at) ?? objectOf({ rows })(value, at)),
      log: (value, at) => (value === null ? undefined : log(value, at)),
    },
    { growing: objectOf({ shape: text, files: listOf(growing) }), order: finite },
  );
}

const finite = oneOf('a number', (value) => Number.isFinite(value));
