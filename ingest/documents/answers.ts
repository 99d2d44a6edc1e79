/**
 * JSON Schemas of answers that several protocols give, for the served documents.
 */
import { limits } from '../../schemas/limits.ts';
import type { Schema } from './attributes.ts';
import { ref } from './parts.ts';

export const error: Schema = {
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
    description: 'It took the other route, because its own is down',
  },
  repeated: {
    type: 'boolean',
    enum: [true],
    description: 'This identity was met before; this is what became of the first',
  },
};

const taken: Schema = { type: 'object', required: ['id', 'route'], properties: takenProperties };

/** What became of one event: the schema `name`, and its two forms. */
export const results = (
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

export const answerSchemas: Readonly<Record<string, Schema>> = {
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
};
