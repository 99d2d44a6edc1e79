/**
 * The served descriptions of the ingress: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0) of
 * what goes over HTTP, AsyncAPI 3 (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of
 * what goes over a WebSocket. Made from the lists that the readers use.
 */
import { limits } from '../../schemas/limits.ts';
import { mediaTypes } from '../protocol/media-type.ts';
import type { SegmentCall } from '../protocol/segment.ts';
import { segmentRoutes } from '../protocol/segment.ts';
import { frames, longKey, segmentSchemaName, shapes, textPattern } from './shapes.ts';

type Node = Readonly<Record<string, unknown>>;

const version = '1';
const ref = (name: string): Node => ({ $ref: `#/components/schemas/${name}` });
const jsonOf = (name: string): Node => ({ 'application/json': { schema: ref(name) } });
const lines: Node = {
  schema: { type: 'string', description: 'One JSON value a line, any number of lines' },
};
const bodyShapes = {
  json: { schema: ref('JsonEvent') },
  ndjson: lines,
  cloudevent: { schema: ref('CloudEvent') },
  // The bounds beside a reference to the list: openapi-python-client then leaves this content type
  // out, as the `send` that it makes of a list raises.
  cloudevents: {
    schema: {
      allOf: [
        ref('CloudEventBatch'),
        { type: 'array', minItems: 1, maxItems: limits.requestEventsMax },
      ],
    },
  },
} as const;

const parameter = (
  name: string,
  where: 'path' | 'query' | 'header',
  description: string,
  schema: Node = { type: 'string' },
): Node => ({
  name,
  in: where,
  required: where === 'path',
  description,
  schema,
});

const streamParameters = [
  parameter('team', 'path', 'The team of the stream', {
    type: 'string',
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  }),
  parameter('app', 'path', 'The app of the stream', {
    type: 'string',
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  }),
];
const headerText = { type: 'string', maxLength: limits.attributeMaxBytes };
const queryText = { ...headerText, pattern: textPattern };
/** Empty is as good as missing. Not `anyOf`: some generators have no union in a header. */
const timeText = {
  type: 'string',
  description: 'RFC 3339',
  if: { minLength: 1 },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { format: 'date-time' },
};
const headerParameters = [
  parameter(
    'X-Event-Id',
    'header',
    'Id of a single event. It is its partition key where there is no other',
    headerText,
  ),
  parameter('X-Event-Type', 'header', 'Type of the events', headerText),
  parameter('X-Event-Time', 'header', 'Time of the events (RFC 3339)', timeText),
  parameter('X-Partition-Key', 'header', `Partition key of the events; ${longKey}`, {
    type: 'string',
  }),
  parameter(
    'X-Request-Id',
    'header',
    'Comes back when it is 1 to 128 of A-Z a-z 0-9 . _ -; else one is made',
  ),
  parameter(
    'X-Client-Timestamp',
    'header',
    'Epoch ms of sending, for X-Network-Latency; what is no number says nothing',
  ),
  parameter('traceparent', 'header', 'W3C trace context, carried into the record'),
  parameter('Content-Encoding', 'header', 'Of the body', {
    type: 'string',
    enum: ['', 'identity', 'gzip', 'deflate', 'br'],
  }),
];

const said: Readonly<Record<string, string>> = {
  '400':
    'Not JSON, not UTF-8, bad attributes, unknown content type, or a head that is not clear: what, where, what was expected',
  '401': 'No key, or none of this instance',
  '403': 'The key is not for this stream, or not for pages of this origin',
  '404': 'No such stream',
  '408': 'The body did not arrive in time',
  '409': 'The id was accepted before with other content: `differs` says in what',
  '414': 'The query is too long; the connection ends',
  '431': 'The head is too large; the connection ends',
  '501': 'A transfer coding other than chunked; the connection ends',
  '413': 'More than the largest configured route, or than the bound of a body',
  '426': 'The request is no handshake of a WebSocket',
  '429': "Over this key's, stream's or address' quota",
  '503': 'Not at the declared durability now. Send it again, under the same id, after Retry-After',
};
const requestId: Node = {
  required: true,
  schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,128}$' },
};
const refusalsWith = (content: Node, statuses: readonly string[]): Node =>
  Object.fromEntries(
    statuses.map((status) => {
      const wait: Node =
        status === '429' || status === '503'
          ? { 'Retry-After': { required: true, schema: { type: 'integer', minimum: 1 } } }
          : {};
      return [
        status,
        {
          description: said[status] ?? '',
          headers: { 'X-Request-Id': requestId, ...wait },
          content,
        },
      ];
    }),
  );
