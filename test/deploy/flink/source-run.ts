/**
 * Sources of the Flink job as one local run (deploy/flink/job/src/test, `SourceRun`), as the tests of
 * sources run them.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalRun } from './local-run.ts';

/** Of `Emitted`. */
const recordKind = 9;

/** What a reader emits: its kind (topology/operators/batch.ts, 9: a record), and its JSON. */
export interface Emitted {
  readonly kind: number;
  readonly value: unknown;
}

export interface SourceRunOptions {
  /** By the source's name. */
  readonly sources: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
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
    const { sources, parallelism, env, savepoint } = options;
    const args = [JSON.stringify(sources), folder, String(parallelism)];
    if (savepoint !== undefined) args.push(savepoint);
    const run = await LocalRun.start({ mainClass: 'SourceRun', args, heapMb: 512, env });
    return new SourceRun(run, folder);
  }

  /** What it logged. */
  get log(): string {
    return this.#run.log;
  }

  /** Of a source, by reader, in order; lines that are written whole. */
  emitted(source: string): readonly (readonly Emitted[])[] {
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith(`${source}-`))
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

  /** Waits until a source has emitted `count` of a kind. Throws what it said when it ends before. */
  async emits(source: string, kind: number, count: number): Promise<void> {
    for (;;) {
      const { isRunning } = this.#run;
      const found = this.emitted(source)
        .flat()
        .filter((one) => one.kind === kind).length;
      if (found >= count) return;
      if (!isRunning)
        throw new Error(`it ended with ${found} of ${count} of ${source}:\n${this.log}`);
      await sleep(50);
    }
  }

  /** Waits until a source has emitted `count` records. Throws what it said when it ends before. */
  records(source: string, count: number): Promise<void> {
    return this.emits(source, recordKind, count);
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
