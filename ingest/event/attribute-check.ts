/**
 * Whether what was said of an event is what attributes may be. Pure.
 *
 * Invariant: every attribute is a non-empty string of at most `limits.attributeMaxBytes` that
 * CloudEvents allows.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import { parseTime } from '../../schemas/kernel/time.ts';
import { limits } from '../../schemas/limits.ts';
import { isText, notText, textExpected } from './attribute-text.ts';
import type { AttributeName, Given, Place, PlaceOf, RequestHead } from './given.ts';
import type { Refusal } from './refusal.ts';

const ascii = /^[\x20-\x7e]*$/;
/** What nearly every attribute is: one look instead of three. */
const plain = new RegExp(`^[\\x20-\\x7e]{1,${limits.attributeMaxBytes}}$`);

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
export function checkAttributes(
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
