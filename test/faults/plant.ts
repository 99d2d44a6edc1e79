/**
 * Plants faults in a copy of what was built, and runs the tests that have to see them. The
 * project's own files are never touched.
 */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import type { Catcher, Fault } from './fault.ts';

/** `broken`: the place is not in its file, or the test did not run. */
export type Finding =
  | { readonly kind: 'caught' | 'missed' }
  | { readonly kind: 'broken'; readonly why: string };

const timeoutMs = 240_000;
/** The same for every run, so that a fault that was caught is caught again. */
const seed = 1;

export class Nursery {
  readonly #project: string;
  readonly #folder: string;

  constructor(project: string) {
    this.#project = project;
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
    cpSync(join(project, 'dist'), join(this.#folder, 'dist'), { recursive: true });
    for (const entry of readdirSync(project)) {
      if (!['dist', '.git', '.sluice', '.build'].includes(entry))
        symlinkSync(join(project, entry), join(this.#folder, entry));
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async judge({ file, find, replace, caughtBy }: Fault): Promise<Finding> {
    const source = readFileSync(join(this.#project, file), 'utf8');
    const places = source.split(find).length - 1;
    if (places !== 1) return { kind: 'broken', why: `${file} has the place ${places} times` };
    const compiled = join('dist', file.replace(/\.ts$/, '.js'));
    const planted = join(this.#folder, compiled);
    writeFileSync(planted, compile(source.replace(find, () => replace)));
    try {
      return await this.#run(caughtBy);
    } finally {
      copyFileSync(join(this.#project, compiled), planted);
    }
  }

  async #run(catcher: Catcher): Promise<Finding> {
    if ('histories' in catcher) {
      const args = ['--histories', `${catcher.histories}`, '--seed', `${seed}`, '--as-found'];
      const said = await this.#node(join('dist', 'test', 'property', 'run.js'), ...args);
      if (said === undefined) return { kind: 'broken', why: 'the property suite did not end' };
      const ended = /, (\d) differ\n$/.exec(said);
      return ended === null
        ? { kind: 'broken', why: said.slice(-500) }
        : { kind: ended[1] === '0' ? 'missed' : 'caught' };
    }
    const report = join(this.#folder, 'report.json');
    const only = catcher.only === undefined ? [] : ['-t', catcher.only];
    const runner = join('node_modules', 'vitest', 'vitest.mjs');
    const said = await this.#node(
      runner,
      'run',
      `dist/test/${catcher.test}.test.js`,
      ...only,
      '--bail=1',
      '--reporter=json',
      `--outputFile=${report}`,
    );
    if (said === undefined) return { kind: 'broken', why: 'the test did not end' };
    try {
      const { numPassedTests, numFailedTests } = JSON.parse(
        readFileSync(report, 'utf8'),
      ) as Readonly<Record<string, number>>;
      if (numFailedTests !== undefined && numFailedTests > 0) return { kind: 'caught' };
      return numPassedTests === 0
        ? { kind: 'broken', why: `no test was run: ${said.slice(-500)}` }
        : { kind: 'missed' };
    } catch {
      return { kind: 'broken', why: said.slice(-500) };
    } finally {
      rmSync(report, { force: true });
    }
  }

  /** What it said, once it ended. */
  #node(script: string, ...args: readonly string[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [script, ...args], { cwd: this.#folder });
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.once('close', (code) => {
        clearTimeout(timer);
        resolve(code === null ? undefined : said);
      });
    });
  }
}

/** As the build does it: types away, and imports of what was built. */
function compile(source: string): string {
  const { code } = transformSync(source, {
    loader: 'ts',
    format: 'esm',
    target: 'es2022',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  return code.replace(/((?:from|import)\s*\(?\s*["']\.[^"']*)\.ts(["'])/g, '$1.js$2');
}
