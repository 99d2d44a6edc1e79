/**
 * The attributes of an event, of the members that a record has for them: of a CloudEvent in
 * structured mode, or of headers. Pure; wire.ts finds the members.
 */
import type { EventAttributes } from './event.ts';
import { partitionKeyOf } from './event.ts';
import type { IncomingRecord } from './ports/record.ts';

export interface Undecodable {
  readonly problem: string;
}

/** What a JSON object has, under the names that mean something here and others. */
export type Members = Readonly<
  Partial<Record<keyof EventAttributes | 'specversion' | 'data_base64', unknown>>
> &
  Readonly<Record<string, unknown>>;

/**
 * CloudEvents: lower-case letters and digits. The specification only advises at most 20 of them,
 * and Debezium writes 31.
 */
export const extensionName = /^[a-z0-9]+$/;

/** Attributes with a place of their own in an event and in a header. */
export const headerAttributes = [
  'id',
  'source',
  'type',
  'subject',
  'time',
  'dataschema',
  'team',
  'app',
  'partitionkey',
  'receivedtime',
  'traceparent',
] as const;
const attributeNames = new Set<string>([...headerAttributes, 'datacontenttype']);

/** Members that are not extensions. */
export const readMembers = new Set<string>([
  'specversion',
  'data_base64',
  'data',
  ...attributeNames,
]);

/** What a record says of an event beside its members. */
export type Carrier = Pick<IncomingRecord, 'key' | 'arrivedAtMs'>;

/** `shared` has the members of `sharedNames`, `m` the others; one object may have all. */
export function attributesOf(
  m: Members,
  shared: Members,
  carrier: Carrier,
): EventAttributes | Undecodable {
  if (shared.specversion !== '1.0')
    return { problem: "the record is not a CloudEvent 1.0: its specversion is not '1.0'" };
  if (isGiven(m.data_base64))
    return { problem: 'the record carries data_base64; only JSON data is read' };
  let extensions: Record<string, string> | undefined;
  for (const name in m) {
    const value = m[name];
    if (attributeNames.has(name)) {
      if (typeof value !== 'string' && isGiven(value))
        return { problem: `the attribute '${name}' of the CloudEvent is not a string` };
      continue;
    }
    if (readMembers.has(name) || !extensionName.test(name)) continue;
    // Attributes that are none of ours are carried as text, not interpreted.
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      (extensions ??= {})[name] = String(value);
  }
  const id = textOf(m.id);
  const team = textOf(shared.team);
  const app = textOf(shared.app);
  if (id === undefined) return { problem: "the CloudEvent has no 'id'" };
  if (team === undefined || app === undefined)
    return { problem: "the CloudEvent has no 'team' and 'app'" };
  const received = textOf(m.receivedtime) ?? timeOf(carrier.arrivedAtMs);
  if (received === undefined)
    return {
      problem: `the record's arrival time, ${carrier.arrivedAtMs} ms, is outside the calendar`,
    };
  const subject = textOf(m.subject);
  const dataschema = textOf(m.dataschema);
  const traceparent = textOf(m.traceparent);
  const attributes: { -readonly [P in keyof EventAttributes]: EventAttributes[P] } = {
    id,
    source: textOf(shared.source) ?? `/${team}/${app}`,
    type: textOf(shared.type) ?? `${team}.${app}`,
    time: textOf(m.time) ?? received,
    datacontenttype: textOf(shared.datacontenttype) ?? 'application/json',
    team,
    app,
    partitionkey: textOf(m.partitionkey) ?? textOf(carrier.key) ?? partitionKeyOf({ id, subject }),
    receivedtime: received,
  };
  if (subject !== undefined) attributes.subject = subject;
  if (dataschema !== undefined) attributes.dataschema = dataschema;
  if (traceparent !== undefined) attributes.traceparent = traceparent;
  if (extensions !== undefined) attributes.extensions = extensions;
  return attributes;
}

/** The JSON format lets a writer say null for an attribute that is not set. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** CloudEvents has no empty attributes: one that is empty counts as not set. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A Kafka producer may put any 64-bit number into a record's timestamp. */
function timeOf(epochMs: number): string | undefined {
  const time = new Date(epochMs);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
