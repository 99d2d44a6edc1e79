/**
 * A key of ten events a second sends as much as it can, in every form that was free once: batches
 * of 10,000, elements and lines that are refused, blank lines, bodies and messages that are no
 * JSON.
 */
import { Agent } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { post } from '../../clients.ts';
import { connections, frameOf, headOf, upgradeOf } from '../raw.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const perSecond = 10;
const burst = 20;
const batch = 100;

export const unpaidWork: Attack = {
  name: 'unpaid-work',
  what: `a key of ${perSecond} events a second sends batches of ${batch}, and what is refused, on every protocol`,
  async run(scale) {
    const door = await openDoor({
      attackerKey: `events_per_second: ${perSecond}, burst: ${burst}`,
    });
    const held = connections(door);
    const agent = new Agent({ keepAlive: true });
    const url = `${door.url}/v1/attacker/events`;
    const key = { authorization: `Bearer ${door.attackerKey}` };
    const startedMs = performance.now();
    /** Events that were looked at, accepted or refused: whatever was not answered 429. */
    let done = 0;
    let accepted = 0;
    let requests = 0;
    try {
      const other = otherTenant(door);
      const send = async (
        events: number,
        body: string,
        headers: Readonly<Record<string, string>> = {},
      ): Promise<number> => {
        requests++;
        const { status } = await post(url, body, { ...key, ...headers }, agent);
        if (status !== 429) done += events;
        return status;
      };
      for (let tick = 0; tick < 300 * scale; tick++) {
        if (
          (await send(
            batch,
            `[${Array.from({ length: batch }, (_, n) => `{"n":${tick * batch + n}}`).join(',')}]`,
          )) === 200
        )
          accepted += batch;
        await send(batch, `[${'[],'.repeat(batch - 1)}[]]`);
        await send(batch, 'nope\n'.repeat(batch), { 'content-type': 'application/x-ndjson' });
        await send(1, 'nope');
        const blank = gzipSync(Buffer.alloc(10_000_000, '\n'));
        held.open(
          headOf(door, 'POST /v1/attacker/events', {
            ...key,
            'Content-Type': 'application/x-ndjson',
            'Content-Encoding': 'gzip',
            'Content-Length': blank.length,
          }),
          blank,
        );
        if (tick % 10 === 0) {
          const socket = held.open(upgradeOf(door, door.attackerKey));
          await wait(50);
          for (let n = 0; n < 200; n++) socket.write(frameOf(1, true, Buffer.from('nope')));
        }
        await wait(50);
      }
      const seconds = (performance.now() - startedMs) / 1_000;
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      const most = perSecond * seconds + burst + batch;
      return {
        tally: {
          sent,
          errors,
          statuses,
          p99Ms,
          requests,
          done,
          accepted,
          seconds: Math.round(seconds),
          peakMb,
        },
        checks: [
          ['the other tenant has no error', errors === 0 && sent > 0],
          [
            'no more passes than the quota, its burst and one batch',
            accepted > 0 && accepted <= most,
          ],
          ['what is refused is paid for like what is accepted', done <= most],
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
