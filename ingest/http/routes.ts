/**
 * Which address leads where.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { asyncapiText, openapiText } from '../documents/documents.ts';
import { answerRefusal } from '../protocol/answer.ts';
import type { Refusal } from '../protocol/refusal.ts';
import type { IngressMetrics } from '../telemetry/metrics.ts';
import type { PostContext } from './body.ts';
import { answerPreflight } from './cors.ts';
import { onPixel } from './pixel.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve, statusTexts } from './plain-answer.ts';
import { onPost } from './post.ts';
import type { AddressRule } from './request.ts';
import { readHead } from './request.ts';
import { onSegment, segmentRoutes } from './segment.ts';
import { onSegmentMetrics, onSegmentSettings } from './segment-settings.ts';
import { onWarnings } from './warnings.ts';

export function mountRoutes(app: TemplatedApp, context: PostContext, rule: AddressRule): void {
  const { access, metrics } = context;
  const nameOf = (req: HttpRequest): string => `${req.getParameter(0)}/${req.getParameter(1)}`;

  app.post('/v1/:team/:app', (res, req) => onPost(context, res, readHead(res, req, rule), nameOf(req)));
  app.get('/v1/:team/:app/pixel.gif', (res, req) => onPixel(context, res, readHead(res, req, rule), nameOf(req), queryOf(req)));
  app.get('/v1/:team/:app/warnings', (res, req) => onWarnings(context, res, readHead(res, req, rule), nameOf(req)));
  for (const [route, call] of Object.entries(segmentRoutes))
    app.post(`/v1/${route}`, (res, req) => onSegment(context, res, readHead(res, req, rule), call));
  app.post('/v1/m', (res, req) => onSegmentMetrics(context, res, readHead(res, req, rule)));
  app.get('/v1/projects/:key/settings', (res, req) => {
    const asked = { host: req.getHeader('host'), forwardedProto: req.getHeader('x-forwarded-proto') };
    onSegmentSettings(context, res, readHead(res, req, rule), req.getParameter(0) ?? '', asked);
  });
  app.options('/v1/*', (res, req) =>
    answerPreflight(res, req.getHeader('origin'), req.getHeader('access-control-request-headers'), access),
  );
  const extras: Record<string, () => Promise<PlainAnswer>> = {
    '/healthz': plain(200, 'ok\n'),
    '/readyz': () => (context.draining ? plain(503, 'draining\n')() : plain(200, 'ready\n')()),
    '/openapi.json': plain(200, openapiText, 'application/json'),
    '/asyncapi.json': plain(200, asyncapiText, 'application/json'),
  };
  for (const [path, route] of Object.entries(extras)) {
    app.get(path, (res) => serve(res, route));
    app.head(path, (res) => serve(res, route, true));
  }
  mountOtherMethods(app, metrics, Object.keys(extras));
  app.any('/*', (res, req) => {
    refuse(res, req, { status: 404, code: 'not-found', message: 'there is nothing at this path', expected: 'POST /v1/{team}/{app}' });
  });
}

/** Says which method a path takes to whoever comes with another. Where events are sent it counts as one refusal. */
function mountOtherMethods(app: TemplatedApp, metrics: IngressMetrics, extras: readonly string[]): void {
  const otherwise = (path: string, allowed: string, carriesEvents: boolean): void => {
    app.any(path, (res, req) => {
      const message = `${req.getMethod().toUpperCase()} is not taken here`;
      const refusal: Refusal = { status: 405, code: 'method-not-allowed', message, expected: allowed };
      if (carriesEvents) metrics.refused(undefined, refusal.code);
      refuse(res, req, refusal, `Allow: ${allowed}`);
    });
  };
  for (const path of ['/v1/:team/:app', ...Object.keys(segmentRoutes).map((route) => `/v1/${route}`)]) otherwise(path, 'POST', true);
  otherwise('/v1/m', 'POST', false);
  otherwise('/v1/projects/:key/settings', 'GET', false);
  otherwise('/v1/:team/:app/pixel.gif', 'GET', true);
  otherwise('/v1/:team/:app/warnings', 'GET', false);
  app.get('/v1/:team/:app/ws', (res, req) => {
    const message = 'a WebSocket is opened by a handshake (RFC 6455, section 4.1)';
    const refusal: Refusal = { status: 426, code: 'upgrade-required', message, expected: 'Upgrade: websocket and its headers' };
    refuse(res, req, refusal, 'Upgrade: websocket');
  });
  otherwise('/v1/:team/:app/ws', 'GET', false);
  for (const path of extras) otherwise(path, 'GET, HEAD', false);
}

function refuse(res: HttpResponse, req: HttpRequest, refusal: Refusal, header?: string): void {
  const { body } = answerRefusal(refusal);
  res.cork(() => {
    res.writeStatus(statusTexts[refusal.status] as string);
    res.writeHeader('Content-Type', header === undefined ? 'application/json' : `application/json\r\n${header}`);
    // An answer to HEAD has no body (RFC 9110, section 9.3.2): its bytes would be read as the next answer.
    if (req.getMethod() === 'head') res.endWithoutBody();
    else res.end(body, true);
  });
}

/** Undefined where a request has none, whatever the type says. */
function queryOf(req: HttpRequest): string {
  return (req.getQuery() as string | undefined) ?? '';
}

function plain(status: number, body: string, contentType = 'text/plain'): () => Promise<PlainAnswer> {
  return () => Promise.resolve({ status, contentType, body });
}
