/**
 * What waits in a look-up, as a checkpoint has it: rows as they came, in order. A restored operator
 * asks again.
 */
import type { Provenance } from '../../nodes/sink.ts';
import type { EncodedOrigin } from '../../state/origin.ts';
import { encodeOrigin } from '../../state/origin.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { encodeTime } from '../../time/watermark.ts';
import type { RowKind } from '../batch.ts';
import { rowKinds } from '../batch.ts';

type EncodedRow = readonly [
  kind: RowKind,
  timestamp: EncodedTime,
  value: unknown,
  origin: EncodedOrigin | null,
];

export interface LookupSnapshot {
  readonly rows: readonly EncodedRow[];
  /** Absent in state of before it was known. */
  readonly idle?: IdleState;
}

/** Whether the input said last that it is idle, and whether that was said downstream. */
export interface IdleState {
  readonly said: boolean;
  readonly told: boolean;
}

/** The elements that wait in a look-up's state. */
export function* lookupElements({
  rows,
}: LookupSnapshot): Generator<readonly [input: number, value: unknown]> {
  for (const [kind, , value] of rows) if (kind === rowKinds.element) yield [0, value];
}

/** `origin`: of an element, where it is known. */
export function encodeRow(
  kind: RowKind,
  timestamp: number,
  value: unknown,
  origin: Provenance | undefined,
): EncodedRow {
  const from = origin === undefined ? null : encodeOrigin(origin);
  return [kind, encodeTime(timestamp), value ?? null, from];
}
