/**
 * Turns the records of a source into elements, and refuses those that are not events of its stream.
 */

import { claimScheme } from '../../schemas/claim.ts';
import type { EventAttributes, SluiceEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/limits.ts';
import type { JsonLosses } from '../../schemas/number-scan.ts';
import { jsonLosses } from '../../schemas/number-scan.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RejectionCode } from '../../schemas/rejection.ts';
import { decodeRecord } from '../../schemas/wire.ts';
import type { SetAside } from '../checkpoint/isolation.ts';
import { placeOf } from '../checkpoint/isolation.ts';
import type { Origin } from '../nodes/sink.ts';
import type { Batch } from '../operators/batch.ts';
import { splitKey } from '../operators/batch.ts';
import type { NodeCounts, Reject } from '../operators/operator.ts';
import type { SourceNode } from '../operators/source/kind.ts';
import type { Cursor } from './cursor.ts';

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
    if (aside === undefined) enter(cursor, record, batch, counts, reject);
    else setAside(cursor, record, aside, counts, reject);
    cursor.position = record.position;
    cursor.arrivedAtMs = record.arrivedAtMs;
  }
}

function setAside(
  cursor: Cursor,
  record: IncomingRecord,
  { operator, message }: SetAside,
  counts: NodeCounts,
  reject: Reject,
): void {
  const { source, route, split, key } = cursor;
  let origin = unknownOrigin(cursor, record);
  try {
    const decoded = decodeRecord(record);
    if (!('problem' in decoded)) {
      const { attributes, data } = decoded;
      origin = {
        stream: source.stream,
        path: route,
        split,
        splitKey: key,
        position: placeOf(record),
        attributes,
        data,
      };
    }
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

function enter(
  cursor: Cursor,
  record: IncomingRecord,
  batch: Batch,
  counts: NodeCounts,
  reject: Reject,
): void {
  const { source, route, split } = cursor;
  const decoded = decodeRecord(record);
  if ('problem' in decoded) return rejectRecord(cursor, record, decoded.problem, counts, reject);
  const { attributes, data, text } = decoded;
  // First of all: a row in the name of another stream's event would stand for that event.
  if (!isNamed(source.stream, attributes))
    return rejectRecord(
      cursor,
      record,
      `the record says that it belongs to ${attributes.team}/${attributes.app}`,
      counts,
      reject,
    );
  const origin: Origin = {
    stream: source.stream,
    path: route,
    split,
    splitKey: cursor.key,
    position: placeOf(record),
    attributes,
    data,
  };
  const claim = attributes.extensions?.['dataref'];
  if (claim?.startsWith(claimScheme) === true) {
    const why =
      record.unresolved ?? 'it is not a claim of this deployment, or no claim store is configured';
    const message = `its data is in the claim store and cannot be fetched (${claim}): ${why}`;
    return rejectRecord(cursor, record, message, counts, reject, origin, 'claim-unresolved');
  }
  const event = eventOf(attributes, text, source.dataText);
  if (typeof event === 'string') return rejectRecord(cursor, record, event, counts, reject, origin);
  const losses = jsonLosses(data);
  const unkept = losses === undefined ? undefined : unkeptOf(losses);
  if (unkept !== undefined)
    return rejectRecord(
      cursor,
      record,
      unkept.message,
      counts,
      reject,
      origin,
      'undecodable-record',
      unkept.pointer,
    );
  counts.passed++;
  batch.element(
    event,
    record.arrivedAtMs,
    losses === undefined ? origin : { ...origin, inexact: losses.inexact },
  );
}

/** Whether a stream is `team/app`. Without making the text, for each record. */
function isNamed(stream: string, { team, app }: EventAttributes): boolean {
  return (
    stream.length === team.length + 1 + app.length &&
    stream.startsWith(team) &&
    stream.endsWith(app) &&
    stream[team.length] === '/'
  );
}

/**
 * What no checkpoint could hold: JSON has no infinity, and writes nothing that is nested without
 * end.
 */
function unkeptOf({
  inexact,
  tooDeep,
}: JsonLosses): { readonly message: string; readonly pointer: string } | undefined {
  if (tooDeep)
    return { message: `the data is nested deeper than ${limits.jsonDepthMax} levels`, pointer: '' };
  const infinite = inexact.find(({ value }) => !Number.isFinite(value));
  return (
    infinite && {
      message: 'the number is larger than a double can hold',
      pointer: infinite.pointer,
    }
  );
}

function rejectRecord(
  cursor: Cursor,
  record: IncomingRecord,
  message: string,
  counts: NodeCounts,
  reject: Reject,
  known?: Origin,
  code: RejectionCode = 'undecodable-record',
  pointer: string | null = null,
): void {
  counts.rejected++;
  const { source } = cursor;
  const origin = known ?? unknownOrigin(cursor, record);
  reject({ node: source.id, code, message, pointer, schema: null, value: undefined, origin });
}

/** A record that is not an event has its place as its identity. */
function unknownOrigin(cursor: Cursor, record: IncomingRecord): Origin {
  return originOfPlace(cursor, placeOf(record), record.arrivedAtMs, record.value, record.key);
}

/** What has no event has its place in the stream. */
export function originOfPlace(
  {
    source,
    route,
    split,
  }: Pick<Cursor, 'route' | 'split'> & { readonly source: Pick<SourceNode, 'id' | 'stream'> },
  place: string,
  arrivedAtMs: number,
  data: Uint8Array,
  key = '',
): Origin {
  const [team = '', app = ''] = source.stream.split('/');
  // A Kafka producer may put any number into a record's timestamp; outside the calendar there is no
  // text for it.
  const arrived = new Date(arrivedAtMs);
  const receivedtime = (Number.isNaN(arrived.getTime()) ? new Date(0) : arrived).toISOString();
  const attributes: EventAttributes = {
    id: `${route}/${split}/${place}`,
    source: `/${source.stream}`,
    type: 'undecodable',
    time: receivedtime,
    datacontenttype: 'application/octet-stream',
    team,
    app,
    partitionkey: key,
    receivedtime,
  };
  return {
    stream: source.stream,
    path: route,
    split,
    splitKey: splitKey({ source: source.id, route, split }),
    position: place,
    attributes,
    data,
  };
}

/**
 * The event, or what is wrong with its data. One literal of known shape: spreading costs many times
 * as much.
 */
function eventOf(a: EventAttributes, text: string, dataText: boolean): SluiceEvent | string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'the data is not JSON';
  }
  const event: { -readonly [P in keyof SluiceEvent]: SluiceEvent[P] } = {
    id: a.id,
    source: a.source,
    type: a.type,
    time: a.time,
    datacontenttype: a.datacontenttype,
    team: a.team,
    app: a.app,
    partitionkey: a.partitionkey,
    receivedtime: a.receivedtime,
    data,
  };
  if (a.subject !== undefined) event.subject = a.subject;
  if (a.dataschema !== undefined) event.dataschema = a.dataschema;
  if (a.traceparent !== undefined) event.traceparent = a.traceparent;
  if (a.extensions !== undefined) event.extensions = a.extensions;
  if (dataText) event.dataText = text;
  return event;
}
