/**
 * JSON Schemas of what clients send and get, for the served documents: made from the lists and bounds that the readers use.
 *
 * Generators of clients read them (test/clients/generated.test.ts), so every schema
 * 1. has one `type`, never a list of them, and has it beside `enum` and `const` too;
 * 2. names what is `oneOf` or an element of a list as a component of its own;
 * 3. says in words what only a validator would understand, such as "one of these two members is required".
 */
import { limits } from '../../schemas/limits.ts';
import { extensionName } from '../../schemas/wire.ts';
import { envelopeMembers } from '../protocol/attributes.ts';
import { jsonTypePattern } from '../protocol/cloudevents.ts';
import type { SegmentType } from '../protocol/segment.ts';
import { segmentTypes } from '../protocol/segment.ts';

type Schema = Readonly<Record<string, unknown>>;

const attribute = (description: string): Schema => ({ type: 'string', minLength: 1, maxLength: limits.attributeMaxBytes, description });

export const longKey = `one of more than ${limits.partitionKeyMaxChars} characters is carried as sha256: and its digest`;

const attributeTexts: Readonly<Record<(typeof envelopeMembers)[number], Schema>> = {
  id: attribute('Names the event within its source: sent again under the same id it is one event.'),
  type: attribute('What happened. Default: team.app'),
  time: { type: 'string', format: 'date-time', description: 'When it happened (RFC 3339). Default: when it was received' },
  subject: attribute('What it is about'),
  partitionkey: attribute(`Ordering and state key. Default: the subject, else the id; ${longKey}`),
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
    code: { type: 'string', pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', description: 'Stable, for programs' },
    message: { type: 'string' },
    expected: { type: 'string' },
    pointer: { type: 'string', description: 'Where in the body (RFC 6901)' },
    offset: { type: 'integer', minimum: 0, description: 'Byte offset in the decoded body; in NDJSON, in the line' },
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
  position: { type: 'string', description: 'split:position in the stream; only what the stream holds has one' },
  ack: { type: 'string', enum: ['spooled', 'buffered'], description: 'Missing: the stream holds it' },
  failover: { type: 'boolean', enum: [true], description: 'It took the other path, because its own is down' },
  repeated: { type: 'boolean', enum: [true], description: 'This identity was met before; this is what became of the first' },
};

const taken: Schema = { type: 'object', required: ['id', 'route'], properties: takenProperties };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** What became of one event: the schema `name`, and its two forms. */
const results = (name: string, place: string, schema: Schema): Readonly<Record<string, Schema>> => ({
  [name]: { oneOf: [ref(`${name}Taken`), ref(`${name}Refused`)] },
  [`${name}Taken`]: {
    type: 'object',
    required: ['status', 'id', 'route'],
    properties: { [place]: schema, status: { type: 'integer', enum: [200, 202] }, ...takenProperties },
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

/** A member that names something. */
const name = (description: string): Schema => ({
  type: 'string',
  minLength: 1,
  description: `${description}. A number is read as its text`,
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

const timeDescription = (what: string): Schema => ({ type: 'string', description: `RFC 3339. ${what}` });

/** What is checked of a message. Members that are not named here, such as `properties`, `traits` and `context`, are data as well. */
function segmentMessage(type: SegmentType, batched: boolean): Schema {
  const own = segmentOwn[type] ?? {};
  return {
    type: 'object',
    description: 'At least one of userId and anonymousId is required. Any other member is part of the data',
    required: [...(batched ? ['type'] : []), ...Object.keys(own)],
    properties: {
      ...(batched ? { type: { type: 'string', const: type } } : {}),
      ...own,
      userId: name('The user; the partition key'),
      anonymousId: name('Who it is before the user is known; the partition key where there is no userId'),
      messageId: { type: 'string', description: 'Names the event: sent again under the same id it is one event' },
      timestamp: timeDescription(
        'Other forms of ISO 8601 are understood, in UTC unless they say; a number is Unix time. Time of the event; corrected by how far sentAt is from when it was received',
      ),
      originalTimestamp: timeDescription('The same, of older clients'),
      sentAt: timeDescription('Time of sending, by the clock of the client'),
    },
    additionalProperties: true,
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
    description: 'The last line of the answer to a long NDJSON body; an answer without it was cut off',
    properties: {
      verdict: { type: 'integer', minimum: 200, maximum: 599, description: 'The status that a short body would have had' },
      accepted: { type: 'integer', minimum: 0 },
      refused: { type: 'integer', minimum: 0 },
      error: ref('Error'),
    },
  },
  Envelope: { type: 'object', required: ['data'], additionalProperties: false, properties: envelopeProperties },
  // Without `type` every JSON value is valid, as it is to the ingress; with `properties` generators make an object of it, which they can send.
  JsonEvent: {
    description: 'One event, any JSON value; an array is a batch, an event an element',
    properties: {
      data: { description: "The event itself, where the stream has 'envelope: sluice'; the members of Envelope stand beside it" },
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
      datacontenttype: { type: 'string', pattern: jsonTypePattern, description: 'A JSON type: Sluice carries JSON' },
      data: {},
    },
    not: { anyOf: [{ required: ['data_base64'] }, { required: ['dataref'] }] },
    propertyNames: { anyOf: [{ const: 'data' }, { pattern: extensionName.source }] },
    additionalProperties: {
      maxLength: limits.extensionsMaxBytes,
      description: `An extension: a string, number, boolean or null, carried as text; all of them together have at most ${limits.extensionsMaxBytes} bytes`,
    },
  },
  CloudEventBatch: { type: 'array', items: ref('CloudEvent') },
  ...Object.fromEntries(segmentTypes.map((type) => [segmentSchemaName(type), segmentMessage(type, false)])),
  ...Object.fromEntries(segmentTypes.map((type) => [segmentBatchedName(type), segmentMessage(type, true)])),
  SegmentBatchedMessage: {
    oneOf: segmentTypes.map((type) => ref(segmentBatchedName(type))),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(segmentTypes.map((type) => [type, ref(segmentBatchedName(type))['$ref']])),
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
      sentAt: timeDescription('Of those messages that have none of their own'),
      writeKey: { type: 'string', description: 'The key, where no header can have it' },
    },
  },
  SegmentTaken: {
    type: 'object',
    required: ['success'],
    properties: { success: { type: 'boolean', enum: [true] }, refused: { type: 'array', items: ref('Result') } },
  },
  SegmentRefused: {
    type: 'object',
    required: ['success', 'refused'],
    properties: { success: { type: 'boolean', enum: [false] }, refused: { type: 'array', items: ref('Result') } },
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
            description: 'To come back with: ?session=. An event without id is then still the same event when its ref is',
          },
          ack: { type: 'string', enum: ['replicated', 'spooled', 'buffered'] },
          credit: {
            type: 'integer',
            const: limits.wsCreditEvents,
            description: 'Events that may be sent and not acknowledged; every acknowledgement gives one back',
          },
          maxBytes: { type: 'integer' },
        },
      },
    },
  },
  ...results('Acknowledgement', 'ref', correlation),
  Error: error,
};
