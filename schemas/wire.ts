/**
 * The wire: how an event becomes a record and a record an event again. Small path: one CloudEvent
 * in structured mode
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). Large path:
 * binary mode of the Kafka binding
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
 *
 * Invariants:
 * 1. `data` is never serialised again: the client's bytes, already checked to be one JSON value,
 *    are spliced in and come out unchanged.
 * 2. Attributes are JSON-encoded, so no attribute can end its string and become structure.
 * 3. `data` is the last member of what is written here; a record of somebody else may have it
 *    anywhere.
 * 4. Attributes are well-formed Unicode (the ingress sees to it): half a surrogate pair would not
 *    survive a Kafka header.
 */
import type { EventAttributes } from './event.ts';
import { isFault, scanObject } from './json-scan.ts';
import { bufferOf } from './kernel/buffer-of.ts';
import { kibi } from './kernel/bytes.ts';
import { quoteJson } from './kernel/json-quote.ts';
import { limits } from './limits.ts';
import type { IncomingRecord } from './ports/record.ts';
import type { Carrier, Members, Undecodable } from './wire-attributes.ts';
import { attributesOf, extensionName, headerAttributes, readMembers } from './wire-attributes.ts';

/**
 * What records of one stream begin with, parsed once and remembered: starts, and characters of
 * one.
 */
const sharedMembersMaxEntries = 256;
const sharedMembersMaxChars = kibi;

export interface DecodedEvent {
  readonly attributes: EventAttributes;
  /** The client's bytes, a view into the record. */
  readonly data: Uint8Array;
  /** The same as text. */
  readonly text: string;
}

const headStart = '{"specversion":"1.0",';
const tail = Buffer.from('}');
const nullData = Buffer.from('null');
const dataMember = ',"data":';

/** Structured mode, in pieces: head, data, tail. */
export function encodeStructured(
  attributes: EventAttributes,
  data: Uint8Array,
): readonly Uint8Array[] {
  return [structuredHead(attributes), data, tail];
}

/** Bytes that structured mode adds to the data. */
export function structuredHeadBytes(attributes: EventAttributes): number {
  return structuredHead(attributes).length + tail.length;
}

function structuredHead(a: EventAttributes): Buffer {
  const id = quoteJson(a.id);
  const time = quoteJson(a.time);
  let head = `${startOf(a)},"id":${id},"time":${time}`;
  if (a.subject !== undefined) head += `,"subject":${quoteJson(a.subject)}`;
  if (a.dataschema !== undefined) head += `,"dataschema":${quoteJson(a.dataschema)}`;
  head +=
    `,"partitionkey":${a.partitionkey === a.id ? id : quoteJson(a.partitionkey)}` +
    `,"receivedtime":${a.receivedtime === a.time ? time : quoteJson(a.receivedtime)}`;
  if (a.traceparent !== undefined) head += `,"traceparent":${quoteJson(a.traceparent)}`;
  if (a.extensions !== undefined)
    for (const [name, value] of Object.entries(a.extensions))
      head += `,"${name}":${quoteJson(value)}`;
  return Buffer.from(`${head},"data":`);
}

type Start = Pick<EventAttributes, 'source' | 'type' | 'datacontenttype' | 'team' | 'app'>;
let lastStart: Start = { source: '', type: '', datacontenttype: '', team: '', app: '' };
let lastStartText = '';

/** What most events of a stream have in common is quoted once for all that follow each other. */
function startOf({ source, type, datacontenttype, team, app }: EventAttributes): string {
  const last = lastStart;
  const isSame =
    last.source === source &&
    last.type === type &&
    last.datacontenttype === datacontenttype &&
    last.team === team &&
    last.app === app &&
    lastStartText !== '';
  if (isSame) return lastStartText;
  lastStart = { source, type, datacontenttype, team, app };
  lastStartText =
    `${headStart}"source":${quoteJson(source)},"type":${quoteJson(type)},"datacontenttype":${quoteJson(datacontenttype)}` +
    `,"team":${quoteJson(team)},"app":${quoteJson(app)}`;
  return lastStartText;
}

