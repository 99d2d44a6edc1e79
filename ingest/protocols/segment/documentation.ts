/**
 * What the documents say of the Segment tracking API: its messages as they are read here (read.ts),
 * the path of each call, what a library asks for beside.
 */
import { endOfTimeMs, startOfTimeMs } from '../../../schemas/kernel/time.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Schema } from '../../documents/attributes.ts';
import { textPattern } from '../../documents/attributes.ts';
import type { Documentation, Node } from '../../documents/parts.ts';
import {
  headFaults,
  jsonOf,
  parameter,
  ref,
  refusals,
  refusalsWith,
  taken,
} from '../../documents/parts.ts';
import type { SegmentCall, SegmentType } from './read.ts';
import { segmentCalls, segmentTypes } from './read.ts';

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

function segmentSchemaName(type: SegmentType): string {
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

/** The path item of a call, by the name it goes under. */
const callItem = (route: string, call: SegmentCall): Node => ({
  post: {
    operationId: `segment-${route}`,
    summary: `Segment tracking API: ${call}`,
    ...(route === call ? {} : { description: `The same as /v1/${call}` }),
    requestBody: {
      required: true,
      content: jsonOf(call === 'batch' ? 'SegmentBatch' : segmentSchemaName(call)),
    },
    responses: {
      '200': taken('In the stream, but for what is refused for good', jsonOf('SegmentTaken')),
      '202': taken('Accepted, and only on this machine yet', jsonOf('SegmentTaken')),
      ...refusals(...headFaults, '401', '403', '404', '408', '413', '429', '503'),
      ...refusalsWith(
        { 'application/json': { schema: { anyOf: [ref('Refused'), ref('SegmentRefused')] } } },
        ['400', '409'],
      ),
    },
  },
});
export const documentation: Documentation = {
  paths: {
    ...Object.fromEntries(
      Object.entries(segmentCalls).map(([name, call]) => [`/v1/${name}`, callItem(name, call)]),
    ),
    '/v1/m': {
      post: {
        operationId: 'segment-m',
        summary: 'What a Segment library reports about itself: it is not kept',
        security: [{}],
        requestBody: { required: false, content: { 'application/json': { schema: {} } } },
        responses: {
          '200': { description: 'Yes', content: jsonOf('SegmentTaken') },
          ...refusals(...headFaults, '429', '503'),
        },
      },
    },
    '/v1/projects/{writeKey}/settings': {
      parameters: [parameter('writeKey', 'path', 'The key, as the library has it')],
      get: {
        operationId: 'segment-settings',
        summary: 'What a Segment library asks for before it sends: one destination, this ingress',
        security: [{}],
        responses: {
          '200': {
            description: 'The settings of this key',
            content: { 'application/json': { schema: { type: 'object' } } },
          },
          ...refusals(...headFaults, '401', '403', '404', '429', '503'),
        },
      },
    },
  },
  schemas: {
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
  },
};
