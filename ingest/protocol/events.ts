/**
 * From a decoded body to its events, each accepted or refused on its own. Pure.
 *
 * A body that is no JSON, or no UTF-8, refuses the whole request; in NDJSON each line stands for itself.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { JsonFault } from '../../schemas/json-scan.ts';
import { checkJson, isFault, scanArray } from '../../schemas/json-scan.ts';
import { limits } from '../../schemas/limits.ts';
import type { AcceptedEvent, RequestHead } from './attributes.ts';
import { deriveEvent } from './attributes.ts';
import type { Refusal } from './refusal.ts';

export type BodyKind = 'json' | 'ndjson';

export interface ReadBody {
  /** One event that is no array: its answer is its own. */
  readonly single: boolean;
  readonly events: readonly (AcceptedEvent | Refusal)[];
}

const ndjsonTypes = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines']);

/** What a Content-Type stands for; a missing one is JSON. */
export function bodyKindOf(contentType: string): BodyKind | Refusal {
  const [type = ''] = contentType.split(';');
  const media = type.trim().toLowerCase();
  if (media === '' || media === 'application/json') return 'json';
  if (ndjsonTypes.has(media)) return 'ndjson';
  return {
    status: 400,
    code: 'content-type-unknown',
    message: `the content type '${media.slice(0, 100)}' is not read`,
    expected: 'application/json (a value, or an array of events) or application/x-ndjson (an event a line)',
  };
}

export function readEvents(body: Buffer, kind: BodyKind, stream: StreamConfig, head: RequestHead, newId: () => string): ReadBody | Refusal {
  return kind === 'json' ? readJson(body, stream, head, newId) : readLines(body, stream, head, newId);
}

function readJson(body: Buffer, stream: StreamConfig, head: RequestHead, newId: () => string): ReadBody | Refusal {
  const scanned = scanArray(body);
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind === 'other') return { single: true, events: [deriveEvent(body, scanned.span, stream, head, newId)] };
  const { spans } = scanned;
  const count = spans.length / 2;
  const refused = checkCount(count, head);
  if (refused !== undefined) return refused;
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
    } else events.push(deriveEvent(body, { start, end }, stream, head, newId));
  }
  return { single: false, events };
}

function readLines(body: Buffer, stream: StreamConfig, head: RequestHead, newId: () => string): ReadBody | Refusal {
  const events: (AcceptedEvent | Refusal)[] = [];
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    if (!isBlank(body, start, end)) {
      if (events.length >= limits.requestEventsMax) return tooMany(events.length + 1);
      const checked = checkJson(body, start, end);
      events.push(isFault(checked) ? notJson(checked, start) : deriveEvent(body, checked, stream, head, newId));
    }
    start = end + 1;
  }
  return checkCount(events.length, head) ?? { single: false, events };
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (body[at] !== 0x20 && body[at] !== 0x0d && body[at] !== 0x09) return false;
  return true;
}

function checkCount(count: number, head: RequestHead): Refusal | undefined {
  if (count === 0) return { status: 400, code: 'empty-batch', message: 'the body has no event', expected: 'at least one event' };
  if (count > limits.requestEventsMax) return tooMany(count);
  if (head.id !== undefined) {
    return {
      status: 400,
      code: 'id-for-many',
      message: 'X-Event-Id names one event, and the body is a batch',
      expected: 'ids inside the events',
    };
  }
  return undefined;
}

function tooMany(count: number): Refusal {
  return {
    status: 413,
    code: 'too-many-events',
    message: `the body has ${count} events or more`,
    expected: `at most ${limits.requestEventsMax} a request`,
  };
}

/** Offsets count from `start`: where the body, or in NDJSON the line, begins. */
function notJson(fault: JsonFault, start = 0): Refusal {
  const code = fault.expected === 'UTF-8' ? 'not-utf8' : 'not-json';
  const { expected, found } = fault;
  const offset = fault.offset - start;
  return { status: 400, code, message: `at byte ${offset} there is ${found}`, expected, offset };
}
