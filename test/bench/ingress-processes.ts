/**
 * The processes of the ingress benchmark: stub, servers and load, each started, asked and stopped
 * over IPC.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { LoadOrder, LoadResult } from './ingress-client.ts';
import type { ServerUsage } from './ingress-server.ts';
import type { StubCounts } from './kinesis-stub.ts';

interface Running {
  readonly port: number;
  readonly ask: <T>(message: string | object) => Promise<T>;
  readonly stop: () => Promise<void>;
}

export interface Server {
  readonly port: number;
  usage(): Promise<ServerUsage>;
  stop(): Promise<void>;
}

export interface Stub {
  readonly port: number;
  /** By physical stream. */
  counts(): Promise<Readonly<Record<string, StubCounts>>>;
  stop(): Promise<void>;
}

export interface Load {
  run(order: LoadOrder): Promise<LoadResult>;
  stop(): Promise<void>;
}

async function start(
  file: string,
  args: readonly string[],
  execArgv: readonly string[] = [],
): Promise<Running> {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    execArgv: [...execArgv],
  });
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  const next = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void =>
        reject(new Error(`${file} ${args.join(' ')} ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', (message) => {
        child.off('exit', onExit);
        resolve(message as T);
      });
    });
  const { port } = await next<{ port: number }>();
  return {
    port,
    ask<T>(message: string | object): Promise<T> {
      const answer = next<T>();
      child.send(message);
      return answer;
    },
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

export async function startStub(args: readonly string[]): Promise<Stub> {
  const { port, ask, stop } = await start('kinesis-stub.js', args);
  return { port, stop, counts: () => ask('counts') };
}

/**
 * What `sluice` is started with, for all servers: what a request leaves behind dies young instead
 * of growing old at the collector's cost, and a pause of eight seconds does not shrink the old
 * generation to where each second of load collects it whole.
 */
export const heapFlags = [
  '--no-memory-reducer',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
];

/**
 * `build`: the folder of another build of Sluice, whose server is started instead of this one's.
 */
export async function startServer(
  kind: 'bare' | 'naive' | 'full',
  stubPort: number,
  build?: string,
): Promise<Server> {
  const file =
    build === undefined
      ? 'ingress-server.js'
      : pathToFileURL(join(resolve(build), 'dist/test/bench/ingress-server.js')).href;
  const { port, ask, stop } = await start(file, [kind, String(stubPort)], heapFlags);
  return { port, stop, usage: () => ask('usage') };
}

export async function startLoad(): Promise<Load> {
  const { ask, stop } = await start('ingress-client.js', []);
  return { stop, run: (order) => ask(order) };
}
