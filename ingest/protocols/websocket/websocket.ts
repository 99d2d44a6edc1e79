/**
 * `GET /v1/{team}/{app}/ws`: a WebSocket (RFC 6455) on which an event is a message.
 */
import { limits } from '../../../schemas/limits.ts';
import type { Refusal } from '../../event/refusal.ts';
import { handshakeLines } from '../../http/door.ts';
import type { EndpointProtocol } from '../protocol.ts';
import { answerFrame } from './answer.ts';
import { documentation } from './documentation.ts';
import { readFrame } from './frame.ts';
import { openSockets } from './sockets.ts';

const path = '/v1/:team/:app/ws';

const notAHandshake: Refusal = {
  status: 426,
  code: 'upgrade-required',
  message: 'a WebSocket is opened by a handshake (RFC 6455, section 4.1)',
  expected: 'Upgrade: websocket and its headers',
};

export const websocket = {
  kind: 'endpoint',
  name: 'websocket',
  summary: 'A message is an event, and each is acknowledged.',
  match: [{ path, carriesEvents: false }],
  read: readFrame,
  answer: answerFrame,
  serve: (_context, door) => ({
    get: (res, req, head) => door.refuse(res, req, head, notAHandshake, handshakeLines),
  }),
  open: (app, context, rule) => openSockets(path, app, context, rule),
  limits: {
    wsMessageMaxBytes: limits.wsMessageMaxBytes,
    wsCreditEvents: limits.wsCreditEvents,
    wsOverdraftEvents: limits.wsOverdraftEvents,
    wsUnreadMaxBytes: limits.wsUnreadMaxBytes,
    wsConnectionsMax: limits.wsConnectionsMax,
    wsControlsPerMinute: limits.wsControlsPerMinute,
    wsOverQuotaMax: limits.wsOverQuotaMax,
    wsIdleSeconds: limits.wsIdleSeconds,
  },
  conformance: ['websocket.yaml', 'more-websocket.yaml'],
  documentation,
} satisfies EndpointProtocol;
