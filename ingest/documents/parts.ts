/**
 * What the served documents are put together from, and what a protocol says of itself in them:
 * OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0) of what goes over HTTP, AsyncAPI 3
 * (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of what goes over a WebSocket.
 */
import { limits } from '../../schemas/limits.ts';
import type { Schema } from './attributes.ts';
import { longKey, textPattern } from './attributes.ts';

export type Node = Readonly<Record<string, unknown>>;

/** What a protocol says of itself. */
export interface Documentation {
  /** OpenAPI: its bodies of `POST /v1/{team}/{app}`, each of its media types alike. */
  readonly body?: Node;
  /** OpenAPI: path items by URL path. */
  readonly paths?: Readonly<Record<string, Node>>;
  /** OpenAPI: schemas that these refer to, by name. */
  readonly schemas?: Readonly<Record<string, Schema>>;
  /** AsyncAPI: channels, operations and schemas by name. */
  readonly messages?: {
    readonly channels: Readonly<Record<string, Node>>;
    readonly operations: Readonly<Record<string, Node>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

export const ref = (name: string): Node => ({ $ref: `#/components/schemas/${name}` });
export const jsonOf = (name: string): Node => ({ 'application/json': { schema: ref(name) } });
export const parameter = (
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

export const streamParameters = [
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
export const queryText = { ...headerText, pattern: textPattern };
/** Empty is as good as missing. Not `anyOf`: some generators have no union in a header. */
export const timeText = {
  type: 'string',
  description: 'RFC 3339',
  if: { minLength: 1 },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { format: 'date-time' },
};
export const headerParameters = [
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

export const said: Readonly<Record<string, string>> = {
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
export const refusalsWith = (content: Node, statuses: readonly string[]): Node =>
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
export const refusals = (...statuses: string[]): Node => refusalsWith(jsonOf('Refused'), statuses);
export const refusedBatches = (...statuses: string[]): Node =>
  refusalsWith(
    { 'application/json': { schema: { anyOf: [ref('Refused'), ref('Batch')] } } },
    statuses,
  );
/** What the check of a request's head says, whatever was asked for (ingest/http/head-check.ts). */
export const headFaults = ['400', '414', '431', '501'] as const;
export const answerHeaders: Node = {
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
export const taken = (description: string, content: Node = oneOrMany): Node => ({
  description,
  headers: answerHeaders,
  content,
});
