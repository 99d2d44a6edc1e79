/**
 * An event in a query. Pure. `data` is its JSON; without it all parameters but the reserved ones
 * become an object of strings, a repeated one an array. Reserved: key, id, type, time,
 * partitionkey, data.
 *
 * The query is the envelope: a stream's `envelope` does not apply, its pointers do for what the
 * query does not say.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import { checkJson, isFault } from '../../../schemas/json-scan.ts';
import { checkHead } from '../../event/attribute-check.ts';
import { deriveBare } from '../../event/attributes.ts';
import type { AcceptedEvent, Given, RequestHead } from '../../event/given.ts';
import { notJson } from '../../event/json-fault.ts';
import { pointedPlace } from '../../event/pointers.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';

export interface PixelEvent {
  readonly event: AcceptedEvent;
  /** The data, made from the query. */
  readonly body: Buffer;
}

const reserved = new Set(['key', 'id', 'type', 'time', 'partitionkey', 'data']);

export function readPixel(
  query: string,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): PixelEvent | Refusal {
  const unread = checkHead(head) ?? checkQuery(query);
  if (unread !== undefined) return unread;
  const parameters = new URLSearchParams(query);
  const given: Given = {};
  for (const name of ['id', 'type', 'time', 'partitionkey'] as const) {
    const value = parameters.get(name);
    if (value !== null && value !== '') given[name] = value;
  }
  const written = parameters.get('data');
  const body = Buffer.from(written ?? JSON.stringify(objectOf(parameters)));
  const checked = checkJson(body);
  if (isFault(checked)) return notJson(checked);
  const said = new Set(Object.keys(given));
  const event = deriveBare(body, checked, given, stream, head, newId, (name) =>
    said.has(name) ? { label: `the query's ${name}` } : pointedPlace(stream, name),
  );
  return isRefusal(event) ? event : { event, body };
}

const encodedUnknown = /%ef%bf%bd/i;

/**
 * What is not UTF-8 is decoded to the sign for unknown characters: different ids would become one.
 */
function checkQuery(query: string): Refusal | undefined {
  const isUtf8 = encodedUnknown.test(query) || !decodeQuery(query).includes('\ufffd');
  if (isUtf8 && /^[\x21-\x7e]*$/.test(query)) return undefined;
  return {
    status: 400,
    code: 'query-invalid',
    message: 'the query is not percent-encoded UTF-8',
    expected: 'name=value pairs as a form sends them',
  };
}

function decodeQuery(query: string): string {
  let text = '';
  for (const [name, value] of new URLSearchParams(query)) text += name + value;
  return text;
}

function objectOf(parameters: URLSearchParams): object {
  const members = new Map<string, string | string[]>();
  for (const [name, value] of parameters) {
    if (reserved.has(name)) continue;
    const before = members.get(name);
    members.set(
      name,
      before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value],
    );
  }
  return Object.fromEntries(members);
}
