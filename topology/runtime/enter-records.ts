/**
 * Turns the records of a source into elements (enter.ts), and rejects those that are set aside.
 */

import { jsonLosses } from '../../schemas/number-scan.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { DecodedEvent } from '../../schemas/wire.ts';
import { decodeRecord } from '../../schemas/wire.ts';
import type { SetAside } from '../checkpoint/isolation.ts';
import { placeOf } from '../checkpoint/isolation.ts';
import type { Origin } from '../nodes/sink.ts';
import type { Batch } from '../operators/batch.ts';
import type { NodeCounts, Reject } from '../operators/operator.ts';
import type { Cursor } from './cursor.ts';
import type { RecordForm } from './enter.ts';
import { enter, unknownOrigin } from './enter.ts';

/** Why a record is set aside, by its place; undefined for one that is not. */
export type AsideOf = (place: string) => SetAside | undefined;

/**
 * Puts records into the source's batch as elements; what is not an event of this stream, or is set
 * aside, is rejected.
 */
export function enterRecords(
  cursor: Cursor,
  records: readonly IncomingRecord[],
  batch: Batch,
  counts: NodeCounts,
  reject: Reject,
  asideOf?: AsideOf,
): void {
  for (const record of records) {
    counts.in++;
    const aside = asideOf?.(placeOf(record));
    if (aside === undefined) enter(inBytes, cursor, record, batch, counts, reject);
    else setAside(cursor, record, aside, counts, reject);
    cursor.position = record.position;
    cursor.arrivedAtMs = record.arrivedAtMs;
  }
}

/** The engine's: records are bytes. */
const inBytes: RecordForm<IncomingRecord, DecodedEvent> = {
  decode: decodeRecord,
  losses: ({ data }) => jsonLosses(data),
  originOf: ({ source, route, split, key }, record, { attributes, data }, inexact) => {
    const origin: Origin = {
      stream: source.stream,
      path: route,
      split,
      splitKey: key,
      position: placeOf(record),
      attributes,
      data,
    };
    return inexact === undefined ? origin : { ...origin, inexact };
  },
  valueOf: ({ value }) => value,
};

function setAside(
  cursor: Cursor,
  record: IncomingRecord,
  { operator, message }: SetAside,
  counts: NodeCounts,
  reject: Reject,
): void {
  const { source } = cursor;
  let origin = unknownOrigin(cursor, record, record.value);
  try {
    const decoded = decodeRecord(record);
    if (!('problem' in decoded)) origin = inBytes.originOf(cursor, record, decoded, undefined);
  } catch {
    // What failed on it was to decode it: it has its place as its identity.
  }
  counts.rejected++;
  const where = operator === null ? 'the topology' : `'${operator}'`;
  const text = `${where} failed on it twice when it was processed alone, and continues without it: ${message}`;
  const node = operator ?? source.id;
  reject({
    node,
    code: 'operator-failed',
    message: text,
    pointer: null,
    schema: null,
    value: undefined,
    origin,
  });
}
