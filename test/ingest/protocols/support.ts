/**
 * A body read as `POST /v1/{team}/{app}` reads it: by the protocol that its type names.
 */
import type { ProtocolRequest, ReadBody } from '../../../ingest/event/read-body.ts';
import type { Refusal } from '../../../ingest/event/refusal.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { matchBody } from '../../../ingest/protocols/list.ts';
import type { StreamConfig } from '../../../schemas/config.ts';

export function readEvents(
  body: Buffer,
  request: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
): ReadBody | Refusal {
  const protocol = matchBody(request.contentType, request.ce);
  return isRefusal(protocol) ? protocol : protocol.read(body, request, stream, newId);
}
