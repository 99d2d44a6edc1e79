/**
 * The handshake of a WebSocket (RFC 6455, section 4): judged like every other request, then the
 * connection is handed over.
 */
import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { Grant } from '../../access/grant.ts';
import { clientContextOf } from '../../event/client-context.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import { networkOf } from '../../http/address.ts';
import type { PostContext } from '../../http/body.ts';
import type { Door } from '../../http/door.ts';
import { handshakeLines } from '../../http/door.ts';
import { Exchange } from '../../http/exchange.ts';
import type { Admitted } from '../../http/gate.ts';
import { admit, identify, refuseEarly, shareOf } from '../../http/gate.ts';
import { decideHandshake } from '../../http/head-check.ts';
import type { IncomingRequest } from '../../http/request.ts';
import { streamNameOf } from '../../http/request.ts';
import { Standing } from '../../http/standing.ts';
import type { Census } from './census.ts';
import type { SocketData } from './connection.ts';
import { Connection } from './connection.ts';

const sessionPattern = /^[A-Za-z0-9._-]{8,64}$/;

/** What all handshakes share. */
export interface Handshakes {
  readonly context: PostContext;
  readonly door: Door;
  readonly census: Census;
  readonly messageMaxBytes: number;
}

export function upgrade(
  handshakes: Handshakes,
  res: HttpResponse,
  req: HttpRequest,
  head: IncomingRequest,
  socketContext: us_socket_context_t,
): void {
  const { context, door } = handshakes;
  const name = streamNameOf(req);
  const challenge = req.getHeader('sec-websocket-key');
  // Of the subprotocols on offer the first is taken: browsers insist on an answer.
  const [subprotocol = ''] = req.getHeader('sec-websocket-protocol').split(',');
  const extensions = req.getHeader('sec-websocket-extensions');
  const unfit = decideHandshake(
    challenge,
    req.getHeader('sec-websocket-version'),
    req.getHeader('connection'),
    req.getHeader('upgrade'),
  );
  if (unfit !== undefined) return door.refuse(res, req, head, unfit, handshakeLines);
  const session = req.getQuery('session') ?? '';
  const exchange = new Exchange(res, head, context, () => undefined);
  const early = refuseEarly(context, exchange);
  if (early !== undefined) return exchange.refuse(early, true);
  const enter = (grant: Grant | Refusal): void => {
    const connection = connectionOf(handshakes, exchange, grant, name, session);
    if (isRefusal(connection)) return exchange.refuse(connection, true);
    exchange.upgrade(() =>
      res.upgrade<SocketData>(
        { connection },
        challenge,
        subprotocol.trim(),
        extensions,
        socketContext,
      ),
    );
  };
  const identified = identify(context, head);
  if (identified instanceof Promise) void identified.then(enter);
  else enter(identified);
}

/** The connection of a sender who may open one. `session`: the one that it comes back with. */
function connectionOf(
  { context, census, messageMaxBytes }: Handshakes,
  exchange: Exchange,
  grant: Grant | Refusal,
  name: string,
  session: string,
): Connection | Refusal {
  const { head, startedMs } = exchange;
  const admitted: Admitted | Refusal = admit(context, exchange, grant, name);
  if (isRefusal(admitted)) return admitted;
  const key = context.access.isOpen ? '' : admitted.grant.name;
  const network = networkOf(head.address);
  const full = census.refuse(key, network);
  if (full !== undefined) return full;
  return new Connection(context, {
    standing: new Standing(context, admitted, head.origin),
    share: shareOf(context, admitted.grant),
    session: sessionPattern.test(session) ? session : context.newId(),
    traceparent: head.traceparent,
    client: clientContextOf(admitted.stream.config.context, head, context.addressSecret),
    enter: () => census.add(key, network),
    startedMs,
    messageMaxBytes,
  });
}
