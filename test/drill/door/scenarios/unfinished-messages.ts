/**
 * A tenant opens as many WebSockets as it can and sends messages that never end, in fragments: what
 * the server puts together of them shows nowhere. Some of them send nothing but pings, some read no
 * acknowledgement.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { connections, frameOf, upgradeOf } from '../raw.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const sockets = 400;

export const unfinishedMessages: Attack = {
  name: 'unfinished-messages',
  what: `${sockets} WebSockets of one address hold messages that never end, ping, and read nothing`,
  async run(scale) {
    const door = await openDoor();
    const held = connections(door);
    try {
      const other = otherTenant(door);
      const opened = Array.from({ length: sockets }, () =>
        held.open(upgradeOf(door, door.attackerKey)),
      );
      await wait(500);
      const piece = Buffer.alloc(60_000, 0x20);
      const event = Buffer.from(`{"id":"${'i'.repeat(1_000)}"}`);
      for (const [n, socket] of opened.entries()) {
        // One byte less than what ends the connection.
        if (n % 4 < 2)
          for (let part = 0; part < 34; part++)
            socket.write(frameOf(part === 0 ? 1 : 0, false, piece));
        else if (n % 4 === 2)
          for (let ping = 0; ping < 2_000; ping++)
            socket.write(frameOf(9, true, Buffer.alloc(100)));
        else {
          socket.pause();
          for (let message = 0; message < 500; message++) socket.write(frameOf(1, true, event));
        }
        if (n % 20 === 0) await wait(20);
      }
      await wait(10_000 * scale);
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      const accepted = await door.counted('answers_total', 'status="101"');
      const open = opened.filter((socket) => !socket.destroyed && !socket.readableEnded).length;
      return {
        tally: { sent, errors, statuses, p99Ms, accepted, open, peakMb },
        checks: [
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['as many were opened as one address may have', accepted >= 100],
          ['no more are open than that', open <= 100],
          ['memory stays bounded', peakMb < 640],
        ],
      };
    } finally {
      held.close();
      await door.close();
    }
  },
};
