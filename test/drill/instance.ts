/**
 * A server of the drill as its parent sees it: started, told to fail, killed, started again on the
 * same folder; and what its streams hold.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimsDir, logDir } from '../../deploy/host/layout.ts';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { embeddedReader, openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { loadConfig } from '../../schemas/config-file.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { decodeRecord } from '../../schemas/wire.ts';
import { unfoldingReader } from '../../topology/runtime/unfold.ts';
import { freePort } from '../servers/free-port.ts';

export type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'down' }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Every `every`th record of each write is refused. */
  | { readonly kind: 'part'; readonly every: number };

export interface DrillInstance {
  /** Of the process that runs now. */
  readonly url: string;
  readonly pid: number;
  tell(message: { readonly fault?: Fault; readonly stepMs?: number }): Promise<void>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGTERM; the exit code. */
  stop(): Promise<number>;
  /** Kills what still runs. */
  end(): Promise<void>;
}

export interface FoundEvent {
  readonly id: string;
  readonly key: string;
  readonly path: string;
  readonly data: string;
}

export async function drillInstance(dir: string, configText: string): Promise<DrillInstance> {
  const config = join(dir, 'sluice.yaml');
  writeFileSync(config, configText);
  const port = await freePort();
  let child: ChildProcess;
  let url = '';
  const start = async (): Promise<void> => {
    const started = fork(fileURLToPath(new URL('./server.js', import.meta.url)), [config, dir], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, DRILL_PORT: String(port) },
    });
    child = started;
    url = await new Promise<string>((resolve, reject) => {
      started.once('message', (message: { readonly url: string }) => resolve(message.url));
      started.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
  };
  const ended = (signal: NodeJS.Signals): Promise<number> =>
    new Promise((resolve) => {
      child.once('exit', (code) => resolve(code ?? -1));
      child.kill(signal);
    });
  await start();
  return {
    get url() {
      return url;
    },
    get pid() {
      return child.pid ?? 0;
    },
    tell: (message) =>
      new Promise((resolve) => {
        child.once('message', () => resolve());
        child.send(message);
      }),
    metrics: () =>
      new Promise((resolve) => {
        child.once('message', ({ metrics }: { readonly metrics: string }) => resolve(metrics));
        child.send({});
      }),
    kill: () => ended('SIGKILL').then(() => undefined),
    start,
    stop: () => ended('SIGTERM'),
    end: async () => {
      if (child.exitCode === null && child.signalCode === null) await ended('SIGKILL');
    },
  };
}

/**
 * Every event of the stream `d/events`, in the order of each split. Of a server that was stopped.
 */
export async function foundIn(
  dir: string,
  stream = 'd/events',
  configFile = join(dir, 'sluice.yaml'),
): Promise<readonly FoundEvent[]> {
  const config = loadConfig(configFile, { DRILL_PORT: '0' });
  const streams = await openEmbeddedStreams({
    root: logDir(dir),
    streams: config.streams,
    local: config.local,
    clock: systemClock,
  });
  const found: FoundEvent[] = [];
  for (const handle of streams.handles(stream)) {
    const reader = unfoldingReader(embeddedReader(handle), stream, localBlobStore(claimsDir(dir)));
    for (const { id: split } of await reader.splits()) {
      let after: string | undefined;
      for (;;) {
        const { records } = await reader.read(split, after, {
          maxRecords: 10_000,
          maxBytes: 64 * 1_024 * 1_024,
        });
        if (records.length === 0) break;
        for (const record of records) {
          const decoded = decodeRecord(record);
          if ('problem' in decoded) throw new Error(decoded.problem);
          const { id, partitionkey } = decoded.attributes;
          found.push({
            id,
            key: partitionkey,
            path: reader.route,
            data: Buffer.from(decoded.data).toString(),
          });
        }
        after = records.at(-1)?.position;
      }
    }
    await reader.close();
  }
  await streams.close();
  return found;
}
