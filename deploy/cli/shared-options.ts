/**
 * Options that several commands have, with the same words.
 */
import { namesOrNone, requiredText, text } from './command.ts';

const free = '0 means any free port, for metrics too';
export const port = text('<port>', `listen on this port, not the configured one; ${free}`);
export const keyFile = text(
  '<file>',
  'a key for all streams is in this file; one is made where it is missing',
);
export const healthPort = text(
  '<port>',
  `answer health checks on this port, not the configured one; ${free}`,
);
export const dropState = namesOrNone(
  '[ids]',
  'drop the state of these nodes, such as once,per-minute; what sinks staged is still committed',
);
export const from = text(
  '<where>',
  'where to begin without a checkpoint, or when records are gone: oldest, latest, or an RFC 3339 time; or what to go back to: savepoint:NAME',
);
export const stream = requiredText('<team/app>', 'target stream');
export const url = text(
  '<url>',
  'ingress to send to, http or https (default: the running instance, else http://127.0.0.1:8080)',
);
export const key = text(
  '<key>',
  'API key; safer in the environment as SLUICE_KEY, where other users cannot see it',
);
