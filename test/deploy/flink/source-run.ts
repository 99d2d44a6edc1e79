/**
 * A source of the Flink job as a local run (deploy/flink/job/src/test, `SourceRun`), as the tests of
 * sources run it.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalRun } from './local-run.ts';

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
  readonly #run: LocalRun;
  readonly #folder: string;

  private constructor(run: LocalRun, folder: string) {
    this.#run = run;
    this.#folder = folder;
  }

  static async start(options: SourceRunOptions): Promise<SourceRun> {
    const folder = mkdtempSync(join(options.dir, 'run-'));
    const { settings, parallelism, env, savepoint } = options;
    const args = [JSON.stringify(settings), folder, String(parallelism)];
    if (savepoint !== undefined) args.push(savepoint);
    const run = await LocalRun.start({ mainClass: 'SourceRun', args, heapMb: 512, env });
    return new SourceRun(run, folder);
  }

  /** What it logged. */
  get log(): string {
    return this.#run.log;
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
    for (;;) {
      const { isRunning } = this.#run;
      const found = existsSync(this.#folder)
        ? this.emitted()
            .flat()
            .filter(({ kind }) => kind === 9).length
        : 0;
      if (found >= count) return;
      if (!isRunning) throw new Error(`it ended with ${found} of ${count} records:\n${this.log}`);
      await sleep(100);
    }
  }

  /** The path of the savepoint with which it ended. */
  stop(): Promise<string> {
    const target = join(this.#folder, '..', 'savepoints');
    mkdirSync(target, { recursive: true });
    return this.#run.stop(target);
  }

  /** What it logged when it failed. */
  failure(): Promise<string> {
    return this.#run.failure();
  }

  kill(): Promise<void> {
    return this.#run.kill();
  }
}
