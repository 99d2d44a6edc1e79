/**
 * What the flights are sent through and compared on: one local instance, or (flights-real.ts)
 * services on real streams.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { InstanceStatus } from '../../deploy/host/status.ts';
import { freePort } from '../servers/free-port.ts';
import type { Version } from './service-process.ts';
import { runSluice, serviceProcess } from './service-process.ts';

export interface FlightsOptions {
  /** The example's folder. */
  readonly example: string;
  /**
   * Every file is sent twice, and is meant to arrive twice: the ingress would answer the second as
   * a repeat of the first.
   */
  readonly twice: boolean;
}

export interface FlightsSubject {
  readonly url: string;
  readonly dir: string;
  start(): Promise<void>;
  /** Kills a process with SIGKILL and starts it again; says which. `nth` counts from 0. */
  killOne(nth: number): Promise<string>;
  /** Events since the ingress was started last; 0 while it cannot be asked. */
  received(): Promise<number>;
  status(): Promise<InstanceStatus | undefined>;
  /** Reads everything and gives out everything; says what it came to. */
  drain(): Promise<string>;
  /** A folder with the tables, once it is drained. */
  lake(): Promise<string>;
  graph(cypher: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** 0 when everything ended well. */
  stop(): Promise<number | null>;
  remove(keep: boolean): Promise<void>;
}

export interface LocalFlights extends FlightsSubject {
  /** Another version on the same folder and port. */
  startAs(version: Version): Promise<void>;
  /** What the instance said lately. */
  log(): string;
}

export async function localFlights({ example, twice }: FlightsOptions): Promise<LocalFlights> {
  const env: Record<string, string> = twice ? { REPEAT_WINDOW_S: '0' } : {};
  const instance = serviceProcess('start', join(example, 'sluice.yaml'), await freePort(), env);
  const { dir } = instance;
  const ran = async (...args: readonly string[]): Promise<string> => {
    const { code, said } = await runSluice(['--dir', dir, ...args]);
    if (code !== 0)
      throw new Error(`${args.join(' ')} ended with ${code}: ${said}\n${instance.log}`);
    return said;
  };
  return {
    url: instance.url,
    dir,
    start: () => instance.start(),
    startAs: (version) => instance.start(version),
    log: () => instance.log,
    async killOne() {
      await instance.end('SIGKILL');
      await instance.start();
      return 'the instance';
    },
    received: async () => (await instance.status())?.ingress?.received ?? 0,
    status: () => instance.status(),
    drain: async () => (await ran('drain', 'flights')).split('\n')[0] ?? '',
    lake: () => Promise.resolve(join(dir, 'lake')),
    graph: async (cypher) =>
      JSON.parse(await ran('--json', 'graph', cypher)) as readonly Readonly<
        Record<string, unknown>
      >[],
    stop: () => instance.end('SIGTERM'),
    async remove(keep) {
      await instance.end('SIGKILL');
      if (keep) console.log(`      kept ${dir}`);
      else rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Sends a file of events to its stream, `batch` events a request. */
export async function sendFlights(
  { dir, url }: FlightsSubject,
  data: string,
  file: string,
  batch: string,
): Promise<void> {
  const path = join(data, `${file}.ndjson.gz`);
  const to = ['--stream', `nyc/${file}`, '--url', url, '--batch', batch, '--no-resume'];
  const { code, said } = await runSluice(['--dir', dir, 'send', path, ...to]);
  if (code !== 0) throw new Error(`send ${file} ended with ${code}: ${said}`);
}
