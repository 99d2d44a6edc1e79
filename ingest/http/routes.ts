/**
 * Which address leads where. Every request passes the check of its head first (head-check.ts);
 * every path tells its methods, to OPTIONS and to whoever comes with another.
 */
import type { HttpRequest, TemplatedApp } from 'uWebSockets.js';
import { asyncapiText, openapiText } from '../documents/documents.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { segmentRoutes } from '../protocol/segment.ts';
import type { PostContext } from './body.ts';
import type { Door, Handler } from './door.ts';
import { handshakeLines } from './door.ts';
import { likelyRoute } from './likely-route.ts';
import { onPixel } from './pixel.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve } from './plain-answer.ts';
import { onPost } from './post.ts';
import { onSegment } from './segment.ts';
import { onSegmentMetrics, onSegmentSettings } from './segment-settings.ts';
import { refuseForeignHost } from './trial.ts';
import { onWarnings } from './warnings.ts';

interface Route {
  readonly path: string;
  readonly get?: Handler;
  readonly head?: Handler;
  readonly post?: Handler;
  /** What it refuses counts as one event refused. */
  readonly carriesEvents?: boolean;
}

const nameOf = (req: HttpRequest): string => `${req.getParameter(0)}/${req.getParameter(1)}`;

export function mountRoutes(app: TemplatedApp, context: PostContext, door: Door): void {
  const health = (path: string, answer: () => Promise<PlainAnswer>): Route => ({
    path,
    get: (res, _req, head) => serve(res, head, answer),
    head: (res, _req, head) => serve(res, head, answer, true),
  });
  const document = (path: string, text: string): Route => {
    const tell =
      (headOnly: boolean): Handler =>
      (res, req, head) => {
        const foreign = context.access.isOpen ? refuseForeignHost(head.host) : undefined;
        if (foreign === undefined) serve(res, head, plain(200, text, 'application/json'), headOnly);
        else door.refuse(res, req, head, foreign);
      };
    return { path, get: tell(false), head: tell(true) };
  };
  const routes: readonly Route[] = [
    {
      path: '/v1/:team/:app',
      post: (res, req, head) => onPost(context, res, head, nameOf(req)),
      carriesEvents: true,
    },
    {
      path: '/v1/:team/:app/pixel.gif',
      get: (res, req, head) => onPixel(context, res, head, nameOf(req)),
      carriesEvents: true,
    },
    {
      path: '/v1/:team/:app/warnings',
      get: (res, req, head) => onWarnings(context, res, head, nameOf(req)),
    },
    {
      path: '/v1/:team/:app/ws',
      get: (res, req, head) => door.refuse(res, req, head, notAHandshake, handshakeLines),
    },
    ...Object.entries(segmentRoutes).map(
      ([name, call]): Route => ({
        path: `/v1/${name}`,
        post: (res, _req, head) => onSegment(context, res, head, call),
        carriesEvents: true,
      }),
    ),
    { path: '/v1/m', post: (res, _req, head) => onSegmentMetrics(context, res, head) },
    {
      path: '/v1/projects/:key/settings',
      get: (res, req, head) => {
        const asked = { host: head.host, forwardedProto: req.getHeader('x-forwarded-proto') };
        onSegmentSettings(context, res, head, req.getParameter(0) ?? '', asked);
      },
    },
    health('/healthz', plain(200, 'ok\n')),
    health('/readyz', () =>
      context.draining ? plain(503, 'draining\n')() : plain(200, 'ready\n')(),
    ),
    document('/openapi.json', openapiText),
    document('/asyncapi.json', asyncapiText),
  ];
  for (const route of routes) mountRoute(app, door, route);
  app.any(
    '/*',
    door.enter('any', false, (res, req, head) => {
      // A page that may not ask first cannot read the 404 either.
      if (req.getMethod() === 'options' && req.getHeader('access-control-request-method') !== '')
        return door.tellMethods(res, head, 'POST, OPTIONS');
      const expected = likelyRoute(req.getUrl(), Object.keys(segmentRoutes));
      door.refuse(res, req, head, {
        status: 404,
        code: 'not-found',
        message: 'there is nothing at this path',
        expected,
      });
    }),
  );
}

function mountRoute(
  app: TemplatedApp,
  door: Door,
  { path, get, head, post, carriesEvents = false }: Route,
): void {
  const allowed = [get && 'GET', head && 'HEAD', post && 'POST', 'OPTIONS']
    .filter((method) => method !== undefined)
    .join(', ');
  if (get !== undefined) app.get(path, door.enter('none', carriesEvents, get));
  if (head !== undefined) app.head(path, door.enter('any', carriesEvents, head));
  if (post !== undefined) app.post(path, door.enter('needed', carriesEvents, post));
  app.options(
    path,
    door.enter('any', false, (res, _req, given) => door.tellMethods(res, given, allowed)),
  );
  app.any(
    path,
    door.enter('any', carriesEvents, (res, req, given) => {
      const message = `${req.getMethod().toUpperCase()} is not allowed here`;
      const refusal: Refusal = {
        status: 405,
        code: 'method-not-allowed',
        message,
        expected: allowed,
      };
      door.refuse(res, req, given, refusal, `Allow: ${allowed}\r\n`, carriesEvents);
    }),
  );
}

const notAHandshake: Refusal = {
  status: 426,
  code: 'upgrade-required',
  message: 'a WebSocket is opened by a handshake (RFC 6455, section 4.1)',
  expected: 'Upgrade: websocket and its headers',
};
function plain(
  status: number,
  body: string,
  contentType = 'text/plain',
): () => Promise<PlainAnswer> {
  return () => Promise.resolve({ status, contentType, body });
}
