/**
 * One host behind a trusted proxy comes from ever new addresses: its IPv6 network has 2^64, and it
 * writes some into the headers itself. Each was a new bucket once, that let it through and was
 * never freed.
 */
import { Agent } from 'node:http';
import { post } from '../../clients.ts';
import type { Attack } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const perSecond = 20;
const burst = 40;

export const manyAddresses: Attack = {
  name: 'many-addresses',
  what: `one host sends from ever new addresses, where an address has ${perSecond} requests a second`,
  async run(scale) {
    const door = await openDoor({
      ingress: `trusted_proxies: 1, address_requests_per_second: ${perSecond}, address_burst: ${burst}`,
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    try {
      const other = otherTenant(door, perSecond / 2);
      const startedMs = performance.now();
      const before = door.memory().nowMb;
      let passed = 0;
      let requests = 0;
      const send = async (n: number): Promise<void> => {
        const group = (bits: number): string => ((n >>> bits) & 0xff_ff).toString(16);
        const address = `2001:db8:1:2:${group(16)}:${group(0)}:${n % 7}:1`;
        const forwarded: readonly Record<string, string>[] = [
          { 'x-forwarded-for': `198.51.100.${n % 256}, ${address}` },
          { 'x-forwarded-for': `[${address}]:${1_024 + (n % 60_000)}` },
          { forwarded: `for=198.51.100.${n % 256}, for="[${address}]";proto=https` },
        ];
        const headers = {
          authorization: `Bearer ${door.attackerKey}`,
          ...forwarded[n % forwarded.length],
        };
        const { status } = await post(`${door.url}/v1/attacker/events`, '1', headers, agent);
        if (status !== 429) passed++;
        requests++;
      };
      for (let n = 0; n < 60_000 * scale; n += 32)
        await Promise.all(Array.from({ length: 32 }, (_, more) => send(n + more)));
      const seconds = (performance.now() - startedMs) / 1_000;
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const { nowMb, peakMb } = door.memory();
      const most = perSecond * seconds + burst;
      return {
        tally: {
          sent,
          errors,
          statuses,
          p99Ms,
          requests,
          passed,
          seconds: Math.round(seconds),
          grewMb: nowMb - before,
          peakMb,
        },
        checks: [
          ['the other tenant has no error', errors === 0 && sent > 0],
          [
            'no more passes than one address may send',
            passed > 0 && passed <= most && requests > passed,
          ],
          ['memory stays bounded', peakMb < 512],
        ],
      };
    } finally {
      agent.destroy();
      await door.close();
    }
  },
};
