/**
 * From a decoded body to its events, each accepted or refused on its own. Pure.
 *
 * A body that is not JSON, or not UTF-8, refuses the whole request; in NDJSON each line stands for
 * itself.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { Span } from '../../schemas/json-scan.ts';
import { checkJson, isFault, scanArray } from '../../schemas/json-scan.ts';
import { limits } from '../../schemas/limits.ts';
import type { AcceptedEvent, RequestHead } from './attributes.ts';
import { checkHead, deriveEvent } from './attributes.ts';
import type { BinaryHeaders } from './cloudevents.ts';
import { readBinary, readStructured } from './cloudevents.ts';
import { notJson } from './json-fault.ts';
import { bodyKindOf } from './media-type.ts';
import type { Refusal } from './refusal.ts';

/** What a reader needs of a request, beside its body. */
export interface ProtocolRequest {
  readonly contentType: string;
  /** A CloudEvent in binary mode has them. */
  readonly ce: BinaryHeaders | undefined;
  readonly head: RequestHead;
}

export interface ReadBody {
  /** One event that is not an array: its answer is its own. */
  readonly single: boolean;
  readonly events: readonly (AcceptedEvent | Refusal)[];
}

type EventReader = (body: Buffer, span: Span) => AcceptedEvent | Refusal;

export function readEvents(
  body: Buffer,
  request: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const { contentType, ce, head } = request;
  const kind = bodyKindOf(contentType, ce);
  const ofJson: EventReader = (bytes, span) => deriveEvent(bytes, span, stream, head, newId);
  const ofCloudEvent: EventReader = (bytes, span) =>
    readStructured(bytes, span, stream, head, newId);
  switch (kind) {
    case 'json':
      return checkHead(head) ?? readJson(body, head, ofJson);
    case 'ndjson':
      return checkLinesHead(head) ?? readLines(body, stream, head, newId);
    case 'cloudevent':
      return readOne(body, ofCloudEvent);
    case 'cloudevents':
      return readArray(body, ofCloudEvent);
    case 'binary':
      return {
        single: true,
        events: [readBinary(body, ce ?? [], contentType, stream, head, newId)],
      };
    default:
      return kind;
  }
}

/** One line of NDJSON; undefined for a blank one. */
export function readLine(
  body: Buffer,
  start: number,
  end: number,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal | undefined {
  if (isBlank(body, start, end)) return undefined;
  const checked = checkJson(body, start, end);
  return isFault(checked)
    ? notJson(checked, start)
    : deriveEvent(body, checked, stream, head, newId);
}

function readJson(body: Buffer, head: RequestHead, read: EventReader): ReadBody | Refusal {
  const scanned = scanArray(body, 0, body.length, limits.requestEventsMax + 1);
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind === 'other') return { single: true, events: [read(body, scanned.span)] };
  return (
    checkCount(scanned.spans.length / 2) ??
    checkNoId(head) ?? { single: false, events: elements(body, scanned.spans, read) }
  );
}

function readOne(body: Buffer, read: EventReader): ReadBody | Refusal {
  const checked = checkJson(body);
  return isFault(checked) ? notJson(checked) : { single: true, events: [read(body, checked)] };
}

function readArray(body: Buffer, read: EventReader): ReadBody | Refusal {
  const scanned = scanArray(body, 0, body.length, limits.requestEventsMax + 1);
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind === 'other')
    return {
      status: 400,
      code: 'batch-invalid',
      message: 'the batch must be an array',
      expected: 'an array of events',
      pointer: '',
    };
  return (
    checkCount(scanned.spans.length / 2) ?? {
      single: false,
      events: elements(body, scanned.spans, read),
    }
  );
}

/** The events whose spans are flat pairs of `spans`. */
export function elements(
  body: Buffer,
  spans: readonly number[],
  read: EventReader,
): readonly (AcceptedEvent | Refusal)[] {
  const events: (AcceptedEvent | Refusal)[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const start = spans[i] as number;
    const end = spans[i + 1] as number;
    if (body[start] === 0x5b) {
      events.push({
        status: 400,
        code: 'nested-array',
        message: 'an event in an array is itself an array',
        expected: 'an array of events',
        pointer: `/${i / 2}`,
      });
    } else events.push(read(body, { start, end }));
  }
  return events;
}

function readLines(
  body: Buffer,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): ReadBody | Refusal {
  const events: (AcceptedEvent | Refusal)[] = [];
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    const event = readLine(body, start, end, stream, head, newId);
    if (event !== undefined) {
      if (events.length >= limits.requestEventsMax) return tooMany(events.length + 1);
      events.push(event);
    }
    start = end + 1;
  }
  return checkCount(events.length) ?? { single: false, events };
}

/** Why a request with such a head cannot have lines, however many come. */
export function checkLinesHead(head: RequestHead): Refusal | undefined {
  return checkHead(head) ?? checkNoId(head);
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++)
    if (body[at] !== 0x20 && body[at] !== 0x0d && body[at] !== 0x09) return false;
  return true;
}

/** Why a batch of so many events is not taken. */
export function checkCount(count: number): Refusal | undefined {
  if (count === 0)
    return {
      status: 400,
      code: 'empty-batch',
      message: 'the body has no event',
      expected: 'at least one event',
    };
  return count > limits.requestEventsMax ? tooMany(count) : undefined;
}

/** An id for many would make all but the first of them repeats. */
function checkNoId(head: RequestHead): Refusal | undefined {
  if (head.id === undefined) return undefined;
  return {
    status: 400,
    code: 'id-for-many',
    message: 'X-Event-Id names one event, and the body is a batch',
    expected: 'ids inside the events',
  };
}

function tooMany(count: number): Refusal {
  return {
    status: 413,
    code: 'too-many-events',
    message: `the body has ${count} events or more`,
    expected: `at most ${limits.requestEventsMax} a request; lines (application/x-ndjson) may be any number`,
  };
}
