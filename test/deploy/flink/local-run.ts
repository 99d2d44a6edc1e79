/**
 * A job on a cluster inside one JVM (deploy/flink/job/src/test, `LocalRun`), until it is stopped with
 * a savepoint, of which another run may continue.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { FlinkLine } from '../../../deploy/flink/jar.ts';
import { builtJob, jvmOptions } from '../../../deploy/flink/jar.ts';

export interface LocalRunOptions {
  /** In `sluice.flink`, of the tests. */
  readonly mainClass: string;
  readonly args: readonly string[];
  readonly heapMb: number;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Default: that of `builtJob`. */
  readonly flink?: FlinkLine | undefined;
}

export class LocalRun {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  #printed = '';
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.ended = new Promise((resolve) => child.once('exit', resolve));
  }

  static async start(options: LocalRunOptions): Promise<LocalRun> {
    const { mainClass, args, heapMb, env = {}, flink } = options;
    const { jar, flinkClassPath, harnessClassPath } = await builtJob({ harness: true, flink });
    const [testClasses] = harnessClassPath.split(':');
    const child = spawn(
      'java',
      [
        ...[`-Xmx${heapMb}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...jvmOptions],
        ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
        ...['-cp', `${testClasses}:${jar}:${flinkClassPath}`, `sluice.flink.${mainClass}`, ...args],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } },
    );
    return new LocalRun(child);
  }

  /** Whether it runs; what it logged. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
  get log(): string {
    return this.#log;
  }

  /** Stops it with a savepoint below `folder`; gives its path. */
  async stop(folder: string): Promise<string> {
    this.#child.stdin?.write(`${folder}\n`);
    const code = await this.ended;
    const path = this.#printed.trim();
    if (code !== 0 || path === '') throw new Error(`no savepoint:\n${this.#log}`);
    return path;
  }

  /** What it logged when it failed. */
  async failure(): Promise<string> {
    await this.ended;
    return this.#log;
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.ended;
  }
}
