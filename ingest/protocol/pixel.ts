/**
 * An event in a query. Pure. `data` is its JSON; without it all parameters but the reserved ones become an object of strings, a repeated one
 * an array. Reserved: key, id, type, time, partitionkey, data.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import { checkJson, isFault } from '../../schemas/json-scan.ts';
import type { AcceptedEvent, Given, RequestHead } from './attributes.ts';
import { deriveEvent, finishEvent } from './attributes.ts';
import { notJson } from './json-fault.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal } from './refusal.ts';

export interface PixelEvent {
  readonly event: AcceptedEvent;
  /** The data, made from the query. */
  readonly body: Buffer;
}

const reserved = new Set(['key', 'id', 'type', 'time', 'partitionkey', 'data']);

export function readPixel(query: string, stream: StreamConfig, head: RequestHead, newId: () => string): PixelEvent | Refusal {
  const parameters = new URLSearchParams(query);
  const given: Given = {};
  for (const name of ['id', 'type', 'time', 'partitionkey'] as const) {
    const value = parameters.get(name);
    if (value !== null && value !== '') given[name] = value;
  }
  const written = parameters.get('data');
  const body = Buffer.from(written || JSON.stringify(objectOf(parameters)));
  const checked = checkJson(body);
  if (isFault(checked)) return notJson(checked);
  const nothingGiven = Object.keys(given).length === 0;
  const event = nothingGiven ? deriveEvent(body, checked, stream, head, newId) : finishEvent(given, checked, stream, head, newId);
  return isRefusal(event) ? event : { event, body };
}

function objectOf(parameters: URLSearchParams): object {
  const members = new Map<string, string | string[]>();
  for (const [name, value] of parameters) {
    if (reserved.has(name)) continue;
    const before = members.get(name);
    members.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]);
  }
  return Object.fromEntries(members);
}