/**
 * Binary mode: attributes in `ce_` headers, data as the value, the partition key as the record's
 * key.
 */
export function encodeBinary(
  attributes: EventAttributes,
  data: Uint8Array,
): {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: readonly Uint8Array[];
} {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    'content-type': attributes.datacontenttype,
  };
  for (const name of headerAttributes) {
    const value = attributes[name];
    if (value !== undefined) headers[`ce_${name}`] = value;
  }
  for (const [name, value] of Object.entries(attributes.extensions ?? {}))
    headers[`ce_${name}`] = value;
  return { key: attributes.partitionkey, headers, value: [data] };
}

/** The event that a record carries, or why it carries none. */
export function decodeRecord(record: IncomingRecord): DecodedEvent | Undecodable {
  const { headers, value } = record;
  if (headers?.['ce_specversion'] !== undefined) {
    // A tombstone, or an event without data.
    const data = value.length === 0 ? nullData : value;
    const text = bufferOf(data).toString('utf8');
    return decoded(attributesInHeaders(headers, record), data, text);
  }
  const text = bufferOf(value).toString('utf8');
  const at = dataAt(text);
  const attributes = at > 0 ? ownAttributes(text, at, record) : undefined;
  if (attributes === undefined) return decodeForeign(record);
  const data = value.subarray(startOfData(value, at), value.length - 1);
  return decoded(attributes, data, ownData(text, at));
}

/** A record whose value is valid UTF-8, as its text. */
export type TextRecord = Omit<IncomingRecord, 'value'> & { readonly text: string };

/** An event of a record that is text: what it is as bytes is not asked for. */
export type DecodedText = Omit<DecodedEvent, 'data'>;

/** The same as `decodeRecord` gives for its bytes, without them where nobody else wrote it. */
export function decodeText(record: TextRecord): DecodedText | Undecodable {
  const { headers, text } = record;
  if (headers?.['ce_specversion'] !== undefined)
    return decodedText(attributesInHeaders(headers, record), text === '' ? 'null' : text);
  const at = dataAt(text);
  const attributes = at > 0 ? ownAttributes(text, at, record) : undefined;
  if (attributes !== undefined) return decodedText(attributes, ownData(text, at));
  return decodeForeign({ ...record, value: Buffer.from(text, 'utf8') });
}

function decoded(
  attributes: EventAttributes | Undecodable,
  data: Uint8Array,
  text: string,
): DecodedEvent | Undecodable {
  return 'problem' in attributes ? attributes : { attributes, data, text };
}

function decodedText(
  attributes: EventAttributes | Undecodable,
  text: string,
): DecodedText | Undecodable {
  return 'problem' in attributes ? attributes : { attributes, text };
}

function attributesInHeaders(
  headers: Readonly<Record<string, string>>,
  carrier: Carrier,
): EventAttributes | Undecodable {
  const members: Record<string, unknown> = {
    specversion: headers['ce_specversion'],
    datacontenttype: headers['content-type'],
  };
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith('ce_')) members[name.slice(3)] = value;
  return attributesOf(members, members, carrier);
}

/**
 * Where `data` begins in a record that may have been written here; not above 0 in all others.
 * Inside a JSON string every quote is escaped, so the first raw `,"data":` ends the attributes.
 */
function dataAt(text: string): number {
  return text.startsWith(headStart) && text.endsWith('}') ? text.indexOf(dataMember) : -1;
}

function ownData(text: string, at: number): string {
  return text.slice(at + dataMember.length, -1);
}

/** The attributes of a record that was written here; undefined for one of somebody else. */
function ownAttributes(
  text: string,
  at: number,
  carrier: Carrier,
): EventAttributes | Undecodable | undefined {
  const shared = sharedIn(text, at);
  const own = shared && parseFlat(`{${text.slice(shared.text.length + 1, at)}}`);
  if (own !== undefined && hasNoneOfShared(own) && typeof own.receivedtime === 'string')
    return attributesOf(own, (shared as Shared).members, carrier);
  const members = parseFlat(`${text.slice(0, at)}}`);
  return members !== undefined && isOurs(members)
    ? attributesOf(members, members, carrier)
    : undefined;
}

