/**
 * A rejected event as the table can hold it, and where it belongs. Pure.
 */
import { createHash } from 'node:crypto';
import { parseTime } from '../../schemas/kernel/time.ts';
import { wellFormed } from '../../schemas/kernel/well-formed.ts';
import type { PartitionColumn } from '../../schemas/partition.ts';
import { namesFolder } from '../../schemas/partition.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';

export const rejectedPartitionBy: readonly PartitionColumn[] = ['date', 'hour', 'team', 'app'];

/**
 * An event as the table can hold it, whatever a foreign record says: text that UTF-8 cannot hold
 * gets U+FFFD, a team or an app that cannot name a folder becomes its SHA-256, and a receivedtime
 * that is not a time becomes `nowMs`. Identities are taken after it, so that they are the same once
 * read back.
 */
export function storable(event: RejectedEvent, nowMs: number): RejectedEvent {
  const entries = Object.entries(event).map(([name, value]) => [
    name,
    typeof value === 'string' ? wellFormed(value) : (value as unknown),
  ]);
  const whole = Object.fromEntries(entries) as RejectedEvent;
  const receivedMs = parseTime(event.receivedtime);
  const receivedtime = new Date(typeof receivedMs === 'number' ? receivedMs : nowMs).toISOString();
  return { ...whole, receivedtime, team: folderText(whole.team), app: folderText(whole.app) };
}

function folderText(value: string): string {
  return namesFolder(value) ? value : createHash('sha256').update(value).digest('hex');
}
