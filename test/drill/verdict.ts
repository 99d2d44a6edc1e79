/**
 * What a drill shows: sent, acknowledged, found, lost, duplicated; and whether what was promised
 * was kept.
 */
import type { Sent } from './clients.ts';
import type { FoundEvent } from './instance.ts';

export interface Tally {
  readonly sent: number;
  readonly acknowledged: number;
  readonly byAck: Readonly<Record<string, number>>;
  /** Events of which the stream has at least one record. */
  readonly found: number;
  /** Acknowledged as replicated or spooled, and not in the stream. */
  readonly lost: number;
  /** Records beyond the first of their event. */
  readonly duplicated: number;
  /** Records whose data is not what was sent. */
  readonly altered: number;
}

export function tally(
  sent: Sent,
  found: readonly FoundEvent[],
  bodyOf: (n: number) => string,
): Tally {
  const times = new Map<string, number>();
  let altered = 0;
  for (const { id, data } of found) {
    times.set(id, (times.get(id) ?? 0) + 1);
    if (data !== bodyOf(Number(id.slice(1)))) altered++;
  }
  const byAck: Record<string, number> = {};
  let lost = 0;
  for (const [id, ack] of sent.acknowledged) {
    byAck[ack] = (byAck[ack] ?? 0) + 1;
    if (!times.has(id)) lost++;
  }
  return {
    sent: sent.sent,
    acknowledged: sent.acknowledged.size,
    byAck,
    found: times.size,
    lost,
    duplicated: found.length - times.size,
    altered,
  };
}

/**
 * First appearances of an event after a later one of its key on the same route: across routes
 * nothing is promised.
 */
export function disorder(found: readonly FoundEvent[]): number {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  let wrong = 0;
  for (const { id, key: own, path } of found) {
    const key = `${path} ${own}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const n = Number(id.slice(1));
    if (n < (last.get(key) ?? -1)) wrong++;
    last.set(key, Math.max(n, last.get(key) ?? -1));
  }
  return wrong;
}
