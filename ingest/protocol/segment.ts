/**
 * Messages of the Segment tracking API (https://segment.com/docs/connections/spec/common/): each is an event, its own bytes are the data.
 * Pure.
 *
 * id = messageId, type = `segment.` + the message's type, key = userId, else anonymousId. The time is what the device said, moved by as much
 * as its clock was off: timestamp = received - (sentAt - originalTimestamp), as Segment computes it.
 *
 * What a batch says beside its messages (`context`, `integrations`) is not copied into them: no data is ever made anew. Segment's own
 * libraries put it into each message.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { JsonMember, Span } from '../../schemas/json-scan.ts';
import { checkJson, findPointer, isFault, scanArray } from '../../schemas/json-scan.ts';
import { limits } from '../../schemas/limits.ts';
import type { AcceptedEvent, RequestHead } from './attributes.ts';
import { finishEvent, isRfc3339, stringAt } from './attributes.ts';
import type { ReadBody } from './events.ts';
import { checkCount, elements } from './events.ts';
import { notJson } from './json-fault.ts';
import { scanMembers } from './members.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal } from './refusal.ts';

export const segmentTypes = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const;
export type SegmentType = (typeof segmentTypes)[number];
export type SegmentCall = SegmentType | 'batch';

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
  if (scanned.kind !== 'object') return refuse('the body is no object', '', call === 'batch' ? "an object with 'batch'" : 'a message');
  const sentAt = textOf(body, scanned.members, 'sentAt');
  if (call !== 'batch') {
    return { single: true, events: [readMessage(body, { start: 0, end: body.length }, call, sentAt, stream, head, newId)] };
  }
  const batch = scanned.members.find(({ name }) => name === 'batch');
  const spans = batch === undefined ? undefined : scanArray(body, batch.start, batch.end, limits.requestEventsMax + 1);
  if (spans === undefined || isFault(spans) || spans.kind !== 'array')
    return refuse("'batch' is no array", '/batch', 'an array of messages');
  const read = (bytes: Buffer, span: Span): AcceptedEvent | Refusal => readMessage(bytes, span, undefined, sentAt, stream, head, newId);
  return checkCount(spans.spans.length / 2) ?? { single: false, events: elements(body, spans.spans, read) };
}

/** The write key that a browser's library puts into the body; of a body that nobody has checked yet, so only in a short one. */
export function segmentWriteKey(body: Buffer): string | undefined {
  if (body.length > limits.segmentKeyBodyMaxBytes) return undefined;
  const checked = checkJson(body);
  if (isFault(checked)) return undefined;
  const found = findPointer(body, checked, ['writeKey']);
  return found === undefined ? undefined : stringAt(body, found);
}

function readMessage(
  body: Buffer,
  span: Span,
  call: SegmentType | undefined,
  batchSentAt: string | undefined,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  const scanned = scanMembers(body, span.start, span.end);
  if (isRefusal(scanned)) return scanned;
  if (isFault(scanned) || scanned.kind !== 'object') return refuse('the message is no object', '', 'a message');
  const text = (name: string): string | undefined => textOf(body, scanned.members, name);
  const type = call ?? text('type');
  if (!isType(type)) return refuse('the message has no known type', '/type', segmentTypes.join(', '));
  const key = text('userId') ?? text('anonymousId');
  if (key === undefined) return refuse('the message says of no user', '/userId', 'userId or anonymousId as a non-empty string');
  if (type === 'track' && text('event') === undefined) return refuse('a track message names no event', '/event', 'a non-empty string');
  if (type === 'group' && text('groupId') === undefined) return refuse('a group message names no group', '/groupId', 'a non-empty string');
  if (type === 'alias' && text('previousId') === undefined)
    return refuse('an alias message has no previous id', '/previousId', 'a non-empty string');
  const id = text('messageId');
  const time = timeOf(text('timestamp'), text('originalTimestamp'), text('sentAt') ?? batchSentAt, head.receivedtime);
  const data = trimmed(body, span);
  return finishEvent(
    { type: `segment.${type}`, partitionkey: key, time, ...(id === undefined ? {} : { id }) },
    data,
    stream,
    { receivedtime: head.receivedtime, traceparent: head.traceparent },
    newId,
  );
}

function timeOf(timestamp: string | undefined, original: string | undefined, sentAt: string | undefined, receivedtime: string): string {
  const said = original ?? timestamp;
  if (said === undefined || !isRfc3339(said)) return receivedtime;
  if (sentAt === undefined || !isRfc3339(sentAt)) return said;
  const moved = new Date(Date.parse(receivedtime) - (Date.parse(sentAt) - Date.parse(said)));
  return Number.isNaN(moved.getTime()) ? receivedtime : moved.toISOString();
}

function isType(type: string | undefined): type is SegmentType {
  return type !== undefined && (segmentTypes as readonly string[]).includes(type);
}

/** A member's text, or a number as it was written; undefined when it is missing, empty or neither. */
function textOf(body: Buffer, members: readonly JsonMember[], name: string): string | undefined {
  const member = members.find((candidate) => candidate.name === name);
  if (member === undefined) return undefined;
  const first = body[member.start] as number;
  const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
  const text = isNumber ? body.toString('utf8', member.start, member.end) : stringAt(body, member);
  return text === '' ? undefined : text;
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
