/**
 * NDJSON: a line is an event. Pure.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import { checkJson, isFault } from '../../../schemas/json-scan.ts';
import { limits } from '../../../schemas/limits.ts';
import { checkHead } from '../../event/attribute-check.ts';
import { deriveEvent } from '../../event/attributes.ts';
import type { AcceptedEvent, RequestHead } from '../../event/given.ts';
import { notJson } from '../../event/json-fault.ts';
import type { ProtocolRequest, ReadBody } from '../../event/read-body.ts';
import { checkCount, checkNoId, tooMany } from '../../event/read-body.ts';
import type { Refusal } from '../../event/refusal.ts';

export function readLines(
  body: Buffer,
  { head }: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const unread = checkLinesHead(head);
  if (unread !== undefined) return unread;
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

/** One line; undefined for a blank one. */
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

/** Why a request with such a head cannot have lines, however many come. */
export function checkLinesHead(head: RequestHead): Refusal | undefined {
  return checkHead(head) ?? checkNoId(head);
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++)
    if (body[at] !== 0x20 && body[at] !== 0x0d && body[at] !== 0x09) return false;
  return true;
}
