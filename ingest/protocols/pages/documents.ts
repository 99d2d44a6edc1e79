/**
 * `GET /openapi.json`, `GET /asyncapi.json`: what the ingress speaks, put together from the list of
 * its protocols (documents/documents.ts).
 */
import type { PostContext } from '../../http/body.ts';
import type { PlainAnswer } from '../../http/plain-answer.ts';
import { refuseForeignHost } from '../../http/trial.ts';
import type { EndpointProtocol } from '../protocol.ts';
import { plain, plainItem, servePlain } from './plain-page.ts';

const openapi = '/openapi.json';
const asyncapi = '/asyncapi.json';

function answerDocument(path: string, texts: PostContext['documents']): PlainAnswer {
  return plain(200, path === openapi ? texts.openapi : texts.asyncapi, 'application/json');
}

export const documents = {
  kind: 'endpoint',
  name: 'documents',
  summary: 'The OpenAPI and AsyncAPI documents of the ingress.',
  match: [
    { path: openapi, carriesEvents: false },
    { path: asyncapi, carriesEvents: false },
  ],
  answer: answerDocument,
  serve(context, door, { path }) {
    const { get, head } = servePlain(() => answerDocument(path, context.documents));
    const told =
      (handler: typeof get): typeof get =>
      (res, req, request) => {
        const foreign = context.access.isOpen ? refuseForeignHost(request.host) : undefined;
        if (foreign === undefined) handler(res, req, request);
        else door.refuse(res, req, request, foreign);
      };
    return { get: told(get), head: told(head) };
  },
  limits: {},
  conformance: ['documents.yaml', 'more-documents.yaml'],
  documentation: {
    paths: {
      [openapi]: plainItem('openapi.json', 'This document', 'application/json'),
      [asyncapi]: plainItem('asyncapi.json', 'What goes over a WebSocket', 'application/json'),
    },
  },
} satisfies EndpointProtocol;
