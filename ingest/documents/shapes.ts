/**
 * JSON Schemas of what clients send and get, for the served documents: made from the lists and
 * bounds that the readers use.
 *
 * Generators of clients read them (test/clients/generated.test.ts), so every schema
 * 1. has one `type`, never a list of them, and has it beside `enum` and `const` too;
 * 2. names what is `oneOf` or an element of a list as a component of its own;
 * 3. says by `if`, `then`, `else` and `not` what only validators look at, such as that one of two
 *    members is required: generators pass these over, where they would make unions of an `anyOf`.
 * And it is exact: what it allows is accepted, what it forbids is refused
 * (test/fuzz/schemathesis.test.ts).
 */
import { endOfTimeMs, startOfTimeMs } from '../../schemas/kernel/time.ts';
import { limits } from '../../schemas/limits.ts';
import { extensionName } from '../../schemas/wire.ts';
import { envelopeMembers } from '../protocol/attributes.ts';
import { jsonTypePattern } from '../protocol/media-type.ts';
import type { SegmentType } from '../protocol/segment.ts';
import { segmentTypes } from '../protocol/segment.ts';

type Schema = Readonly<Record<string, unknown>>;

/**
 * What CloudEvents lets a string have: no control characters, no noncharacters
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system).
 */
const noncharacters = Array.from({ length: 16 }, (_, plane) =>
  String.fromCodePoint(((plane + 1) << 16) + 0xfffe, ((plane + 1) << 16) + 0xffff),
);
export const textPattern = `^[^\\u0000-\\u001F\\u007F-\\u009F\\uFDD0-\\uFDEF\\uFFFE\\uFFFF${noncharacters.join('')}]*$`;
const attribute = (description: string): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength: limits.attributeMaxBytes,
  pattern: textPattern,
  description,
});

export const longKey = `one of more than ${limits.partitionKeyMaxChars} characters is carried as sha256: and its digest`;

const attributeTexts: Readonly<Record<(typeof envelopeMembers)[number], Schema>> = {
  id: attribute('Names the event within its source: sent again under the same id it is one event.'),
  type: attribute('What happened. Default: team.app'),
  time: {
    type: 'string',
    format: 'date-time',
    description: 'When it happened (RFC 3339). Default: when it was received',
  },
  subject: attribute('What it is about'),
  partitionkey: {
    type: 'string',
    minLength: 1,
    pattern: textPattern,
    description: `Ordering and state key. Default: the subject, else the id; ${longKey}`,
  },
  source: attribute('Where it comes from. Default: /team/app'),
};

const envelopeProperties: Schema = {
  ...Object.fromEntries(envelopeMembers.map((name) => [name, attributeTexts[name]])),
  data: { description: 'The event itself, any JSON value' },
};

const error: Schema = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: {
      type: 'string',
      pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
      description: 'Stable, for programs',
    },
    message: { type: 'string' },
    expected: { type: 'string' },
    pointer: { type: 'string', description: 'Where in the body (RFC 6901)' },
    offset: {
      type: 'integer',
      minimum: 0,
      description: 'Byte offset in the decoded body; in NDJSON, in the line',
    },
    differs: {
      type: 'array',
      items: { type: 'string' },
      description:
        "Of a conflict: 'data' or attributes that are not as those of the event that was accepted under this id",
    },
    outcome: {
      type: 'string',
      const: 'unknown',
      description: 'The event may be in the stream; sending it again under the same id is safe',
    },
  },
};

const takenProperties: Schema = {
  id: { type: 'string' },
  route: { type: 'string', enum: ['kinesis', 'kafka'] },
  position: {
    type: 'string',
    description: 'split:position in the stream; only what the stream holds has one',
  },
  ack: {
    type: 'string',
    enum: ['spooled', 'buffered'],
    description: 'Missing: the stream holds it',
  },
  failover: {
    type: 'boolean',
    enum: [true],
    description: 'It took the other path, because its own is down',
  },
  repeated: {
    type: 'boolean',
    enum: [true],
    description: 'This identity was met before; this is what became of the first',
  },
};

const taken: Schema = { type: 'object', required: ['id', 'route'], properties: takenProperties };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** What became of one event: the schema `name`, and its two forms. */
const results = (
  name: string,
  place: string,
  schema: Schema,
): Readonly<Record<string, Schema>> => ({
  [name]: { oneOf: [ref(`${name}Taken`), ref(`${name}Refused`)] },
  [`${name}Taken`]: {
    type: 'object',
    required: ['status', 'id', 'route'],
    properties: {
      [place]: schema,
      status: { type: 'integer', enum: [200, 202] },
      ...takenProperties,
    },
  },
  [`${name}Refused`]: {
    type: 'object',
    required: ['status', 'error'],
    properties: {
      [place]: schema,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      retryAfter: { type: 'integer' },
      error: ref('Error'),
    },
  },
});
const correlation: Schema = {
  anyOf: [{ type: 'string' }, { type: 'number' }],
  description: "The client's correlation id; it comes back in the acknowledgement",
};

