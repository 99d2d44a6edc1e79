/**
 * CloudEvents 1.0.2 over HTTP
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md):
 * structured, batched and binary. Pure. The CloudEvent is its own envelope: the stream's pointers
 * and envelope do not apply.
 *
 * Invariants:
 * 1. `data` is the client's own bytes; JSON is what Sluice carries, so `data_base64` and other
 *    types of data are refused, not lost.
 * 2. Attributes that Sluice does not know are carried as extensions; `team`, `app` and
 *    `receivedtime` are the ingress' to say and are set again; `dataref` and its kin are refused,
 *    as they would make a reader fetch something, and so is an attribute of the name `data`.
 * 3. An attribute is said once: which of two a reader would take, nobody knows.
 * 4. Extensions may be of any number and length of name, as the specification has it; their bytes
 *    together are bounded.
 */

import { claimExtensions } from '../../../schemas/claim.ts';
import type { StreamConfig } from '../../../schemas/config.ts';
import type { Span } from '../../../schemas/json-scan.ts';
import { checkJson, isFault } from '../../../schemas/json-scan.ts';
import { limits } from '../../../schemas/limits.ts';
import { extensionName } from '../../../schemas/wire-attributes.ts';
import { isText, notText, textExpected } from '../../event/attribute-text.ts';
import { finishEvent, memberPlace } from '../../event/attributes.ts';
import type { AcceptedEvent, Given, PlaceOf, RequestHead } from '../../event/given.ts';
import { headWithoutEvent } from '../../event/given.ts';
import { notJson } from '../../event/json-fault.ts';
import { isJsonType } from '../../event/media-type.ts';
import { scanMembers } from '../../event/members.ts';
import type { BinaryHeaders } from '../../event/read-body.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal, pointerTo } from '../../event/refusal.ts';
import { stringAt } from '../../event/scalars.ts';

/** What each extension attribute takes in any record beside its name and value. */
export const extensionOverheadBytes = 16;

const required = ['id', 'source', 'type'] as const;
const known = new Set([
  'id',
  'source',
  'type',
  'time',
  'subject',
  'dataschema',
  'datacontenttype',
  'partitionkey',
  'traceparent',
]);
const texts = new Set(['specversion', ...known]);
const setByIngress = new Set(['team', 'app', 'receivedtime']);

/** One structured CloudEvent at `span` of a body that was checked to be JSON. */
export function readStructured(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  const scanned = scanMembers(body, span.start, span.end);
  if (isRefusal(scanned)) return scanned;
  if (isFault(scanned)) return notJson(scanned, span.start);
  if (scanned.kind !== 'object') return refuse('the event is not an object', '');
  const members = new Map<string, string>();
  let data: Span | undefined;
  for (const member of scanned.members) {
    const { name } = member;
    const pointer = pointerTo(name);
    if (members.has(name) || (name === 'data' && data !== undefined))
      return refuse(`'${name.slice(0, 64)}' appears twice`, pointer);
    if (name === 'data') data = member;
    else if (name === 'data_base64')
      return refuse(
        'data_base64 is binary; Sluice accepts JSON',
        pointer,
        "'data' with a JSON value",
      );
    else {
      const value = scalarAt(body, member);
      if (value === undefined)
        return refuse(
          `the attribute '${name.slice(0, 64)}' is not a string, number or boolean`,
          pointer,
        );
      if (value !== null && texts.has(name) && body[member.start] !== 0x22)
        return refuse(`'${name}' is not a string`, pointer, 'a string');
      if (value !== null) members.set(name, value);
    }
  }
  return eventOf(members, data, stream, head, newId, memberPlace);
}

