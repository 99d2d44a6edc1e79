/**
 * What the documents say of the WebSocket: OpenAPI its handshake, AsyncAPI what goes over it.
 */
import { limits } from '../../../schemas/limits.ts';
import { error, results } from '../../documents/answers.ts';
import type { Schema } from '../../documents/attributes.ts';
import { envelopeProperties } from '../../documents/attributes.ts';
import type { Documentation, Node } from '../../documents/parts.ts';
import { headFaults, jsonOf, refusals, said, streamParameters } from '../../documents/parts.ts';

const correlation: Schema = {
  anyOf: [{ type: 'string' }, { type: 'number' }],
  description: "The client's correlation id; it comes back in the acknowledgement",
};

/** Messages of a WebSocket. */
const frames: Readonly<Record<string, Schema>> = {
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

const message = (name: string, summary: string): Node => ({
  name,
  summary,
  contentType: 'application/json',
  payload: { $ref: `#/components/schemas/${name}` },
});
const channel = '#/channels/events';
const operation = (action: string, summary: string, ...names: string[]): Node => ({
  action,
  channel: { $ref: channel },
  summary,
  messages: names.map((name) => ({ $ref: `${channel}/messages/${name}` })),
});

export const documentation: Documentation = {
  paths: {
    '/v1/{team}/{app}/ws': {
      parameters: streamParameters,
      get: {
        operationId: 'open-websocket',
        summary: 'Send events over a WebSocket: /asyncapi.json tells what goes over it',
        responses: {
          '101': { description: 'The connection is a WebSocket now' },
          ...refusals(...headFaults, '401', '403', '404', '429', '503'),
          '426': { description: said['426'], content: jsonOf('Refused') },
        },
      },
    },
  },
  messages: {
    channels: {
      events: {
        address: '/v1/{team}/{app}/ws',
        title: 'Events of one stream',
        description: `An event a message, an acknowledgement an event. At most ${limits.wsCreditEvents} may be unacknowledged; ${limits.wsOverdraftEvents} more wait, then the connection is closed with 1008. A message has at most 'maxBytes' of the hello; a larger one closes with 1009. 1001: the instance stops; 1013: no room now, connect again later; 4401: the key is gone or the token is over. Each has a reason.`,
        parameters: {
          team: { description: 'The team of the stream' },
          app: { description: 'The app of the stream' },
        },
        messages: {
          Event: message('Event', 'An event, sent by the client'),
          Hello: message('Hello', 'The first message of the server'),
          Acknowledgement: message('Acknowledgement', 'What became of one event'),
        },
        bindings: {
          ws: {
            method: 'GET',
            query: {
              type: 'object',
              properties: {
                key: { type: 'string', description: 'The API key' },
                session: { type: 'string', pattern: '^[A-Za-z0-9._-]{8,64}$' },
              },
            },
          },
        },
      },
    },
    operations: {
      takeEvents: operation('receive', 'The server takes events', 'Event'),
      acknowledge: operation(
        'send',
        'The server greets and acknowledges',
        'Hello',
        'Acknowledgement',
      ),
    },
    schemas: frames,
  },
};
