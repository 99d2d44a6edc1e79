/**
 * A WebSocket message from a client: an event in an envelope, with the client's own correlation id.
 * Pure.
 *
 *   {"ref": "17", "data": ..., "id", "type", "time", "subject", "partitionkey", "source"}
 *
 * `ref` is a string or a number and comes back in the acknowledgement; all but `data` may be left
 * out. `1` and `"1"` are different refs.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import type { Span } from '../../../schemas/json-scan.ts';
import { isFault } from '../../../schemas/json-scan.ts';
import { deriveEnveloped } from '../../event/attributes.ts';
import type { AcceptedEvent, RequestHead } from '../../event/given.ts';
import { notJson } from '../../event/json-fault.ts';
import { scanMembers } from '../../event/members.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';

export interface ReadFrame {
  /** The correlation id as JSON text; undefined when there is none. */
  readonly ref: string | undefined;
  readonly event: AcceptedEvent | Refusal;
}

const refMaxBytes = 128;

/**
 * `session` names the connection, also after it was lost and made again: an event without an id
 * gets one of session and ref, so that what is sent again after a reconnect is the same event:
 * `session/text`, or `session#number`. A session has neither sign, so no two are alike.
 */
export function readFrame(
  body: Buffer,
  stream: StreamConfig,
  head: RequestHead,
  session: string,
  newId: () => string,
): ReadFrame {
  const scanned = scanMembers(body);
  if (isRefusal(scanned)) return { ref: undefined, event: scanned };
  if (isFault(scanned)) return { ref: undefined, event: notJson(scanned) };
  const member =
    scanned.kind === 'object' ? scanned.members.find(({ name }) => name === 'ref') : undefined;
  const ref = member === undefined ? undefined : refAt(body, member);
  if (member !== undefined && ref === undefined) {
    const message = 'the correlation id is neither a short string nor a number';
    return {
      ref: undefined,
      event: {
        status: 400,
        code: 'ref-invalid',
        message,
        expected: `a string or a number of at most ${refMaxBytes} bytes`,
        pointer: '/ref',
      },
    };
  }
  const named =
    ref === undefined || head.id !== undefined ? head : { ...head, id: idOf(session, ref) };
  return {
    ref,
    event: deriveEnveloped(body, { start: 0, end: body.length }, stream, named, newId, ['ref']),
  };
}

function idOf(session: string, ref: string): string {
  return ref.startsWith('"') ? `${session}/${JSON.parse(ref)}` : `${session}#${ref}`;
}

function refAt(body: Buffer, { start, end }: Span): string | undefined {
  const first = body[start];
  const isText = first === 0x22;
  const isNumber = first === 0x2d || (first !== undefined && first >= 0x30 && first <= 0x39);
  return (isText || isNumber) && end - start <= refMaxBytes
    ? body.toString('utf8', start, end)
    : undefined;
}
