/**
 * One running instance per directory. The lock is a listening local socket, because a socket dies with its process: no stale lock after a
 * kill, and no confusion when a process id is used again. `instance.json` beside it tells who it is.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';

export interface Instance {
  readonly pid: number;
  /** Of the ingress, or of health and readiness where no ingress runs. */
  readonly url: string;
  /** Where Prometheus asks. */
  readonly metrics: string;
  /** RFC 3339 */
  readonly startedAt: string;
}

/** What is told before the instance is reachable. */
export const unknownInstance: Instance = { pid: process.pid, url: '', metrics: '', startedAt: '' };

export interface InstanceLock {
  /** Tells the world where the instance can be reached. */
  publish(instance: Instance): void;
  release(): Promise<void>;
}

function socketPath(dir: string): string {
  const hash = createHash('sha256').update(realpathSync(dir)).digest('hex').slice(0, 24);
  return join(tmpdir(), `sluice-${hash}.sock`);
}

const infoPath = (dir: string): string => join(dir, 'instance.json');

/** Takes `dir` for this process; throws `SluiceError` `already-running` with the other's pid. */
export async function lockInstance(dir: string): Promise<InstanceLock> {
  mkdirSync(dir, { recursive: true });
  const path = socketPath(dir);
  const server = await listen(path).catch(async (thrown: unknown) => {
    if (systemCodeOf(thrown) !== 'EADDRINUSE') throw thrown;
    if (await answers(path)) {
      const other = readInfo(dir);
      const who = other === undefined ? 'another process' : `pid ${other.pid} (${other.url})`;
      throw new SluiceError('already-running', `${dir} is in use by ${who}`, {
        fix: 'stop that one, or give this one its own directory with --dir',
      });
    }
    rmSync(path, { force: true });
    return listen(path);
  });
  server.unref();
  return {
    publish: (instance) => writeFileSync(infoPath(dir), `${JSON.stringify(instance, null, 2)}\n`),
    release: () =>
      new Promise((resolve) => {
        rmSync(infoPath(dir), { force: true });
        server.close(() => resolve());
      }),
  };
}

/** The instance that runs on `dir`, or undefined. */
export async function findInstance(dir: string): Promise<Instance | undefined> {
  const info = readInfo(dir);
  if (info === undefined) return undefined;
  return (await answers(socketPath(dir))) ? info : undefined;
}

function readInfo(dir: string): Instance | undefined {
  try {
    return JSON.parse(readFileSync(infoPath(dir), 'utf8')) as Instance;
  } catch {
    return undefined;
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
