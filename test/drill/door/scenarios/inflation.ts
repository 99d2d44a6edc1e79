/**
 * A tenant with a key sends what inflates: bombs in every encoding, as one body and as lines, and
 * many at once, so that its own requests fill what is in flight.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { brotliBomb, connections, headOf } from '../raw.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

export const inflation: Attack = {
  name: 'inflation',
  what: 'a tenant sends 60 bombs a second: gzip, deflate and br, bodies and lines',
  async run(scale) {
    const door = await openDoor();
    const held = connections(door);
    const lines = `"${'x'.repeat(1_000)}"\n`.repeat(60_000);
    const bombs = [
      ['application/json', 'br', brotliBomb(60_000_000)],
      ['application/json', 'gzip', gzipSync(Buffer.alloc(31_000_000, 0x20))],
      ['application/json', 'deflate', deflateSync(Buffer.alloc(31_000_000, 0x20))],
      ['application/x-ndjson', 'gzip', gzipSync(lines)],
      ['application/x-ndjson', 'gzip', gzipSync(Buffer.alloc(31_000_000, '\n'))],
    ] as const;
    try {
      const other = otherTenant(door);
      for (let tick = 0; tick < 50 * scale; tick++) {
        for (let n = 0; n < 12; n++) {
          const [type, encoding, body] = bombs[n % bombs.length] as (typeof bombs)[number];
          const headers = {
            Authorization: `Bearer ${door.attackerKey}`,
            'Content-Type': type,
            'Content-Encoding': encoding,
          };
          held.open(
            headOf(door, 'POST /v1/attacker/events', { ...headers, 'Content-Length': body.length }),
            body,
          );
        }
        await wait(200);
      }
      // In the short form the first ones are still being inflated.
      const own = 'stream="attacker/events"';
      let inflated = 0;
      for (let tries = 0; inflated === 0 && tries < 100; tries++) {
        inflated =
          (await door.counted('events_accepted_total', own)) +
          (await door.counted('events_refused_total', own));
        await wait(100);
      }
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      return {
        tally: { sent, errors, statuses, p99Ms, inflated, peakMb },
        checks: [
          ['bombs came as far as to be inflated', inflated > 0],
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['memory stays bounded', peakMb < 1_024],
        ],
      };
    } finally {
      held.close();
      await door.close();
    }
  },
};
