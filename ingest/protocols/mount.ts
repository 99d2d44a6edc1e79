/**
 * Which URL path leads where: `POST /v1/{team}/{app}`, where every body comes in, and the endpoints
 * of the other protocols. Every request passes the check of its head first (http/head-check.ts);
 * every path tells its methods, to OPTIONS and to whoever comes with another.
 */
import type { TemplatedApp } from 'uWebSockets.js';
import type { Refusal } from '../event/refusal.ts';
import type { PostContext } from '../http/body.ts';
import type { Door } from '../http/door.ts';
import type { AddressRule } from '../http/request.ts';
import { streamNameOf } from '../http/request.ts';
import { likelyEndpoint } from './likely-endpoint.ts';
import { endpoints } from './list.ts';
import type { Connections, Endpoint, Handlers } from './protocol.ts';
import { onSend } from './send.ts';

/** The endpoint of all protocols that are a form of body. */
const send: Endpoint = { path: '/v1/:team/:app', carriesEvents: true };

/** Mounts all protocols; what is returned are the connections that outlive their requests. */
export function mountProtocols(
  app: TemplatedApp,
  context: PostContext,
  door: Door,
  rule: AddressRule,
): readonly Connections[] {
  const connections = endpoints.flatMap(({ open }) => open?.(app, context, rule) ?? []);
  mountEndpoint(app, door, send, {
    post: (res, req, head) => onSend(context, res, head, streamNameOf(req)),
  });
  for (const { match, serve } of endpoints)
    for (const endpoint of match)
      mountEndpoint(app, door, endpoint, serve(context, door, endpoint));
  mountNotFound(app, door);
  return connections;
}

function mountEndpoint(
  app: TemplatedApp,
  door: Door,
  { path, carriesEvents }: Endpoint,
  { get, head, post }: Handlers,
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
      const message = `${req.getMethod().toUpperCase()} is not allowed on this path`;
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

function mountNotFound(app: TemplatedApp, door: Door): void {
  // What is one name below /v1/ is a call of some API: a stream has two.
  const calls = endpoints.flatMap(({ match }) =>
    match.flatMap(({ path, carriesEvents }) =>
      carriesEvents && /^\/v1\/[^/:]+$/.test(path) ? path.slice('/v1/'.length) : [],
    ),
  );
  app.any(
    '/*',
    door.enter('any', false, (res, req, head) => {
      // A page that may not ask first cannot read the 404 either.
      if (req.getMethod() === 'options' && req.getHeader('access-control-request-method') !== '')
        return door.tellMethods(res, head, 'POST, OPTIONS');
      const expected = likelyEndpoint(req.getUrl(), calls);
      door.refuse(res, req, head, {
        status: 404,
        code: 'not-found',
        message: 'there is nothing at this path',
        expected,
      });
    }),
  );
}
