/**
 * Turns one record of a source into an element, or refuses it where it is not an event of the
 * source's stream. How a record is read is given: the engine has its bytes (enter-records.ts), a
 * Flink job its text (deploy/flink/runtime/record-forms.ts).
 */
import { claimScheme } from '../../schemas/claim.ts';
import type { EventAttributes, SluiceEvent } from '../../schemas/event.ts';
import type { InexactNumber, JsonLosses } from '../../schemas/inexact-numbers.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RejectionCode } from '../../schemas/rejection.ts';
import type { DecodedText } from '../../schemas/wire.ts';
import type { Undecodable } from '../../schemas/wire-attributes.ts';
import { placeOf } from '../checkpoint/isolation.ts';
import type { Origin } from '../nodes/sink.ts';
import type { Batch } from '../operators/batch.ts';
import { splitKey } from '../operators/batch.ts';
import type { NodeCounts, Reject } from '../operators/operator.ts';
import type { SourceNode } from '../operators/source/kind.ts';
import type { Cursor } from './cursor.ts';

/** A record without its value. */
export type RecordHead = Omit<IncomingRecord, 'value'>;

/** How records are read. */
export interface RecordForm<R extends RecordHead, D extends DecodedText> {
  readonly decode: (record: R) => D | Undecodable;
  /** What JSON.parse loses of an event's data, which is JSON. */
  readonly losses: (decoded: D) => JsonLosses | undefined;
  /** Where an event is from; `inexact` as `Origin` has it. */
  readonly originOf: (
    from: EntrySplit,
    record: R,
    decoded: D,
    inexact: readonly InexactNumber[] | undefined,
  ) => Origin;
  /** The value of a record that is not an event, as it came. */
  readonly valueOf: (record: R) => Uint8Array;
}

/** The split whose records enter. */
export type EntrySplit = Pick<Cursor, 'route' | 'split' | 'key' | 'source'>;

/** Puts a record into the source's batch as an element, or rejects it. */
export function enter<R extends RecordHead, D extends DecodedText>(
  form: RecordForm<R, D>,
  from: EntrySplit,
  record: R,
  batch: Batch,
  counts: NodeCounts,
  reject: Reject,
): void {
  const { source } = from;
  const decoded = form.decode(record);
  const refused = 'problem' in decoded ? decoded.problem : foreignOf(source, decoded);
  if (refused !== undefined) {
    const origin = unknownOrigin(from, record, form.valueOf(record));
    return rejectRecord(from, { message: refused, origin }, counts, reject);
  }
  const { attributes, text } = decoded as D;
  const origin = form.originOf(from, record, decoded as D, undefined);
  const claim = attributes.extensions?.['dataref'];
  if (claim?.startsWith(claimScheme) === true) {
    const why =
      record.unresolved ?? 'it is not a claim of this deployment, or no claim store is configured';
    const message = `its data is in the claim store and cannot be fetched (${claim}): ${why}`;
    return rejectRecord(from, { message, origin, code: 'claim-unresolved' }, counts, reject);
  }
  const event = eventOf(attributes, text, source.dataText);
  if (typeof event === 'string')
    return rejectRecord(from, { message: event, origin }, counts, reject);
  const losses = form.losses(decoded as D);
  const unkept = losses === undefined ? undefined : unkeptOf(losses);
  if (unkept !== undefined) return rejectRecord(from, { ...unkept, origin }, counts, reject);
  counts.passed++;
  batch.element(
    event,
    record.arrivedAtMs,
    losses === undefined ? origin : form.originOf(from, record, decoded as D, losses.inexact),
  );
}

/** First of all: a row in the name of another stream's event would stand for that event. */
function foreignOf(
  { stream }: Pick<SourceNode, 'stream'>,
  { attributes }: DecodedText,
): string | undefined {
  if (isNamed(stream, attributes)) return undefined;
  return `the record says that it belongs to ${attributes.team}/${attributes.app}`;
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

interface Refusal {
  readonly message: string;
  readonly origin: Origin;
  readonly code?: RejectionCode;
  readonly pointer?: string;
}

function rejectRecord(
  { source }: EntrySplit,
  { message, origin, code = 'undecodable-record', pointer }: Refusal,
  counts: NodeCounts,
  reject: Reject,
): void {
  counts.rejected++;
  reject({
    node: source.id,
    code,
    message,
    pointer: pointer ?? null,
    schema: null,
    value: undefined,
    origin,
  });
}

/** A record that is not an event has its place as its identity. */
export function unknownOrigin(from: EntrySplit, record: RecordHead, value: Uint8Array): Origin {
  return originOfPlace(from, placeOf(record), record.arrivedAtMs, value, record.key);
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
