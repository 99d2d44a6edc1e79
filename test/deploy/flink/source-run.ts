/**
 * A source of the Flink job on a cluster inside one JVM (deploy/flink/job/src/test), as the tests of
 * sources run it.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { builtJob, jvmOptions } from '../../../deploy/flink/jar.ts';

/** What a reader emits: its kind (topology/operators/batch.ts, 9: a record), and its JSON. */
export interface Emitted {
  readonly kind: number;
  readonly value: unknown;
}

export interface SourceRunOptions {
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of which it makes its own. */
  readonly dir: string;
  readonly parallelism: number;
  readonly env: Readonly<Record<string, string>>;
  readonly savepoint?: string | undefined;
}

export class SourceRun {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<number | null>;
  #printed = '';
  #log = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    child.stdout?.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
  }

  static async start(options: SourceRunOptions): Promise<SourceRun> {
    const folder = mkdtempSync(join(options.dir, 'run-'));
    const { jar, flinkClassPath, harnessClassPath } = await builtJob({ harness: true });
    const [testClasses] = harnessClassPath.split(':');
    const classPath = `${testClasses}:${jar}:${flinkClassPath}`;
    const { settings, parallelism, env, savepoint } = options;
    const child = spawn(
      'java',
      [
        ...['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...jvmOptions],
        ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath],
        ...['sluice.flink.SourceRun', JSON.stringify(settings), folder, String(parallelism)],
        ...(savepoint === undefined ? [] : [savepoint]),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } },
    );
    return new SourceRun(child, folder);
  }

  /** What it logged. */
  get log(): string {
    return this.#log;
  }

  /** By reader, in order; lines that are written whole. */
  emitted(): readonly (readonly Emitted[])[] {
    return readdirSync(this.#folder)
      .sort()
      .map((name) =>
        readFileSync(join(this.#folder, name), 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => {
            const at = line.indexOf(' ');
            return { kind: Number(line.slice(0, at)), value: JSON.parse(line.slice(at + 1)) };
          }),
      );
  }

  /** Waits until it has emitted `count` records. Throws what it said when it ends before. */
  async records(count: number): Promise<void> {
    const isOver = { yes: false };
    void this.#ended.then(() => (isOver.yes = true));
    for (;;) {
      const found = existsSync(this.#folder)
        ? this.emitted()
            .flat()
            .filter(({ kind }) => kind === 9).length
        : 0;
      if (found >= count) return;
      if (isOver.yes) throw new Error(`it ended with ${found} of ${count} records:\n${this.#log}`);
      await sleep(100);
    }
  }

  /** The path of the savepoint with which it ended. */
  async stop(): Promise<string> {
    const target = join(this.#folder, '..', 'savepoints');
    mkdirSync(target, { recursive: true });
    this.#child.stdin?.write(`${target}\n`);
    const code = await this.#ended;
    const path = this.#printed.trim();
    if (code !== 0 || path === '') throw new Error(`no savepoint:\n${this.#log}`);
    return path;
  }

  /** What it logged when it failed. */
  async failure(): Promise<string> {
    await this.#ended;
    return this.#log;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