/** A member that names something: a number is read as its text. */
const name = (description: string, more: Schema = {}): Schema => ({
  description,
  if: { type: 'string' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { minLength: 1, ...more },
  else: { type: 'number' },
});
const key: Schema = { pattern: textPattern };
/** Or null, as if it were not there. */
const textOrNumber: Schema = {
  not: { anyOf: [{ type: 'object' }, { type: 'array' }, { type: 'boolean' }] },
};
/** What is not text is a Unix time. */
const segmentTime = (description: string): Schema => ({
  description: `RFC 3339; other forms of ISO 8601 are understood, in UTC unless they say; a number is Unix time in s or ms. ${description}`,
  if: { type: 'string' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { format: 'date-time' },
  else: {
    ...textOrNumber,
    minimum: startOfTimeMs / 1_000,
    maximum: endOfTimeMs - 1,
  },
});
const segmentOwn: Readonly<Partial<Record<SegmentType, Schema>>> = {
  track: { event: name('What was done') },
  group: { groupId: name('The group that the user belongs to') },
  alias: { previousId: name('The id that the user had before') },
};

export function segmentSchemaName(type: SegmentType): string {
  return `Segment${type.charAt(0).toUpperCase()}${type.slice(1)}`;
}

/** The schema of a message inside a batch, which names its type. */
function segmentBatchedName(type: SegmentType): string {
  return segmentSchemaName(type).replace('Segment', 'SegmentBatched');
}

/**
 * What is checked of a message; times that are none, and ids that are no text, count as not given.
 */
function segmentMessage(type: SegmentType, batched: boolean): Schema {
  const own = segmentOwn[type] ?? {};
  const named = (member: 'userId' | 'anonymousId'): Schema => ({
    required: [member],
    properties: { [member]: name('Who it is', key) },
  });
  return {
    type: 'object',
    description:
      'userId or anonymousId is required. Members that are not named here, such as properties, traits and context, are data as well',
    required: [...(batched ? ['type'] : []), ...Object.keys(own)],
    properties: {
      ...(batched ? { type: { type: 'string', const: type } } : {}),
      ...own,
      userId: { ...textOrNumber, pattern: textPattern, description: 'The user; the partition key' },
      anonymousId: {
        ...textOrNumber,
        description:
          'Who it is before the user is known; the partition key where there is no userId',
      },
      messageId: {
        ...textOrNumber,
        description: 'Names the event: sent again under the same id it is one event',
        maxLength: limits.attributeMaxBytes,
        pattern: textPattern,
      },
      timestamp: segmentTime(
        'Time of the event; corrected by how far sentAt is from when it was received',
      ),
      originalTimestamp: segmentTime('The same, of older clients'),
      sentAt: { description: 'Time of sending, by the clock of the client, in the same forms' },
    },
    additionalProperties: true,
    if: named('userId'),
    else: named('anonymousId'),
  };
}

export const shapes: Readonly<Record<string, Schema>> = {
  Error: error,
  Refused: { type: 'object', required: ['error'], properties: { error: ref('Error') } },
  Taken: taken,
  ...results('Result', 'index', { type: 'integer', minimum: 0 }),
  Batch: {
    type: 'object',
    required: ['accepted', 'refused', 'results'],
    properties: {
      accepted: { type: 'integer', minimum: 0 },
      refused: { type: 'integer', minimum: 0 },
      results: { type: 'array', maxItems: limits.requestEventsMax, items: ref('Result') },
    },
  },
  Verdict: {
    type: 'object',
    required: ['verdict', 'accepted', 'refused'],
    description:
      'The last line of the answer to a long NDJSON body; an answer without it was cut off',
    properties: {
      verdict: {
        type: 'integer',
        minimum: 200,
        maximum: 599,
        description: 'The status that a short body would have had',
      },
      accepted: { type: 'integer', minimum: 0 },
      refused: { type: 'integer', minimum: 0 },
      retryAfter: {
        type: 'integer',
        minimum: 1,
        description:
          'Seconds, where the quota ended it: send again from the index in `error.expected` on',
      },
      error: ref('Error'),
    },
  },
  Envelope: {
    type: 'object',
    required: ['data'],
    additionalProperties: false,
    properties: envelopeProperties,
  },
  // Without `type` every JSON value is valid, as it is to the ingress; with `properties` generators
  // make an object of it, which they can send.
  JsonEvent: {
    description: 'One event, any JSON value; an array is a batch, an event an element',
    minItems: 1,
    maxItems: limits.requestEventsMax,
    properties: {
      data: {
        description:
          "The event itself, where the stream has 'envelope: sluice'; the members of Envelope stand beside it",
      },
    },
    additionalProperties: true,
  },
  CloudEvent: {
    type: 'object',
    required: ['specversion', 'id', 'source', 'type'],
    properties: {
      specversion: { type: 'string', const: '1.0' },
      id: attributeTexts.id,
      source: attributeTexts.source,
      type: attributeTexts.type,
      time: attributeTexts.time,
      subject: attributeTexts.subject,
      partitionkey: attributeTexts.partitionkey,
      dataschema: attribute('Schema of the data'),
      datacontenttype: {
        type: 'string',
        pattern: jsonTypePattern,
        description: 'A JSON type: Sluice carries JSON',
      },
      data: {},
    },
    not: { anyOf: [{ required: ['data_base64'] }, { required: ['dataref'] }] },
    propertyNames: { anyOf: [{ const: 'data' }, { pattern: extensionName.source }] },
    additionalProperties: {
      maxLength: limits.extensionsMaxBytes,
      pattern: textPattern,
      not: { anyOf: [{ type: 'object' }, { type: 'array' }] },
      description: `An extension: a string, number, boolean or null, carried as text; all of them together have at most ${limits.extensionsMaxBytes} bytes`,
    },
  },
  CloudEventBatch: { type: 'array', items: ref('CloudEvent') },
  ...Object.fromEntries(
    segmentTypes.map((type) => [segmentSchemaName(type), segmentMessage(type, false)]),
  ),
  ...Object.fromEntries(
    segmentTypes.map((type) => [segmentBatchedName(type), segmentMessage(type, true)]),
  ),
  SegmentBatchedMessage: {
    oneOf: segmentTypes.map((type) => ref(segmentBatchedName(type))),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(
        segmentTypes.map((type) => [type, ref(segmentBatchedName(type))['$ref']]),
      ),
    },
  },
  SegmentBatch: {
    type: 'object',
    required: ['batch'],
    properties: {
      batch: {
        type: 'array',
        minItems: 1,
        maxItems: limits.requestEventsMax,
        items: ref('SegmentBatchedMessage'),
      },
      sentAt: { description: 'Of those messages that have none of their own' },
      writeKey: { description: 'The key, where no header can have it' },
    },
  },
  SegmentTaken: {
    type: 'object',
    required: ['success'],
    properties: {
      success: { type: 'boolean', enum: [true] },
      refused: { type: 'array', items: ref('Result') },
    },
  },
  SegmentRefused: {
    type: 'object',
    required: ['success', 'refused'],
    properties: {
      success: { type: 'boolean', enum: [false] },
      refused: { type: 'array', items: ref('Result') },
    },
  },
  Warnings: {
    type: 'object',
    required: ['stream', 'warnings'],
    properties: {
      stream: { type: 'string' },
      warnings: {
        type: 'array',
        maxItems: limits.warningsPerSenderMax,
        items: {
          type: 'object',
          required: ['code', 'status', 'message', 'count', 'first', 'last'],
          properties: {
            code: { type: 'string' },
            status: { type: 'integer' },
            message: { type: 'string' },
            expected: { type: 'string' },
            pointer: { type: 'string' },
            count: { type: 'integer', minimum: 1 },
            first: { type: 'string', format: 'date-time' },
            last: { type: 'string', format: 'date-time' },
            sample: { type: 'string', description: 'The beginning of one that this key sent' },
          },
        },
      },
    },
  },
};

/** Messages of a WebSocket. */
export const frames: Readonly<Record<string, Schema>> = {
  Event: {
    type: 'object',
    required: ['data'],
    additionalProperties: false,
    properties: { ref: correlation, ...envelopeProperties },
  },
  Hello: {
    type: 'object',
    required: ['hello'],
    properties: {
      hello: {
        type: 'object',
        required: ['stream', 'session', 'ack', 'credit', 'maxBytes'],
        properties: {
          stream: { type: 'string' },
          session: {
            type: 'string',
            description:
              'To come back with: ?session=. An event without id is then still the same event when its ref is',
          },
          ack: { type: 'string', enum: ['replicated', 'spooled', 'buffered'] },
          credit: {
            type: 'integer',
            const: limits.wsCreditEvents,
            description:
              'Events that may be sent and not acknowledged; every acknowledgement gives one back',
          },
          maxBytes: { type: 'integer' },
        },
      },
    },
  },
  ...results('Acknowledgement', 'ref', correlation),
  Error: error,
};
