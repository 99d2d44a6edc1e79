/**
 * JSON: a value is an event, an array is a batch of them. Its types include what browsers send of
 * their own: `text/plain` (`navigator.sendBeacon`, which may send nothing else without asking
 * first) and reports.
 */

import type { StreamConfig } from '../../schemas/config.ts';
import { isFault, scanArray } from '../../schemas/json-scan.ts';
import { limits } from '../../schemas/limits.ts';
import { envelopeProperties } from '../documents/attributes.ts';
import { ref } from '../documents/parts.ts';
import { answerEvents } from '../event/answer.ts';
import { checkHead } from '../event/attribute-check.ts';
import { deriveEvent } from '../event/attributes.ts';
import { notJson } from '../event/json-fault.ts';
import { cloudEventsPrefix, hasJsonSuffix } from '../event/media-type.ts';
import type { EventReader, ProtocolRequest, ReadBody } from '../event/read-body.ts';
import { checkCount, checkNoId, elements } from '../event/read-body.ts';
import type { Refusal } from '../event/refusal.ts';
import type { BodyProtocol } from './protocol.ts';

function readJson(
  body: Buffer,
  { head }: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const unread = checkHead(head);
  if (unread !== undefined) return unread;
  const scanned = scanArray(body, 0, body.length, limits.requestEventsMax + 1);
  if (isFault(scanned)) return notJson(scanned);
  if (scanned.kind === 'other')
    return { single: true, events: [deriveEvent(body, scanned.span, stream, head, newId)] };
  const read: EventReader = (bytes, span) => deriveEvent(bytes, span, stream, head, newId);
  return (
    checkCount(scanned.spans.length / 2) ??
    checkNoId(head) ?? { single: false, events: elements(body, scanned.spans, read) }
  );
}

export const json: BodyProtocol = {
  kind: 'body',
  name: 'json',
  summary: 'A JSON value is an event, an array is a batch of them.',
  match: {
    types: [
      'application/json',
      'text/json',
      'text/plain',
      'application/csp-report',
      'application/reports+json',
    ],
    common: [
      '',
      'application/json; charset=utf-8',
      'application/json;charset=utf-8',
      'application/json;charset=UTF-8',
      'application/json; charset=UTF-8',
      'text/plain;charset=UTF-8',
    ],
    matches: (media, ce) =>
      ce === undefined && hasJsonSuffix(media) && !media.startsWith(cloudEventsPrefix),
    expected: 'application/json or a +json type (a value, or an array of events)',
  },
  read: readJson,
  answer: answerEvents,
  limits: { requestEventsMax: limits.requestEventsMax },
  conformance: ['media-types.yaml', 'more-media-types.yaml', 'protocols.yaml'],
  documentation: {
    body: { schema: ref('JsonEvent') },
    schemas: {
      Envelope: {
        type: 'object',
        required: ['data'],
        additionalProperties: false,
        properties: envelopeProperties,
      },
      // Without `type` every JSON value is valid, as it is to the ingress; with `properties`
      // generators make an object of it, which they can send.
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
    },
  },
};
