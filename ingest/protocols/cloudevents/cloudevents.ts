/**
 * CloudEvents 1.0.2 over HTTP in its three modes
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
 * The binding tells them apart by the prefix `application/cloudevents` alone: what the data's own
 * type is comes after.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import { checkJson, isFault, scanArray } from '../../../schemas/json-scan.ts';
import { limits } from '../../../schemas/limits.ts';
import { extensionName } from '../../../schemas/wire-attributes.ts';
import { attribute, attributeTexts, textPattern } from '../../documents/attributes.ts';
import { ref } from '../../documents/parts.ts';
import { answerEvents } from '../../event/answer.ts';
import { notJson } from '../../event/json-fault.ts';
import { cloudEventsPrefix, jsonTypePattern } from '../../event/media-type.ts';
import type { EventReader, ProtocolRequest, ReadBody } from '../../event/read-body.ts';
import { checkCount, elements } from '../../event/read-body.ts';
import type { Refusal } from '../../event/refusal.ts';
import type { BodyProtocol } from '../protocol.ts';
import { readBinary, readStructured } from './read.ts';

const conformance = ['cloudevents.yaml', 'more-cloudevents.yaml'];

/** The body is the data, the attributes are in `ce-` headers. */
export const binary: BodyProtocol = {
  kind: 'body',
  name: 'cloudevents-binary',
  summary:
    'A CloudEvent in binary mode: the body is its data, its attributes are in `ce-` headers.',
  match: {
    types: [],
    matches: (media, ce) => ce !== undefined && !media.startsWith(cloudEventsPrefix),
  },
  read: (body, { contentType, ce, head }, stream, newId) => ({
    single: true,
    events: [readBinary(body, ce ?? [], contentType, stream, head, newId)],
  }),
  answer: answerEvents,
  limits: { extensionsMaxBytes: limits.extensionsMaxBytes },
  conformance,
  documentation: {},
};

/** The body is the event, its attributes and its data. */
export const structured: BodyProtocol = {
  kind: 'body',
  name: 'cloudevents-structured',
  summary: 'A CloudEvent in structured mode: the body is the event.',
  match: { types: [`${cloudEventsPrefix}+json`], expected: `${cloudEventsPrefix}+json` },
  read: readOne,
  answer: answerEvents,
  limits: { extensionsMaxBytes: limits.extensionsMaxBytes },
  conformance,
  documentation: {
    body: { schema: ref('CloudEvent') },
    schemas: {
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
    },
  },
};

/** The body is an array of structured ones. */
export const batched: BodyProtocol = {
  kind: 'body',
  name: 'cloudevents-batched',
  summary: 'CloudEvents in batched mode: the body is an array of events.',
  match: {
    types: [`${cloudEventsPrefix}-batch+json`],
    expected: `${cloudEventsPrefix}-batch+json`,
  },
  read: readBatch,
  answer: answerEvents,
  limits: {
    requestEventsMax: limits.requestEventsMax,
    extensionsMaxBytes: limits.extensionsMaxBytes,
  },
  conformance,
  documentation: {
    // The bounds beside a reference to the list: openapi-python-client then leaves this content
    // type out, as the `send` that it makes of a list raises.
    body: {
      schema: {
        allOf: [
          ref('CloudEventBatch'),
          { type: 'array', minItems: 1, maxItems: limits.requestEventsMax },
        ],
      },
    },
    schemas: { CloudEventBatch: { type: 'array', items: ref('CloudEvent') } },
  },
};

function readOne(
  body: Buffer,
  { head }: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const checked = checkJson(body);
  return isFault(checked)
    ? notJson(checked)
    : { single: true, events: [readStructured(body, checked, stream, head, newId)] };
}

function readBatch(
  body: Buffer,
  { head }: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const scanned = scanArray(body, 0, body.length, limits.requestEventsMax + 1);
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind === 'other')
    return {
      status: 400,
      code: 'batch-invalid',
      message: 'the batch must be an array',
      expected: 'an array of events',
      pointer: '',
    };
  const read: EventReader = (bytes, span) => readStructured(bytes, span, stream, head, newId);
  return (
    checkCount(scanned.spans.length / 2) ?? {
      single: false,
      events: elements(body, scanned.spans, read),
    }
  );
}