/** A CloudEvent in binary mode: attributes in `ce-` headers, percent-encoded, the body as data. */
export function readBinary(
  body: Buffer,
  ce: BinaryHeaders,
  contentType: string,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  const members = new Map<string, string>();
  for (const [name, value] of ce) {
    const decoded = percentDecoded(unquoted(value));
    if (decoded === undefined)
      return refuse(`the header ce-${name.slice(0, 64)} is not percent-encoded UTF-8`, '');
    if (members.has(name)) return refuse(`the header ce-${name.slice(0, 64)} appears twice`, '');
    members.set(name, decoded);
  }
  // The binding has no header for it but this one.
  members.delete('datacontenttype');
  if (contentType !== '') members.set('datacontenttype', contentType);
  const notCarried = checkType(members);
  if (notCarried !== undefined) return notCarried;
  if (body.length === 0) return eventOf(members, undefined, stream, head, newId, headerPlace);
  const checked = checkJson(body);
  return isFault(checked)
    ? notJson(checked)
    : eventOf(members, checked, stream, head, newId, headerPlace);
}

const headerPlace: PlaceOf = (name) => ({
  label: name === 'datacontenttype' ? 'Content-Type' : `ce-${name}`,
});

function eventOf(
  members: ReadonlyMap<string, string>,
  data: Span | undefined,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  placeOf: PlaceOf,
): AcceptedEvent | Refusal {
  const version = members.get('specversion');
  if (version !== '1.0')
    return refuse(
      `specversion is ${version === undefined ? 'missing' : `'${version.slice(0, 20)}'`}`,
      '/specversion',
      "'1.0'",
    );
  for (const name of required) {
    if ((members.get(name) ?? '') === '')
      return refuse(`'${name}' is missing`, `/${name}`, 'a non-empty string');
  }
  const notCarried = checkType(members);
  if (notCarried !== undefined) return notCarried;
  const given: Given = {};
  const extensions: Record<string, string> = {};
  let extensionBytes = 0;
  for (const [name, value] of members) {
    if (name === 'specversion' || setByIngress.has(name)) continue;
    if (name === 'data' || (claimExtensions as readonly string[]).includes(name))
      return refuse(
        `'${name}' is not an attribute that a client can set: data by reference is not supported`,
        `/${name}`,
        "'data' with the value itself",
      );
    if (known.has(name)) given[name as 'id'] = value;
    else if (!extensionName.test(name))
      return refuse(
        `'${name.slice(0, 64)}' is not a valid attribute name`,
        '',
        'lower-case letters and digits',
      );
    else if (!isText(value))
      return refuse(`'${name.slice(0, 64)}' ${notText}`, pointerTo(name), textExpected);
    else {
      extensions[name] = value;
      extensionBytes += name.length + Buffer.byteLength(value) + extensionOverheadBytes;
    }
  }
  if (extensionBytes > limits.extensionsMaxBytes) {
    const most = `at most ${limits.extensionsMaxBytes}, and ${extensionOverheadBytes} of them are counted for each beside its name and value`;
    return refuse(`the extension attributes have ${extensionBytes} bytes`, '', most);
  }
  if (extensionBytes > 0) given.extensions = extensions;
  const event = finishEvent(given, data, stream, headWithoutEvent(head), newId, placeOf);
  if (isRefusal(event)) return { ...event, code: 'cloudevent-invalid' };
  return event;
}

function checkType(members: ReadonlyMap<string, string>): Refusal | undefined {
  const type = members.get('datacontenttype');
  if (type === undefined || isJsonType(type)) return undefined;
  return refuse(
    `the data is '${type.slice(0, 100)}'; Sluice carries JSON`,
    '/datacontenttype',
    'application/json or a +json type',
  );
}

/** A string's value, a number or boolean as written, null; undefined for what is no scalar. */
function scalarAt(body: Buffer, { start, end }: Span): string | null | undefined {
  const first = body[start];
  if (first === 0x22) return stringAt(body, { start, end });
  if (first === 0x7b || first === 0x5b) return undefined;
  const text = body.toString('utf8', start, end);
  return text === 'null' ? null : text;
}

/** Older versions of the binding have values in double quotes; they are to be understood. */
function unquoted(value: string): string {
  return /^"(?:[^"\\]|\\.)*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
}

/** Undefined too for what is not ASCII: the server reads other bytes as Latin-1. */
function percentDecoded(value: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(value)) return undefined;
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function refuse(message: string, pointer: string, expected = 'a CloudEvent 1.0'): Refusal {
  return { status: 400, code: 'cloudevent-invalid', message, expected, pointer };
}
