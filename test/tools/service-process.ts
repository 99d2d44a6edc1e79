/**
 * Sluice as a process of its own, whole (`start`) or one of its services, for the example and the
 * drills: started, killed, started again on the same directory, stopped.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { InstanceStatus } from '../../deploy/host/status.ts';
import { heapFlags } from '../bench/ingress-processes.ts';
import { metricsOf, statusOf } from './instance-asked.ts';

const main = fileURLToPath(new URL('../../../bundle/deploy/cli/main.js', import.meta.url));
const readyMaxMs = 180_000;
const logMaxChars = 40_000;

/** What is started: the compiled command line of a version, and a configuration for it. */
export interface Version {
  readonly main: string;
  readonly config: string;
}

export interface ServiceProcess {
  readonly name: 'start' | 'ingest' | 'enrich';
  readonly dir: string;
  readonly url: string;
  /** Of the last start; 0 before. */
  readonly pid: number;
  /** What it said lately. */
  readonly log: string;
  /** Resolves when it answers `/readyz` with 200. `version`: another one, on the same folder. */
  start(version?: Version): Promise<void>;
  /** The exit code of the last start; null after a signal that it could not answer. */
  readonly ended: Promise<number | null>;
  /** As `ended`. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
  status(): Promise<InstanceStatus | undefined>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  remove(): void;
}

export function serviceProcess(
  name: ServiceProcess['name'],
  config: string,
  port: number,
  env: Readonly<Record<string, string>>,
): ServiceProcess {
  const dir = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let ended: Promise<number | null> = Promise.resolve(null);
  let log = '';
  const hear = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-logMaxChars);
  };
  return {
    name,
    dir,
    url,
    get pid() {
      return child?.pid ?? 0;
    },
    get log() {
      return log;
    },
    async start(version = { main, config }) {
      if (name === 'enrich' && child === undefined) {
        await buildOnce(config, env);
      }
      // As the command's first line says.
      const args = [
        ...heapFlags,
        version.main,
        '--dir',
        dir,
        '--config',
        version.config,
        name,
        '--port',
        String(port),
      ];
      const started = spawn(process.execPath, args, {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      started.stdout.on('data', hear);
      started.stderr.on('data', hear);
      child = started;
      // Also when what drives it ends in the middle.
      const last = (): void => void started.kill('SIGKILL');
      process.once('exit', last);
      ended = new Promise((resolve) =>
        started.once('exit', (code) => {
          process.off('exit', last);
          resolve(code);
        }),
      );
      for (
        const deadline = performance.now() + readyMaxMs;
        performance.now() < deadline;
        await sleep(50)
      ) {
        if (started.exitCode !== null || started.signalCode !== null)
          throw new Error(`${name} ended with ${started.exitCode}:\n${log}`);
        const ready = await fetch(`${url}/readyz`).then(
          (answer) => answer.ok,
          () => false,
        );
        if (ready) return;
      }
      throw new Error(`${name} did not become ready:\n${log}`);
    },
    get ended() {
      return ended;
    },
    end(signal) {
      child?.kill(signal);
      return ended;
    },
    status: () => statusOf(dir),
    metrics: () => metricsOf(dir),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

const builds = new Map<string, Promise<void>>();

/** Configurations that name the same files share what is built beside these. */
function buildOnce(config: string, env: Readonly<Record<string, string>>): Promise<void> {
  const named = /^topologies: \["\/.*\]$/m.exec(readFileSync(config, 'utf8'))?.[0] ?? config;
  const build = async (): Promise<void> => {
    const { code, said } = await runSluice(['--config', config, 'topology', 'build'], env);
    if (code !== 0) throw new Error(`the topologies were not built:\n${said}`);
  };
  const building = builds.get(named) ?? build();
  builds.set(named, building);
  return building;
}

/** Runs `sluice` with `args` to its end, or until `maxMs`: the code is null then. */
export function runSluice(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  maxMs?: number,
): Promise<{ readonly code: number | null; readonly said: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = maxMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), maxMs);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said = `${said}${line}\n`.slice(-logMaxChars);
      });
    }
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, said });
    });
  });
}
