/**
 * `GET /healthz`: whether the process lives. `GET /readyz`: whether it accepts events.
 */
import type { PlainAnswer } from '../../http/plain-answer.ts';
import type { EndpointProtocol } from '../protocol.ts';
import { plain, plainItem, servePlain } from './plain-page.ts';

const life = '/healthz';
const readiness = '/readyz';

function answerHealth(path: string, isShuttingDown: boolean): PlainAnswer {
  if (path === life) return plain(200, 'ok\n');
  return isShuttingDown ? plain(503, 'draining\n') : plain(200, 'ready\n');
}

export const health = {
  kind: 'endpoint',
  name: 'health',
  summary: 'Whether the process lives, and whether it accepts events.',
  match: [
    { path: life, carriesEvents: false },
    { path: readiness, carriesEvents: false },
  ],
  answer: answerHealth,
  serve: (context, _door, { path }) => servePlain(() => answerHealth(path, context.isShuttingDown)),
  limits: {},
  conformance: ['options.yaml', 'more-options.yaml'],
  documentation: {
    paths: {
      [life]: plainItem('healthz', 'Whether the process lives', 'text/plain'),
      [readiness]: plainItem('readyz', 'Whether it takes events', 'text/plain'),
    },
  },
} satisfies EndpointProtocol;