/**
 * Where the data starts: in bytes as in characters, but where there are characters of several bytes
 * before it.
 */
function startOfData(value: Uint8Array, at: number): number {
  let same = 0;
  while (same < dataMember.length && value[at + same] === dataMember.charCodeAt(same)) same++;
  const start = same === dataMember.length ? at : bufferOf(value).indexOf(dataMember);
  return start + dataMember.length;
}

const idMember = ',"id":';
const sharedNames = ['specversion', 'source', 'type', 'datacontenttype', 'team', 'app'] as const;

/** What records written here begin with, and its members. */
interface Shared {
  readonly text: string;
  readonly members: Members;
}

/** By their text: those that most records of a stream have in common are parsed once. */
const remembered = new Map<string, Shared>();
/** Of the record before: most begin as it did, and to compare costs less than to look up. */
let last: Shared = { text: '', members: {} };

/** What a record written here, whose data is at `at`, begins with. */
function sharedIn(text: string, at: number): Shared | undefined {
  if (text.startsWith(last.text) && text.startsWith(idMember, last.text.length)) return last;
  const end = text.indexOf(idMember);
  const found = end > 0 && end < at ? sharedOf(text.slice(0, end)) : undefined;
  if (found !== undefined) last = found;
  return found;
}

/** Undefined where its members are others. */
function sharedOf(start: string): Shared | undefined {
  const known = remembered.get(start);
  if (known !== undefined) return known;
  const members = parseFlat(`${start}}`);
  if (members === undefined || Object.keys(members).join() !== sharedNames.join()) return undefined;
  if (!sharedNames.every((name) => typeof members[name] === 'string')) return undefined;
  // A copy: a part of a text keeps the whole of it.
  const shared = { text: Buffer.from(start).toString(), members };
  if (start.length <= sharedMembersMaxChars) {
    if (remembered.size >= sharedMembersMaxEntries) remembered.clear();
    remembered.set(shared.text, shared);
  }
  return shared;
}

/**
 * Of two members of one name the last counts: one that is given again is not what the record began
 * with.
 */
function hasNoneOfShared(m: Members): boolean {
  return (
    m.specversion === undefined &&
    m.source === undefined &&
    m.type === undefined &&
    m.datacontenttype === undefined &&
    m.team === undefined &&
    m.app === undefined
  );
}

/**
 * A record of Sluice itself has these; only in such a one is `data` known to be last. Should
 * somebody take one over and append to it, what is read as data is a value, a comma and more: never
 * JSON, so that it is refused and not misread.
 */
function isOurs(members: Members): boolean {
  return (
    typeof members.receivedtime === 'string' &&
    typeof members.team === 'string' &&
    typeof members.app === 'string'
  );
}

function parseFlat(text: string): Members | undefined {
  try {
    const members: unknown = JSON.parse(text);
    if (typeof members !== 'object' || members === null || Array.isArray(members)) return undefined;
    return members as Members;
  } catch {
    return undefined;
  }
}

function decodeForeign(record: IncomingRecord): DecodedEvent | Undecodable {
  const { value } = record;
  const scanned = scanObject(value);
  if (isFault(scanned)) {
    return {
      problem: `the record is not JSON: at byte ${scanned.offset} expected ${scanned.expected}, found ${scanned.found}`,
    };
  }
  if (scanned.kind !== 'object')
    return { problem: 'the record is not a CloudEvent: it is JSON, but not an object' };
  const members: Record<string, unknown> = {};
  let data: Uint8Array = nullData;
  for (const { name, start, end } of scanned.members) {
    if (name === 'data') data = value.subarray(start, end);
    else if (
      readMembers.has(name) ||
      (extensionName.test(name) && end - start <= limits.extensionsMaxBytes)
    )
      members[name] = JSON.parse(
        Buffer.from(value.buffer, value.byteOffset + start, end - start).toString('utf8'),
      );
  }
  const text = bufferOf(data).toString('utf8');
  return decoded(attributesOf(members, members, record), data, text);
}
