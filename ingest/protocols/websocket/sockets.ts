/**
 * WebSockets as the server knows them: its callbacks, passed on to each connection.
 */
import type { TemplatedApp } from 'uWebSockets.js';
import { limits } from '../../../schemas/limits.ts';
import type { PostContext } from '../../http/body.ts';
import { Door } from '../../http/door.ts';
import type { AddressRule } from '../../http/request.ts';
import type { Connections } from '../protocol.ts';
import { Census } from './census.ts';
import { closeCodes } from './close-codes.ts';
import type { Connection, Socket, SocketData } from './connection.ts';
import { stops } from './connection.ts';
import type { Handshakes } from './handshake.ts';
import { upgrade } from './handshake.ts';

/** The server keeps the members of what it is given, not the object. */
function connectionOf(ws: Socket): Connection {
  return ws.getUserData().connection;
}

export function openSockets(
  path: string,
  app: TemplatedApp,
  context: PostContext,
  rule: AddressRule,
): Connections {
  const sockets = new Set<Socket>();
  const messageMaxBytes = Math.min(context.bounds.bodyMaxBytes, limits.wsMessageMaxBytes);
  // Connections are counted by network: the address is always asked for.
  const door = new Door(context, { ...rule, wanted: true });
  const census = new Census(context.bounds.addressWebSocketsMax);
  const handshakes: Handshakes = { context, door, census, messageMaxBytes };
  const control = (ws: Socket): void => connectionOf(ws).control(ws);

  app.ws<SocketData>(path, {
    // Beyond this it ends the connection without a close frame: what is not much too big is told so
    // (1009).
    maxPayloadLength: 2 * messageMaxBytes,
    idleTimeout: limits.wsIdleSeconds,
    sendPingsAutomatically: true,
    maxBackpressure: 2 * limits.wsUnreadMaxBytes,
    upgrade(res, req, socketContext) {
      door.enter('none', false, (_res, _req, head) =>
        upgrade(handshakes, res, req, head, socketContext),
      )(res, req);
    },
    open(ws) {
      sockets.add(ws);
      connectionOf(ws).greet(ws);
    },
    message: (ws, message) => connectionOf(ws).receive(ws, message),
    ping: control,
    pong: control,
    drain: (ws) => connectionOf(ws).countUnread(ws),
    close(ws) {
      connectionOf(ws).gone();
      sockets.delete(ws);
    },
  });

  return {
    get count() {
      return sockets.size;
    },
    async close(until, pause) {
      const busy = (): boolean => [...sockets].some((ws) => connectionOf(ws).isBusy);
      while (busy() && !until()) await pause();
      for (const ws of [...sockets]) ws.end(closeCodes.goingAway, stops);
    },
  };
}
