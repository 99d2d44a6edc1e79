/**
 * The times that an answer tells: since when its request is in flight, and where they went. Pure.
 *
 * Server-Timing: https://www.w3.org/TR/server-timing/#the-server-timing-header-field
 */
import type { IncomingRequest } from './request.ts';

/** How far X-Client-Timestamp may be from this clock and still be a time of sending. */
const clientClockOffMaxMs = 24 * 3_600_000;

/**
 * Epoch ms when the client says it sent the request; undefined where its clock cannot be meant: one
 * such figure would spoil a sum.
 */
export function sentAt(
  { clientTimestamp }: IncomingRequest,
  receivedAtMs: number,
): number | undefined {
  if (clientTimestamp === '') return undefined;
  const sent = Number(clientTimestamp);
  return Math.abs(receivedAtMs - sent) <= clientClockOffMaxMs ? sent : undefined;
}

export function serverTiming(
  startedMs: number,
  bodyMs: number | undefined,
  checkedMs: number | undefined,
  nowMs: number,
): string {
  if (bodyMs === undefined) return `total;dur=${tenths(nowMs - startedMs)}`;
  if (checkedMs === undefined) return `recv;dur=${tenths(bodyMs - startedMs)}`;
  return `recv;dur=${tenths(bodyMs - startedMs)}, check;dur=${tenths(checkedMs - bodyMs)}, bus;dur=${tenths(nowMs - checkedMs)}`;
}

/**
 * Milliseconds to one decimal. Of two integers, which have their texts ready; a fraction's is
 * worked out each time.
 */
function tenths(ms: number): string {
  const all = Math.max(0, Math.round(ms * 10));
  return `${Math.floor(all / 10)}.${all % 10}`;
}
