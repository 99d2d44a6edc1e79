/**
 * Somebody without a key sends to the routes where the key may be in the body: bodies that are
 * announced and do not end, and bodies of a few dozen bytes that inflate to 60 MB under a window of
 * 16 MB. 18 of the first, or one of the second, once made every tenant get 503.
 */
import { Agent } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { post } from '../../clients.ts';
import { brotliBomb, connections, headOf } from '../raw.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

export const strangers: Attack = {
  name: 'strangers',
  what: '300 connections without a key send half a body to /v1/track, and 20 a second a bomb',
  async run(scale) {
    const door = await openDoor();
    const held = connections(door);
    const agent = new Agent();
    const bomb = brotliBomb(60_000_000);
    try {
      const other = otherTenant(door);
      const json = { 'Content-Type': 'application/json' };
      for (let n = 0; n < 300; n++) {
        const length = n % 3 === 0 ? 16_000_000 : 400_000;
        held.open(
          headOf(door, 'POST /v1/track', { ...json, 'Content-Length': length }),
          Buffer.alloc(399_000, 0x20),
        );
      }
      let batches = 0;
      let refused = 0;
      for (let seconds = 0; seconds < 20 * scale; seconds++) {
        for (let n = 0; n < 20; n++)
          held.open(
            headOf(door, 'POST /v1/batch', {
              ...json,
              'Content-Encoding': 'br',
              'Content-Length': bomb.length,
            }),
            bomb,
          );
        // A key in the head is enough to be somebody, on the same route.
        const body = JSON.stringify({
          batch: [{ type: 'track', userId: 'u', event: 'e', messageId: String(seconds) }],
        });
        const basic = {
          authorization: `Basic ${Buffer.from(`${door.otherKey}:`).toString('base64')}`,
        };
        batches++;
        if ((await post(`${door.url}/v1/batch`, body, basic, agent)).status !== 200) refused++;
        await wait(1_000);
      }
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      const turnedAway = await Promise.all(
        ['overloaded', 'body-inflates-too-large'].map((code) =>
          door.counted('events_refused_total', `code="${code}"`),
        ),
      );
      const away = turnedAway.reduce((sum, count) => sum + count, 0);
      return {
        tally: { sent, errors, statuses, p99Ms, batches, refused, away, peakMb },
        checks: [
          ['what found no room, or inflated beyond its bound, was refused', away > 0],
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['its batches on the same route have none', refused === 0 && batches > 0],
          ['memory stays bounded', peakMb < 512],
        ],
      };
    } finally {
      held.close();
      agent.destroy();
      await door.close();
    }
  },
};
