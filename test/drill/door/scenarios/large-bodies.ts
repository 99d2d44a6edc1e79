/**
 * A tenant with a key announces bodies as large as they may be, on as many connections as fill the memory budget, and sends them byte by byte.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const connections = 64;
const announcedBytes = 16 * 1_024 * 1_024;

export const largeBodies: Attack = {
  name: 'large-bodies',
  what: `${connections} connections announce 16 MiB each, with a key, and send a byte now and then`,
  async run(scale) {
    const door = await openDoor();
    const sockets: Socket[] = [];
    try {
      const other = otherTenant(door);
      for (let n = 0; n < connections; n++) {
        const socket = connect(door.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(
          `POST /v1/attacker/events HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\nAuthorization: Bearer ${door.attackerKey}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${announcedBytes}\r\n\r\n"`,
        );
        sockets.push(socket);
      }
      for (let seconds = 0; seconds < 10 * scale; seconds++) {
        await wait(1_000);
        for (const socket of sockets) if (!socket.destroyed) socket.write('x');
      }
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      return {
        tally: { sent, errors, statuses, p99Ms, peakMb },
        checks: [
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['memory follows what arrived, not what was announced', peakMb < 512],
        ],
      };
    } finally {
      for (const socket of sockets) socket.destroy();
      await door.close();
    }
  },
};
