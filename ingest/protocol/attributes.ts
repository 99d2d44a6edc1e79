/**
 * From what a client sent to an event's attributes. Pure.
 *
 * Order of precedence: the envelope's or the pointers' values, then headers, then defaults (DESIGN:
 * the event). Invariant: every attribute is a non-empty string of at most
 * `limits.attributeMaxBytes` that CloudEvents allows; the partition key fits Kinesis.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { partitionKeyOf } from '../../schemas/event.ts';
import type { JsonMember, Span } from '../../schemas/json-scan.ts';
import { findPointer, isFault, parsePointer } from '../../schemas/json-scan.ts';
import { parseTime } from '../../schemas/kernel/time.ts';
import { limits } from '../../schemas/limits.ts';
import { isText, notText, textExpected } from './attribute-text.ts';
import type { ClientContext } from './client-context.ts';
import { withContext } from './client-context.ts';
import { scanMembers } from './members.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal, pointerTo } from './refusal.ts';

/** What the request says about its events, beside the body. */
export interface RequestHead {
  /** RFC 3339 */
  readonly receivedtime: string;
  readonly traceparent: string;
  readonly id?: string;
  readonly type?: string;
  readonly time?: string;
  readonly key?: string;
  /** What the client was, where the stream asks for it. */
  readonly context?: ClientContext;
}

export interface AcceptedEvent {
  readonly attributes: EventAttributes;
  /** Where the data lies in the body; undefined for an event without, whose data is null. */
  readonly data: Span | undefined;
  /** The id is the client's own: it may come again. */
  readonly ownId: boolean;
  /** Its data is the member `data` of an object that was sent: pointers into it begin there. */
  readonly isWrapped: boolean;
  /** The time is the client's own, and so a part of what makes a repeat the same event. */
  readonly ownTime: boolean;
  /** The extensions without what the ingress added. */
  readonly ownExtensions: Readonly<Record<string, string>> | undefined;
  /**
   * Parts of the data that a sender's library writes anew each time it tries: what differs in them
   * is the same event.
   */
  readonly restless?: readonly Span[];
}

/** What an event says of itself. */
export type Given = {
  -readonly [P in
    | 'id'
    | 'type'
    | 'time'
    | 'subject'
    | 'partitionkey'
    | 'source'
    | 'dataschema'
    | 'datacontenttype'
    | 'traceparent']?: string;
} & { extensions?: Record<string, string> };

type AttributeName =
  | 'id'
  | 'source'
  | 'type'
  | 'time'
  | 'subject'
  | 'partitionkey'
  | 'dataschema'
  | 'datacontenttype';

/** Where an attribute was said, for its refusal. */
export interface Place {
  /** As people know it: a header, a member. */
  readonly label: string;
  /** JSON pointer, where it was in the body. */
  readonly pointer?: string;
}

export type PlaceOf = (name: AttributeName) => Place;

