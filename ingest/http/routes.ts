/**
 * Which address leads where.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { asyncapiText, openapiText } from '../documents/documents.ts';
import { answerRefusal } from '../protocol/answer.ts';
import type { Refusal } from '../protocol/refusal.ts';
import type { PostContext } from './body.ts';
import { answerPreflight } from './cors.ts';
import type { LocalRoutes } from './local-routes.ts';
import { mountLocal } from './local-routes.ts';
import { onPixel } from './pixel.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve, statusTexts } from './plain-answer.ts';
import { onPost } from './post.ts';
import type { AddressRule } from './request.ts';
import { readHead } from './request.ts';
import { onSegment, segmentCalls } from './segment.ts';
import { onWarnings } from './warnings.ts';

export function mountRoutes(app: TemplatedApp, context: PostContext, rule: AddressRule, local: LocalRoutes): void {
  const { access, metrics } = context;
  const nameOf = (req: HttpRequest): string => `${req.getParameter(0)}/${req.getParameter(1)}`;

  app.post('/v1/:team/:app', (res, req) => onPost(context, res, readHead(res, req, rule), nameOf(req)));
  app.get('/v1/:team/:app/pixel.gif', (res, req) => onPixel(context, res, readHead(res, req, rule), nameOf(req), req.getQuery()));
  app.get('/v1/:team/:app/warnings', (res, req) => onWarnings(context, res, readHead(res, req, rule), nameOf(req)));
  for (const call of segmentCalls) app.post(`/v1/${call}`, (res, req) => onSegment(context, res, readHead(res, req, rule), call));
  app.options('/v1/*', (res, req) => answerPreflight(res, req.getHeader('origin'), access));
  for (const [path, allowed] of [['/v1/:team/:app', 'POST'], ...segmentCalls.map((call) => [`/v1/${call}`, 'POST'])] as const) {
    app.any(path as string, (res, req) => {
      const refusal: Refusal = {
        status: 405,
        code: 'method-not-allowed',
        message: `${req.getMethod().toUpperCase()} is not taken here`,
        expected: allowed as string,
      };
      metrics.refused(undefined, refusal.code);
      refuse(res, refusal, `Allow: ${allowed}`);
    });
  }

  const extras: Record<string, () => Promise<PlainAnswer>> = {
    '/healthz': plain(200, 'ok\n'),
    '/readyz': () => (context.draining ? plain(503, 'draining\n')() : plain(200, 'ready\n')()),
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() }),
    '/openapi.json': plain(200, openapiText, 'application/json'),
    '/asyncapi.json': plain(200, asyncapiText, 'application/json'),
  };
  for (const [path, route] of Object.entries(extras)) app.get(path, (res) => serve(res, route));
  mountLocal(app, local);
  app.any('/*', (res, req) => {
    const message = `there is nothing at ${req.getUrl().slice(0, 200)}`;
    refuse(res, { status: 404, code: 'not-found', message, expected: 'POST /v1/{team}/{app}' });
  });
}

function refuse(res: HttpResponse, refusal: Refusal, header?: string): void {
  res.cork(() => {
    res.writeStatus(statusTexts[refusal.status] as string);
    res.writeHeader('Content-Type', header === undefined ? 'application/json' : `application/json\r\n${header}`);
    res.end(answerRefusal(refusal).body, true);
  });
}

function plain(status: number, body: string, contentType = 'text/plain'): () => Promise<PlainAnswer> {
  return () => Promise.resolve({ status, contentType, body });
}