const refusals = (...statuses: string[]): Node => refusalsWith(jsonOf('Refused'), statuses);
const refusedBatches = (...statuses: string[]): Node =>
  refusalsWith(
    { 'application/json': { schema: { anyOf: [ref('Refused'), ref('Batch')] } } },
    statuses,
  );
/** What the check of a request's head says, whatever was asked for (ingest/http/head-check.ts). */
const headFaults = ['400', '414', '431', '501'] as const;
const answerHeaders: Node = {
  'X-Request-Id': requestId,
  'X-Sluice-Ack': {
    description: 'What a 2xx means',
    schema: { type: 'string', enum: ['replicated', 'spooled', 'buffered'] },
  },
  'X-Processing-Latency': { schema: { type: 'string', pattern: '^[0-9]+ms$' } },
  'X-Network-Latency': { schema: { type: 'string', pattern: '^[0-9]+ms$' } },
  'Server-Timing': { schema: { type: 'string' } },
  RateLimit: { schema: { type: 'string' } },
  'RateLimit-Policy': { schema: { type: 'string' } },
};
const oneOrMany: Node = { 'application/json': { schema: { anyOf: [ref('Taken'), ref('Batch')] } } };
const taken = (description: string, content: Node = oneOrMany): Node => ({
  description,
  headers: answerHeaders,
  content,
});

const hostVariable: Node = {
  default: 'localhost:8080',
  description: 'Host and port of the ingress',
};
/** Relative to where the document was loaded from; the second for a document that was saved. */
const openapiServers: readonly Node[] = [
  { url: '/', description: 'The server that this document comes from' },
  {
    url: '{scheme}://{host}',
    description: 'Any other',
    variables: { scheme: { default: 'http', enum: ['http', 'https'] }, host: hostVariable },
  },
];
const asyncapiServers: Node = {
  plain: {
    host: '{host}',
    protocol: 'ws',
    description: 'Without TLS',
    variables: { host: hostVariable },
  },
  tls: {
    host: '{host}',
    protocol: 'wss',
    description: 'With TLS',
    variables: { host: hostVariable },
  },
};

/** What anybody may get, without a key. */
/** `refused`: answers to those who may not, where not everybody may. */
function plainGet(
  name: string,
  summary: string,
  type: 'text/plain' | 'application/json',
  refused?: readonly string[],
): Node {
  const content = {
    [type]: { schema: type === 'text/plain' ? { type: 'string' } : { type: 'object' } },
  };
  const answers = (told: Node): Node => ({
    '200': { description: 'Yes', ...told },
    '503': {
      description: 'Not now',
      ...(told['content'] === undefined
        ? {}
        : { content: { 'text/plain': { schema: { type: 'string' } } } }),
    },
  });
  const operation = (id: string, told: Node, no: Node): Node => ({
    operationId: id,
    summary,
    ...(refused === undefined ? { security: [{}] } : {}),
    responses: { ...answers(told), ...no },
  });
  const statuses = [...headFaults, ...(refused ?? [])];
  const headless = Object.fromEntries(
    statuses.map((status) => [status, { description: 'Refused' }]),
  );
  return {
    get: operation(name, { content }, refusals(...statuses)),
    head: operation(`${name}-head`, {}, headless),
  };
}

