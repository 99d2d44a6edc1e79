/**
 * What each attack of the drill at the door runs against: `sluice start` as a process of its own,
 * with two tenants who have a key each, and the other tenant, who goes on sending and says how that
 * went.
 *
 *   const door = await openDoor({ ingress: 'body_max_mb: 1' });
 *   const other = otherTenant(door);
 *   ... the attack, with door.attackerKey ...
 *   const { errors, p99Ms } = await other.stop();
 *   await door.close();
 *
 * Streams: `attacker/events`, `other/events`. Keys: one for each team's streams, with
 * `segment_stream`.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../servers/free-port.ts';
import type { ServiceProcess } from '../../tools/service-process.ts';
import { serviceProcess } from '../../tools/service-process.ts';
import { post } from '../clients.ts';
import type { Scenario } from '../run-scenarios.ts';

/** What an attack came to, by name: sizes in MB, times in ms, counts. */
export type Figures = Readonly<Record<string, number | string>>;
export type Attack = Scenario<Figures>;

export interface Door {
  readonly service: ServiceProcess;
  readonly url: string;
  readonly port: number;
  /** The instance's folder, and the configuration that it watches. */
  readonly dir: string;
  readonly configFile: string;
  readonly attackerKey: string;
  readonly otherKey: string;
  /** Resident memory of the server: now, and at its most since its start. */
  memory(): { readonly nowMb: number; readonly peakMb: number };
  /**
   * The sum of a counter of the ingress, of all series that have this label: that an attack came as
   * far as it was meant to.
   */
  counted(counter: string, label: string): Promise<number>;
  close(): Promise<void>;
}

export interface DoorOptions {
  /** Members of the section `ingress`, as flow-style YAML: `body_max_mb: 1, trusted_proxies: 1`. */
  readonly ingress?: string;
  /** Members of the attacker's key: `events_per_second: 10`. */
  readonly attackerKey?: string;
  /** Members of the attacker's stream. */
  readonly attackerStream?: string;
  /** Further sections, as YAML. */
  readonly more?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The configuration of a door, with the digests of its two keys. */
function doorConfig({
  ingress = '',
  attackerKey = '',
  attackerStream = '',
  more = '',
}: DoorOptions): string {
  const digest = (key: string): string => createHash('sha256').update(key).digest('hex');
  const further = (members: string): string => (members === '' ? '' : `, ${members}`);
  return `streams:
  - {team: attacker, app: events${further(attackerStream)}}
  - {team: other, app: events}
ingress: {host: 127.0.0.1${further(ingress)}}
keys:
  - {name: attacker, sha256: ${digest(keys.attacker)}, streams: ['attacker/*'], segment_stream: attacker/events${further(attackerKey)}}
  - {name: other, sha256: ${digest(keys.other)}, streams: ['other/*'], segment_stream: other/events}
${more}
`;
}

const keys = {
  attacker: 'slc_attackerattackerattackerattacker',
  other: 'slc_otherotherotherotherotherotheroth',
} as const;

export async function openDoor(options: DoorOptions = {}): Promise<Door> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-door-'));
  const configFile = join(folder, 'sluice.yaml');
  writeFileSync(configFile, doorConfig(options));
  const port = await freePort();
  const service = serviceProcess('start', configFile, port, options.env ?? {});
  await service.start();
  return {
    service,
    url: service.url,
    port,
    dir: service.dir,
    configFile,
    attackerKey: keys.attacker,
    otherKey: keys.other,
    memory: () => memoryOf(service.pid),
    counted: async (counter, label) => sumOf(await service.metrics(), counter, label),
    async close() {
      await service.end('SIGTERM');
      service.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function sumOf(metrics: string, counter: string, label: string): number {
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith(`sluice_ingress_${counter}{`) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/**
 * As Linux tells it, https://man7.org/linux/man-pages/man5/proc_pid_status.5.html; NaN where it
 * does not.
 */
function memoryOf(pid: number): { readonly nowMb: number; readonly peakMb: number } {
  let text = '';
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // The process has ended, or this is no Linux.
  }
  const of = (name: string): number =>
    Math.round(
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) / 1_024,
    );
  return { nowMb: of('VmRSS'), peakMb: of('VmHWM') };
}

export interface OtherTenant {
  /** Resolves when everything it sent is answered. */
  stop(): Promise<{
    readonly sent: number;
    readonly errors: number;
    readonly statuses: string;
    readonly p99Ms: number;
  }>;
}

/**
 * Sends `eventsPerSecond` events of 1 KB to `other/events`, each due at its own time: an answer's
 * latency counts from then.
 */
export function otherTenant(door: Door, eventsPerSecond = 100): OtherTenant {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const body = JSON.stringify({ pad: 'x'.repeat(1_000) });
  const times: number[] = [];
  const statuses: Record<number, number> = {};
  const open = new Set<Promise<void>>();
  let running = true;
  const one = async (dueMs: number): Promise<void> => {
    const { status } = await post(
      `${door.url}/v1/other/events`,
      body,
      { authorization: `Bearer ${door.otherKey}` },
      agent,
    );
    statuses[status] = (statuses[status] ?? 0) + 1;
    times.push(performance.now() - dueMs);
  };
  const sending = (async () => {
    const startedMs = performance.now();
    for (let n = 0; running; n++) {
      const dueMs = startedMs + (n * 1_000) / eventsPerSecond;
      const aheadMs = dueMs - performance.now();
      if (aheadMs > 1) await wait(aheadMs);
      const sent = one(dueMs).finally(() => open.delete(sent));
      open.add(sent);
    }
  })();
  return {
    async stop() {
      running = false;
      await sending;
      await Promise.all(open);
      agent.destroy();
      const sorted = times.sort((a, b) => a - b);
      const p99Ms = Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN);
      const told = Object.entries(statuses).map(([status, count]) => `${count} x ${status}`);
      return {
        sent: times.length,
        errors: times.length - (statuses[200] ?? 0),
        statuses: told.join(', '),
        p99Ms,
      };
    },
  };
}
