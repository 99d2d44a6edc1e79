/**
 * JSON Schemas of what clients send and get, for the served documents: made from the lists and bounds that the readers use.
 */
import { limits } from '../../schemas/limits.ts';
import { envelopeMembers } from '../protocol/attributes.ts';
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

/** The name of the shape of one of Segment's calls. */
export function segmentShapeOf(type: (typeof segmentTypes)[number]): string {
  return `Segment${type[0]?.toUpperCase()}${type.slice(1)}`;
}

/** A message of a batch says its type; one that is sent alone has that of its address. */
function segmentMessage(type?: (typeof segmentTypes)[number]): Schema {
  const name = { anyOf: [{ type: 'string', minLength: 1 }, { type: 'number' }] };
  const has = (member: string): Schema => ({ required: [member], properties: { [member]: name } });
  const needed: Partial<Record<(typeof segmentTypes)[number], string>> = { track: 'event', group: 'groupId', alias: 'previousId' };
  const also = (of: (typeof segmentTypes)[number]): Schema => (needed[of] === undefined ? {} : has(needed[of]));
  const user = { anyOf: [has('userId'), has('anonymousId')] };
  const ofType = segmentTypes.map((of) => ({ allOf: [{ properties: { type: { const: of } } }, also(of)] }));
  // A time that is none is not used: it is no reason to lose the message.
  const time = { description: 'RFC 3339; another is not used' };
  return {
    type: 'object',
    ...(type === undefined ? { required: ['type'], allOf: [user, { oneOf: ofType }] } : { allOf: [user, also(type)] }),
    properties: {
      messageId: { description: 'The id of the event: a non-empty text or a number' },
      timestamp: time,
      originalTimestamp: time,
      sentAt: time,
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
      dataschema: { type: 'string' },
      datacontenttype: { type: 'string' },
      data: {},
    },
  },
  SegmentMessage: segmentMessage(),
  ...Object.fromEntries(segmentTypes.map((type) => [segmentShapeOf(type), segmentMessage(type)])),
  SegmentBatch: {
    type: 'object',
    required: ['batch'],
    properties: { batch: { type: 'array', minItems: 1, maxItems: limits.requestEventsMax, items: ref('SegmentMessage') } },
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
