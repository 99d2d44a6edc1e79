/**
 * A tenant with a key announces bodies as large as they may be, on as many connections as fill the
 * memory budget, and sends them byte by byte.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { connections, headOf } from '../raw.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const count = 64;
const announcedBytes = 16 * 1_024 * 1_024;

export const largeBodies: Attack = {
  name: 'large-bodies',
  what: `${count} connections announce 16 MiB each, with a key, and send a byte now and then`,
  async run(scale) {
    const door = await openDoor();
    const held = connections(door);
    const headers = {
      Authorization: `Bearer ${door.attackerKey}`,
      'Content-Type': 'application/json',
      'Content-Length': announcedBytes,
    };
    try {
      const other = otherTenant(door);
      for (let n = 0; n < count; n++)
        held.open(headOf(door, 'POST /v1/attacker/events', headers), '"');
      for (let seconds = 0; seconds < 10 * scale; seconds++) {
        await wait(1_000);
        for (const socket of held.all) if (!socket.destroyed) socket.write('x');
      }
      const waiting = held.all.filter(
        (socket) => !socket.destroyed && !socket.readableEnded,
      ).length;
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      return {
        tally: { sent, errors, statuses, p99Ms, waiting, peakMb },
        checks: [
          ['every body was waited for', waiting === count],
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['memory follows what arrived, not what was announced', peakMb < 512],
        ],
      };
    } finally {
      held.close();
      await door.close();
    }
  },
};
