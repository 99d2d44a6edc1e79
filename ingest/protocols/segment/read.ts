/**
 * Messages of the Segment tracking API (https://segment.com/docs/connections/spec/common/): each is
 * an event, its own bytes are the data. Pure.
 *
 * id = messageId, type = `segment.` + the message's type, key = userId, else anonymousId. The time
 * is what the device said, moved by as much as its clock was off: timestamp = received - (sentAt -
 * originalTimestamp), as Segment computes it. A time that is not understood refuses its message; a
 * sentAt that is not only corrects nothing.
 *
 * What a batch says beside its messages (`context`, `integrations`) is not copied into them: no
 * data is ever made again. Segment's own libraries put it into each message.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import type { JsonMember, Span } from '../../../schemas/json-scan.ts';
import { checkJson, findPointer, isFault, scanArray } from '../../../schemas/json-scan.ts';
import type { TimeFault } from '../../../schemas/kernel/time.ts';
import { endOfTimeMs, isTime, parseTime, startOfTimeMs } from '../../../schemas/kernel/time.ts';
import { limits } from '../../../schemas/limits.ts';
import { timeExpected } from '../../event/attribute-check.ts';
import { finishEvent } from '../../event/attributes.ts';
import type { AcceptedEvent, Place, RequestHead } from '../../event/given.ts';
import { headWithoutEvent } from '../../event/given.ts';
import { notJson } from '../../event/json-fault.ts';
import { scanMembers } from '../../event/members.ts';
import type { ReadBody } from '../../event/read-body.ts';
import { checkCount, elements } from '../../event/read-body.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import { stringAt } from '../../event/scalars.ts';
import { parseIsoTime, parseUnixTime } from './time.ts';

export const segmentTypes = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const;
export type SegmentType = (typeof segmentTypes)[number];
export type SegmentCall = SegmentType | 'batch';

/**
 * Calls by their names below /v1/, with the short names that browsers and mobiles use: a call's
 * first letter.
 */
export const segmentCalls: Readonly<Record<string, SegmentCall>> = {
  track: 'track',
  t: 'track',
  identify: 'identify',
  i: 'identify',
  page: 'page',
  p: 'page',
  screen: 'screen',
  s: 'screen',
  group: 'group',
  g: 'group',
  alias: 'alias',
  a: 'alias',
  batch: 'batch',
  b: 'batch',
  import: 'batch',
};

const quote = 0x22;
/** Of `null`, in what was checked to be JSON. */
const nullStart = 0x6e;

export function readSegment(
  body: Buffer,
  call: SegmentCall,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): ReadBody | Refusal {
  const scanned = scanMembers(body);
  if (isRefusal(scanned)) return scanned;
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind !== 'object')
    return refuse(
      'the body must be an object',
      '',
      call === 'batch' ? "an object with 'batch'" : 'a message',
    );
  const sentAt = timeAt(body, scanned.members, 'sentAt');
  if (call !== 'batch') {
    return {
      single: true,
      events: [
        readMessage(body, { start: 0, end: body.length }, call, sentAt, stream, head, newId),
      ],
    };
  }
  const batch = scanned.members.find(({ name }) => name === 'batch');
  const spans =
    batch === undefined
      ? undefined
      : scanArray(body, batch.start, batch.end, limits.requestEventsMax + 1);
  if (spans === undefined || isFault(spans) || spans.kind !== 'array')
    return refuse("'batch' must be an array", '/batch', 'an array of messages');
  const read = (bytes: Buffer, span: Span): AcceptedEvent | Refusal =>
    readMessage(bytes, span, undefined, sentAt, stream, head, newId);
  return (
    checkCount(spans.spans.length / 2) ?? {
      single: false,
      events: elements(body, spans.spans, read),
    }
  );
}

/**
 * The write key that a browser's library puts into the body; of a body that nobody has checked yet,
 * so only in a short one.
 */
export function segmentWriteKey(body: Buffer): string | undefined {
  if (body.length > limits.strangerBodyMaxBytes) return undefined;
  const checked = checkJson(body);
  if (isFault(checked)) return undefined;
  const found = findPointer(body, checked, ['writeKey']);
  return found === undefined ? undefined : stringAt(body, found);
}

function readMessage(
  body: Buffer,
  span: Span,
  call: SegmentType | undefined,
  batchSentAt: SaidTime | undefined,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  const scanned = scanMembers(body, span.start, span.end);
  if (isRefusal(scanned)) return scanned;
  if (isFault(scanned) || scanned.kind !== 'object')
    return refuse('the message must be an object', '', 'a message');
  const text = (name: string): string | undefined => textOf(body, scanned.members, name);
  const type = call ?? text('type');
  if (!isType(type))
    return refuse('the message has no known type', '/type', segmentTypes.join(', '));
  const unread = checkIds(body, scanned.members);
  if (unread !== undefined) return unread;
  const key = text('userId') ?? text('anonymousId');
  if (key === undefined)
    return refuse(
      'the message must name a user',
      '/userId',
      'userId or anonymousId as a non-empty string',
    );
  if (type === 'track' && text('event') === undefined)
    return refuse('a track message must name an event', '/event', 'a non-empty string');
  if (type === 'group' && text('groupId') === undefined)
    return refuse('a group message must name a group', '/groupId', 'a non-empty string');
  if (type === 'alias' && text('previousId') === undefined)
    return refuse('an alias message must have a previous id', '/previousId', 'a non-empty string');
  const id = text('messageId');
  const time = eventTime(body, scanned.members, batchSentAt, head.receivedtime);
  if (typeof time !== 'string') return time;
  const data = trimmed(body, span);
  const event = finishEvent(
    { type: `segment.${type}`, partitionkey: key, time, ...(id === undefined ? {} : { id }) },
    data,
    stream,
    headWithoutEvent(head),
    newId,
    placeOf,
  );
  if (isRefusal(event)) return event;
  return {
    ...event,
    ownTime: false,
    restless: scanned.members.filter(({ name }) => restlessMembers.has(name)),
  };
}