export const envelopeMembers = ['id', 'type', 'time', 'subject', 'partitionkey', 'source'] as const;
const traceparentParts =
  /^([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-|$)/;
const traceparentChars = 55;
const ascii = /^[\x20-\x7e]*$/;
/** What nearly every attribute is: one look instead of three. */
const plain = new RegExp(`^[\\x20-\\x7e]{1,${limits.attributeMaxBytes}}$`);

/**
 * The trace context of a sender (https://www.w3.org/TR/trace-context/#versioning-of-traceparent);
 * undefined where it is none. One of a version after 00 is said again in the terms of version 00:
 * what it has beyond is not known here.
 */
export function readTraceparent(text: string): string | undefined {
  if (text === '') return undefined;
  const [, version, ids, flags = '', more] = traceparentParts.exec(text) ?? [];
  if (version === undefined || version === 'ff') return undefined;
  if (version === '00') return text.length === traceparentChars ? text : undefined;
  return more === '-' || text.length === traceparentChars
    ? `00-${ids}-0${Number.parseInt(flags, 16) & 1}`
    : undefined;
}

/** The head of an event that says everything itself: the headers say nothing about it. */
export function headWithoutEvent({ receivedtime, traceparent, context }: RequestHead): RequestHead {
  return context === undefined
    ? { receivedtime, traceparent }
    : { receivedtime, traceparent, context };
}

/** The event whose JSON value lies at `span` of a body that was checked. */
export function deriveEvent(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  if (stream.envelope === 'sluice') return deriveEnveloped(body, span, stream, head, newId);
  return deriveBare(body, span, {}, stream, head, newId);
}

/**
 * The event whose data lies at `span`, and of which `given` is said elsewhere, at `placeOf`:
 * pointers are followed for the rest.
 */
export function deriveBare(
  body: Buffer,
  span: Span,
  given: Given,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  placeOf: PlaceOf = (name) => pointedPlace(stream, name),
): AcceptedEvent | Refusal {
  return (
    followPointers(body, span, stream, given) ??
    finishEvent(given, span, stream, head, newId, placeOf)
  );
}

/** Where a stream's pointers find an attribute. */
export function pointedPlace({ event }: StreamConfig, name: AttributeName): Place {
  const pointer = event[name === 'partitionkey' ? 'key' : (name as 'id' | 'type' | 'time')];
  return pointer === undefined ? { label: name } : { label: name, pointer };
}

/** Attributes that are members of one object with the data. */
export const memberPlace: PlaceOf = (name) => ({ label: name, pointer: `/${name}` });

/** The event whose envelope lies at `span`; members named in `beside` are not its own. */
export function deriveEnveloped(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  beside: readonly string[] = [],
): AcceptedEvent | Refusal {
  const given: Given = {};
  const opened = openEnvelope(body, span, given, beside);
  return isRefusal(opened) ? opened : finishEvent(given, opened, stream, head, newId, memberPlace);
}

/**
 * The event that says `given` of itself, at `placeOf`: what it leaves out comes from the head of
 * its request, then from the defaults.
 */
export function finishEvent(
  given: Given,
  data: Span | undefined,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  placeOf: PlaceOf,
): AcceptedEvent | Refusal {
  const ownId = given.id ?? head.id;
  const id = ownId ?? newId();
  const key = given.partitionkey ?? head.key;
  const attributes: { -readonly [P in keyof EventAttributes]: EventAttributes[P] } = {
    id,
    source: given.source ?? `/${stream.name}`,
    type: given.type ?? head.type ?? `${stream.team}.${stream.app}`,
    time: given.time ?? head.time ?? head.receivedtime,
    datacontenttype: given.datacontenttype ?? 'application/json',
    team: stream.team,
    app: stream.app,
    partitionkey: partitionKeyOf({ id, subject: given.subject, partitionkey: key }),
    receivedtime: head.receivedtime,
    traceparent:
      (given.traceparent === undefined ? undefined : readTraceparent(given.traceparent)) ??
      head.traceparent,
  };
  if (given.subject !== undefined) attributes.subject = given.subject;
  if (given.dataschema !== undefined) attributes.dataschema = given.dataschema;
  const extensions =
    head.context === undefined ? given.extensions : withContext(given.extensions, head.context);
  if (extensions !== undefined) attributes.extensions = extensions;
  return (
    checkAttributes(attributes, key, given, head, placeOf) ?? {
      attributes,
      data,
      ownId: ownId !== undefined,
      isWrapped: placeOf === memberPlace,
      ownTime: given.time !== undefined || head.time !== undefined,
      ownExtensions: given.extensions,
    }
  );
}

function openEnvelope(
  body: Buffer,
  span: Span,
  given: Given,
  beside: readonly string[],
): Span | Refusal {
  const scanned = scanMembers(body, span.start, span.end);
  if (isRefusal(scanned)) return scanned;
  const expected =
    "an object with 'data' and optional id, type, time, subject, partitionkey, source";
  const refuse = (message: string, pointer: string): Refusal => ({
    status: 400,
    code: 'envelope-invalid',
    message,
    expected,
    pointer,
  });
  if (isFault(scanned) || scanned.kind !== 'object')
    return refuse('the event must be an object', '');
  let data: JsonMember | undefined;
  for (const member of scanned.members) {
    const { name } = member;
    const pointer = pointerTo(name);
    if (name === 'data') {
      if (data !== undefined) return refuse("'data' stands twice", pointer);
      data = member;
      continue;
    }
    if (beside.includes(name)) continue;
    if (!isEnvelopeMember(name))
      return refuse(`'${name.slice(0, 64)}' is not a member of the envelope`, pointer);
    if (given[name] !== undefined) return refuse(`'${name}' stands twice`, pointer);
    const value = stringAt(body, member);
    if (value === undefined) return refuse(`'${name}' must be a string`, pointer);
    given[name] = value;
  }
  return data ?? refuse("'data' is missing", '/data');
}

function isEnvelopeMember(name: string): name is (typeof envelopeMembers)[number] {
  return (envelopeMembers as readonly string[]).includes(name);
}

const pointerTargets = { id: 'id', time: 'time', key: 'partitionkey', type: 'type' } as const;

function followPointers(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  given: Given,
): Refusal | undefined {
  for (const name of ['id', 'time', 'key', 'type'] as const) {
    const pointer = stream.event[name];
    if (pointer === undefined || given[pointerTargets[name]] !== undefined) continue;
    const found = findPointer(body, span, pathOf(pointer));
    const value = found === undefined ? undefined : scalarAt(body, found);
    if (value === undefined) {
      const message =
        found === undefined
          ? 'the member is missing'
          : 'the member is neither a string nor a number';
      return {
        status: 400,
        code: 'attribute-missing',
        message,
        expected: `the event's ${name} as a string or a number at ${pointer}`,
        pointer,
      };
    }
    given[pointerTargets[name]] = value;
  }
  return undefined;
}

const parsed = new Map<string, readonly string[]>();

/** A pointer of the configuration, parsed once. */
function pathOf(pointer: string): readonly string[] {
  let path = parsed.get(pointer);
  if (path === undefined) parsed.set(pointer, (path = parsePointer(pointer) ?? []));
  return path;
}

export function stringAt(body: Buffer, span: Span): string | undefined {
  return body[span.start] === 0x22
    ? (JSON.parse(body.toString('utf8', span.start, span.end)) as string)
    : undefined;
}

/** A string's value, or a number as it was written. */
function scalarAt(body: Buffer, span: Span): string | undefined {
  const first = body[span.start] as number;
  if (first === 0x2d || (first >= 0x30 && first <= 0x39))
    return body.toString('utf8', span.start, span.end);
  return stringAt(body, span);
}

/** What is expected where a time is refused. */
export const timeExpected = 'an RFC 3339 time such as 2013-01-01T10:17:00Z';

const headerNames = {
  id: 'X-Event-Id',
  type: 'X-Event-Type',
  time: 'X-Event-Time',
  key: 'X-Partition-Key',
} as const;

/**
 * Why what the headers say of events cannot be read. They are ASCII: the server reads other bytes
 * as Latin-1, and takes those at a value's ends for blanks, so that two ids could become one.
 */
export function checkHead(head: RequestHead): Refusal | undefined {
  for (const name of ['id', 'type', 'time', 'key'] as const) {
    const value = head[name];
    if (value === undefined || ascii.test(value)) continue;
    return {
      status: 400,
      code: 'attribute-invalid',
      message: `${headerNames[name]} is not ASCII`,
      expected: 'printable ASCII; other text inside the event',
    };
  }
  return undefined;
}

const attributeNames = [
  'id',
  'source',
  'type',
  'time',
  'subject',
  'partitionkey',
  'dataschema',
  'datacontenttype',
] as const;

/**
 * Of what was said, not of what was made here. `key`: the partition key that was said, before it
 * became a digest.
 */
function checkAttributes(
  attributes: EventAttributes,
  key: string | undefined,
  given: Given,
  head: RequestHead,
  placeOf: PlaceOf,
): Refusal | undefined {
  for (const name of attributeNames) {
    const value = name === 'partitionkey' ? key : attributes[name];
    if (
      value === undefined ||
      (given[name] === undefined && !isSaid(head, name)) ||
      plain.test(value)
    )
      continue;
    // A partition key of any length becomes a digest.
    if (
      value === '' ||
      (name !== 'partitionkey' && Buffer.byteLength(value) > limits.attributeMaxBytes)
    ) {
      const expected = `1 to ${limits.attributeMaxBytes} bytes of UTF-8`;
      return refuseAttribute(
        name,
        `has ${Buffer.byteLength(value)} bytes`,
        expected,
        given,
        placeOf,
      );
    }
    if (!isText(value)) return refuseAttribute(name, notText, textExpected, given, placeOf);
  }
  if (attributes.time !== head.receivedtime) {
    const time = parseTime(attributes.time);
    if (typeof time !== 'number') {
      const message = `'${attributes.time.slice(0, 40)}' is not a valid time: ${time.reason}`;
      return refuseAttribute('time', message, timeExpected, given, placeOf);
    }
  }
  return undefined;
}

/** Whether a header of the request says it. */
function isSaid(head: RequestHead, name: AttributeName): boolean {
  switch (name) {
    case 'id':
    case 'type':
    case 'time':
      return head[name] !== undefined;
    case 'partitionkey':
      return head.key !== undefined;
    default:
      return false;
  }
}

function refuseAttribute(
  name: AttributeName,
  message: string,
  expected: string,
  given: Given,
  placeOf: PlaceOf,
): Refusal {
  const { label, pointer } = given[name] === undefined ? headPlace(name) : placeOf(name);
  const refusal: Refusal = {
    status: 400,
    code: 'attribute-invalid',
    message: `${label} ${message}`,
    expected,
  };
  return pointer === undefined ? refusal : { ...refusal, pointer };
}

/**
 * Of an attribute that the event did not say: a header of its request, or what it was derived from.
 */
function headPlace(name: AttributeName): Place {
  const header =
    name === 'partitionkey'
      ? headerNames.key
      : (headerNames as Readonly<Partial<Record<AttributeName, string>>>)[name];
  return { label: header ?? name };
}
