/**
 * JSON Schemas of what clients send and get, for the served documents: made from the lists and bounds that the readers use.
 */
import { limits } from '../../schemas/limits.ts';
import { extensionName } from '../../schemas/wire.ts';
import { envelopeMembers } from '../protocol/attributes.ts';
import { jsonTypePattern } from '../protocol/cloudevents.ts';
import type { SegmentType } from '../protocol/segment.ts';
import { segmentTypes } from '../protocol/segment.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = (maxLength: number, description: string): Schema => ({ type: 'string', minLength: 1, maxLength, description });
const attribute = (description: string): Schema => text(limits.attributeMaxBytes, description);

const attributeTexts: Readonly<Record<(typeof envelopeMembers)[number], Schema>> = {
  id: attribute('Names the event within its source: sent again under the same id it is one event.'),
  type: attribute('What happened. Default: team.app'),
  time: { type: 'string', format: 'date-time', description: 'When it happened (RFC 3339). Default: when it was received' },
  subject: attribute('What it is about'),
  partitionkey: text(limits.partitionKeyMaxChars, 'Ordering and state key. Default: the subject, else the id'),
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
    outcome: { const: 'unknown', description: 'The event may be in the stream; sending it again under the same id is safe' },
  },
};

const takenProperties: Schema = {
  id: { type: 'string' },
  route: { enum: ['kinesis', 'kafka'] },
  position: { type: 'string', description: 'split:position in the stream; only what the stream holds has one' },
  ack: { enum: ['spooled', 'buffered'], description: 'Missing: the stream holds it' },
  failover: { const: true, description: 'It took the other path, because its own is down' },
  repeated: { const: true, description: 'This identity was met before; this is what became of the first' },
};

const taken: Schema = { type: 'object', required: ['id', 'route'], properties: takenProperties };
const result = (place: string, schema: Schema): Schema => ({
  oneOf: [
    {
      type: 'object',
      required: ['status', 'id', 'route'],
      properties: { [place]: schema, status: { enum: [200, 202] }, ...takenProperties },
    },
    {
      type: 'object',
      required: ['status', 'error'],
      properties: {
        [place]: schema,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        retryAfter: { type: 'integer' },
        error: ref('Error'),
      },
    },
  ],
});
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const correlation: Schema = {
  type: ['string', 'number'],
  description: "The client's correlation id; it comes back in the acknowledgement",
};

/** A member that names something: a number is taken as it is written. */
const name = (description: string, more: Schema = {}): Schema => ({
  anyOf: [{ type: 'string', minLength: 1, ...more }, { type: 'number' }],
  description,
});
const key: Schema = { maxLength: limits.partitionKeyMaxChars };
const segmentOwn: Readonly<Partial<Record<SegmentType, Schema>>> = {
  track: { event: name('What was done') },
  group: { groupId: name('The group that the user belongs to') },
  alias: { previousId: name('What the user was called before') },
};

export function segmentSchemaName(type: SegmentType): string {
  return `Segment${type.charAt(0).toUpperCase()}${type.slice(1)}`;
}

/** What is checked of a message; times that are none, and ids that are no text, count as not given. */
function segmentMessage(type: SegmentType): Schema {
  const own = segmentOwn[type] ?? {};
  return {
    type: 'object',
    required: Object.keys(own),
    anyOf: [
      { required: ['userId'], properties: { userId: name('The user; the partition key', key) } },
      { required: ['anonymousId'], properties: { anonymousId: name('Who it is before the user is known', key) } },
    ],
    properties: {
      ...own,
      messageId: { description: 'Text that names the event: sent again under the same id it is one event' },
      timestamp: { description: 'RFC 3339 time of the event; corrected by how far sentAt is from when it was received' },
      originalTimestamp: { description: 'The same, of older clients' },
      sentAt: { description: 'RFC 3339 time of sending, by the clock of the client' },
    },
  };
}

export const shapes: Readonly<Record<string, Schema>> = {
  Error: error,
  Refused: { type: 'object', required: ['error'], properties: { error: ref('Error') } },
  Taken: taken,
  Result: result('index', { type: 'integer', minimum: 0 }),
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
  CloudEvent: {
    type: 'object',
    required: ['specversion', 'id', 'source', 'type'],
    properties: {
      specversion: { const: '1.0' },
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
      type: ['string', 'number', 'boolean', 'null'],
      maxLength: limits.attributeMaxBytes,
      description: `An extension, carried as text; at most ${limits.extensionsMax}`,
    },
  },
  ...Object.fromEntries(segmentTypes.map((type) => [segmentSchemaName(type), segmentMessage(type)])),
  SegmentBatch: {
    type: 'object',
    required: ['batch'],
    properties: {
      batch: {
        type: 'array',
        minItems: 1,
        maxItems: limits.requestEventsMax,
        items: {
          oneOf: segmentTypes.map((type) => ({
            allOf: [ref(segmentSchemaName(type)), { type: 'object', required: ['type'], properties: { type: { const: type } } }],
          })),
        },
      },
      sentAt: { description: 'Of those messages that have none of their own' },
      writeKey: { description: 'The key, where no header can have it' },
    },
  },
  SegmentTaken: {
    type: 'object',
    required: ['success'],
    properties: { success: { const: true }, refused: { type: 'array', items: ref('Result') } },
  },
  SegmentRefused: {
    type: 'object',
    required: ['success', 'refused'],
    properties: { success: { const: false }, refused: { type: 'array', items: ref('Result') } },
  },
  Warnings: {
    type: 'object',
    required: ['stream', 'warnings'],
    properties: {
      stream: { type: 'string' },
      warnings: {
        type: 'array',
        maxItems: limits.warningsPerStreamMax,
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
          ack: { enum: ['replicated', 'spooled', 'buffered'] },
          credit: {
            const: limits.wsCreditEvents,
            description: 'Events that may be sent and not acknowledged; every acknowledgement gives one back',
          },
          maxBytes: { type: 'integer' },
        },
      },
    },
  },
  Acknowledgement: result('ref', correlation),
  Error: error,
};