/**
 * What Segment's libraries write again each time they try to send a message: the time of sending,
 * and how often they tried.
 */
const restlessMembers = new Set(['sentAt', '_metadata']);

const memberNames: Readonly<Partial<Record<string, string>>> = {
  id: 'messageId',
  partitionkey: 'userId',
  time: 'timestamp',
};

function placeOf(attribute: string): Place {
  const member = memberNames[attribute] ?? attribute;
  return { label: member, pointer: `/${member}` };
}

/** A time that a message says: its text, or that of a number, and what it means. */
interface SaidTime {
  readonly name: string;
  readonly text: string;
  readonly ms: number | TimeFault;
}

/** Undefined where a member is missing or null. */
function timeAt(body: Buffer, members: readonly JsonMember[], name: string): SaidTime | undefined {
  const member = members.find((candidate) => candidate.name === name);
  if (member === undefined) return undefined;
  const first = body[member.start] as number;
  const text =
    first === quote
      ? (stringAt(body, member) ?? '')
      : body.toString('utf8', member.start, member.end);
  if (first === quote) return { name, text, ms: parseIsoTime(text) };
  if (isNumberStart(first)) return { name, text, ms: parseUnixTime(Number(text)) };
  return text === 'null'
    ? undefined
    : { name, text, ms: { reason: 'it is neither text nor a number' } };
}

/** RFC 3339, as the device wrote it where that is; else in UTC. */
function eventTime(
  body: Buffer,
  members: readonly JsonMember[],
  batchSentAt: SaidTime | undefined,
  receivedtime: string,
): string | Refusal {
  const said = timeAt(body, members, 'originalTimestamp') ?? timeAt(body, members, 'timestamp');
  if (said === undefined) return receivedtime;
  const { name, text, ms } = said;
  const refuseTime = (reason: string): Refusal =>
    refuse(
      `${name} '${text.slice(0, 40)}' is not a valid time: ${reason}`,
      `/${name}`,
      `${timeExpected}, or Unix time as a number`,
    );
  if (typeof ms !== 'number') return refuseTime(ms.reason);
  const sentAt = timeAt(body, members, 'sentAt') ?? batchSentAt;
  if (typeof sentAt?.ms !== 'number') return isTime(text) ? text : new Date(ms).toISOString();
  const movedMs = (parseTime(receivedtime) as number) - (sentAt.ms - ms);
  if (movedMs >= startOfTimeMs && movedMs < endOfTimeMs) return new Date(movedMs).toISOString();
  return refuseTime(
    `corrected by sentAt '${sentAt.text.slice(0, 40)}' it is outside the years 0000 to 9999`,
  );
}

/**
 * What names an event or a user is text, or a number that is read as its text. Anything else would
 * be replaced silently.
 */
function checkIds(body: Buffer, members: readonly JsonMember[]): Refusal | undefined {
  for (const { name, start } of members) {
    if (name !== 'messageId' && name !== 'userId' && name !== 'anonymousId') continue;
    const first = body[start] as number;
    if (first !== quote && first !== nullStart && !isNumberStart(first)) {
      return refuse(`'${name}' must be a string or a number`, `/${name}`, 'a string');
    }
  }
  return undefined;
}

function isType(type: string | undefined): type is SegmentType {
  return type !== undefined && (segmentTypes as readonly string[]).includes(type);
}

/**
 * A member's text, or a number as it was written; undefined when it is missing, empty or neither.
 */
function textOf(body: Buffer, members: readonly JsonMember[], name: string): string | undefined {
  const member = members.find((candidate) => candidate.name === name);
  if (member === undefined) return undefined;
  const first = body[member.start] as number;
  const text = isNumberStart(first)
    ? body.toString('utf8', member.start, member.end)
    : stringAt(body, member);
  return text === '' ? undefined : text;
}

function isNumberStart(byte: number): boolean {
  return byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
}

function trimmed(body: Buffer, { start, end }: Span): Span {
  let from = start;
  let to = end;
  while (from < to && (body[from] as number) <= 0x20) from++;
  while (to > from && (body[to - 1] as number) <= 0x20) to--;
  return { start: from, end: to };
}

function refuse(message: string, pointer: string, expected: string): Refusal {
  return { status: 400, code: 'segment-invalid', message, expected, pointer };
}
