/**
 * The served descriptions of the ingress: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0) of
 * what goes over HTTP, AsyncAPI 3 (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of
 * what goes over a WebSocket. Put together from what each protocol says of itself.
 */
import { bodies, protocols } from '../protocols/list.ts';
import { answerSchemas } from './answers.ts';
import type { Documentation, Node } from './parts.ts';
import {
  headerParameters,
  headFaults,
  jsonOf,
  refusals,
  refusedBatches,
  streamParameters,
  taken,
} from './parts.ts';

const version = '1';

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

/** Where every body comes in. */
const sendItem: Node = {
  parameters: streamParameters,
  post: {
    operationId: 'send',
    summary: 'Send an event, or a batch',
    parameters: headerParameters,
    requestBody: {
      required: true,
      content: Object.fromEntries(
        bodies.flatMap(({ match, documentation }) =>
          match.types.map((type) => [type, documentation.body]),
        ),
      ),
    },
    responses: {
      ...refusals(...headFaults, '401', '403', '404', '408', '409', '413', '429', '503'),
      // A batch of which nothing is accepted is answered with what became of each event, too.
      ...refusedBatches('400', '409', '429', '503'),
      '200': taken('The stream holds every event durably'),
      '202': taken('Every event is accepted; X-Sluice-Ack says where the least durable one is'),
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
};

const securitySchemes: Node = {
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
};

/** What the protocols say of themselves, those that come first in the list first. */
function gathered(of: (documentation: Documentation) => Node | undefined): Node {
  return Object.fromEntries(
    protocols.flatMap(({ documentation }) => Object.entries(of(documentation) ?? {})),
  );
}

/** The paths of a stream, then the others. */
function paths(): Node {
  const stream = '/v1/{team}/{app}';
  const all = Object.entries(gathered(({ paths: own }) => own));
  return Object.fromEntries([
    [stream, sendItem],
    ...all.filter(([path]) => path.startsWith(stream)),
    ...all.filter(([path]) => !path.startsWith(stream)),
  ]);
}

function openapi(): Node {
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
    paths: paths(),
    components: {
      schemas: { ...answerSchemas, ...gathered(({ schemas }) => schemas) },
      securitySchemes,
    },
  };
}

function asyncapi(): Node {
  return {
    asyncapi: '3.0.0',
    info: { title: 'Sluice ingress over WebSocket', version, license: { name: 'Apache-2.0' } },
    defaultContentType: 'application/json',
    servers: asyncapiServers,
    channels: gathered(({ messages }) => messages?.channels),
    operations: gathered(({ messages }) => messages?.operations),
    components: { schemas: gathered(({ messages }) => messages?.schemas) },
  };
}

export const openapiText: string = JSON.stringify(openapi());
export const asyncapiText: string = JSON.stringify(asyncapi());
