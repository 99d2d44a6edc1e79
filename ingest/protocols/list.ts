/**
 * What the ingress speaks: one line a protocol. The router (mount.ts), the served documents
 * (documents/documents.ts) and the page docs/reference/protocols.md walk it.
 */
import type { BinaryHeaders } from '../event/read-body.ts';
import type { Refusal } from '../event/refusal.ts';
import { batched, binary, structured } from './cloudevents/cloudevents.ts';
import { json } from './json.ts';
import { BodyMatcher } from './match-body.ts';
import { ndjson } from './ndjson/ndjson.ts';
import { documents } from './pages/documents.ts';
import { health } from './pages/health.ts';
import { warnings } from './pages/warnings.ts';
import { pixel } from './pixel/pixel.ts';
import type { BodyProtocol, Protocol } from './protocol.ts';
import { segment } from './segment/segment.ts';
import { websocket } from './websocket/websocket.ts';

export const protocols: readonly Protocol[] = [
  json,
  ndjson,
  structured,
  batched,
  binary,
  pixel,
  websocket,
  segment,
  warnings,
  health,
  documents,
];

export const bodies = protocols.filter((protocol) => protocol.kind === 'body');
export const endpoints = protocols.filter((protocol) => protocol.kind === 'endpoint');

const matcher = new BodyMatcher(bodies);

/** The protocol of a body, or why there is none. */
export function matchBody(
  contentType: string,
  ce: BinaryHeaders | undefined,
): BodyProtocol | Refusal {
  return matcher.match(contentType, ce);
}