function openapi(): Node {
  const segment = (route: string, call: SegmentCall): Node => ({
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
  const media = Object.entries(mediaTypes).filter(([type]) => type !== '');
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice ingress',
      version,
      description:
        'Takes events of any size; its answers mean what they say. Another method than those of a path is answered 405 with Allow, what is at no path 404, both with a Refused. OPTIONS is answered everywhere.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: openapiServers,
    security: [{}, { bearer: [] }, { header: [] }, { query: [] }],
    paths: {
      '/v1/{team}/{app}': {
        parameters: streamParameters,
        post: {
          operationId: 'send',
          summary: 'Send an event, or a batch',
          parameters: headerParameters,
          requestBody: {
            required: true,
            content: Object.fromEntries(
              media.map(([type, kind]) => [type, bodyShapes[kind as keyof typeof bodyShapes]]),
            ),
          },
          responses: {
            ...refusals(...headFaults, '401', '403', '404', '408', '409', '413', '429', '503'),
            // A batch of which nothing is accepted is answered with what became of each event, too.
            ...refusedBatches('400', '409', '429', '503'),
            '200': taken('The stream holds every event durably'),
            '202': taken(
              'Every event is accepted; X-Sluice-Ack says where the least durable one is',
            ),
            '207': taken(
              'Some events are refused: results by index. Of a long NDJSON body a result a line, the verdict last',
              {
                ...jsonOf('Batch'),
                'application/x-ndjson': {
                  schema: {
                    type: 'string',
                    description:
                      'Lines, each a Result, in the order in which they are settled; the last is a Verdict',
                  },
                },
              },
            ),
          },
        },
      },
      '/v1/{team}/{app}/pixel.gif': {
        parameters: streamParameters,
        get: {
          operationId: 'pixel',
          summary: 'Send an event in the query',
          parameters: [
            ...Object.entries({
              id: queryText,
              type: queryText,
              time: timeText,
              partitionkey: { type: 'string', pattern: textPattern },
            }).map(([name, schema]) => parameter(name, 'query', `The event's ${name}`, schema)),
            {
              name: 'data',
              in: 'query',
              description: 'The data, as JSON; without it the other parameters are the data',
              content: { 'application/json': { schema: {} } },
            },
          ],
          responses: {
            '200': {
              description: 'In the stream',
              headers: answerHeaders,
              content: { 'image/gif': {} },
            },
            '202': {
              description: 'Accepted, and only on this machine yet',
              headers: answerHeaders,
              content: { 'image/gif': {} },
            },
            ...refusals(...headFaults, '401', '403', '404', '409', '413', '429', '503'),
          },
        },
      },
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
      '/v1/{team}/{app}/warnings': {
        parameters: streamParameters,
        get: {
          operationId: 'warnings',
          summary: 'What was refused lately, or taken with a warning (status 200), and why',
          responses: {
            '200': { description: 'Latest first', content: jsonOf('Warnings') },
            ...refusals(...headFaults, '401', '403', '404', '429', '503'),
          },
        },
      },
      ...Object.fromEntries(
        Object.entries(segmentRoutes).map(([route, call]) => [
          `/v1/${route}`,
          segment(route, call),
        ]),
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
      ...Object.fromEntries(
        (
          [
            ['/healthz', 'Whether the process lives', 'text/plain'],
            ['/readyz', 'Whether it takes events', 'text/plain'],
            ['/openapi.json', 'This document', 'application/json'],
            ['/asyncapi.json', 'What goes over a WebSocket', 'application/json'],
          ] as const
        ).map(([path, summary, type]) => [path, plainGet(path.slice(1), summary, type)]),
      ),
    },
    components: {
      schemas: shapes,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, or a JWT of a configured issuer',
        },
        header: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
        query: {
          type: 'apiKey',
          in: 'query',
          name: 'key',
          description: 'Where no header can be set: sendBeacon, the pixel, a browser WebSocket',
        },
      },
    },
  };
}

function asyncapi(): Node {
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
  return {
    asyncapi: '3.0.0',
    info: { title: 'Sluice ingress over WebSocket', version, license: { name: 'Apache-2.0' } },
    defaultContentType: 'application/json',
    servers: asyncapiServers,
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
    components: { schemas: frames },
  };
}

export const openapiText: string = JSON.stringify(openapi());
export const asyncapiText: string = JSON.stringify(asyncapi());
