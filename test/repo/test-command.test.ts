/** `npm test`: which tests run from source, and what is compiled for what is asked. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { root, temporaryFolder } from './support.ts';

interface Split {
  readonly fromSource: readonly string[];
  readonly fromDist: readonly string[];
}

interface Decided {
  readonly compile: boolean;
  readonly vitest: readonly string[];
}

/** Scripts of test/tools that run without a build have no place in dist. */
const script = (name: string): Promise<unknown> =>
  import(pathToFileURL(join(root, 'test', 'tools', name)).href);
const { decideRun } = (await script('test.mjs')) as {
  readonly decideRun: (args: readonly string[], tests: Split) => Decided | undefined;
};
const { splitTests } = (await script('unit-tests.mjs')) as {
  readonly splitTests: () => Split;
};

const { isTimed, longest, timed } = (await script('longest-first.mjs')) as {
  readonly isTimed: (path: string) => boolean;
  readonly longest: readonly string[];
  readonly timed: readonly string[];
};

const tests = {
  fromSource: ['test/topology/operators/window.test.ts', 'test/topology/operators/time.test.ts'],
  fromDist: ['test/deploy/cli/start.test.ts'],
};

describe('npm test', () => {
  it.each([
    [[], { compile: true, vitest: ['run'] }],
    [
      ['topology/operators/window'],
      { compile: false, vitest: ['run', '--project', 'unit', 'topology/operators/window'] },
    ],
    [
      ['test/topology/operators/window.test.ts', '-t', 'late'],
      {
        compile: false,
        vitest: ['run', '--project', 'unit', '-t', 'late', 'test/topology/operators/window.test'],
      },
    ],
    [['cli/start'], { compile: true, vitest: ['run', 'cli/start'] }],
    [
      ['dist/test/deploy/cli/start.test.js'],
      { compile: true, vitest: ['run', 'test/deploy/cli/start.test'] },
    ],
    [['--unit'], { compile: false, vitest: ['run', '--project', 'unit'] }],
    [
      ['--watch', 'operators/time'],
      { compile: false, vitest: ['watch', '--project', 'unit', 'operators/time'] },
    ],
    [['--reporter=json'], { compile: true, vitest: ['run', '--reporter=json'] }],
  ])('%j', (args, decided) => {
    expect(decideRun(args, tests)).toEqual(decided);
  });

  it('refuses a name that no test has', () => {
    expect(decideRun(['no/such'], tests)).toBeUndefined();
  });
});

describe('tests from source', () => {
  const { fromSource, fromDist } = splitTests();

  it('are those that name no compiled file, themselves or by what they import', () => {
    expect(fromSource).toContain('test/topology/operators/time.test.ts');
    // Starts a worker thread, by enrich/parquet/parquet-thread.ts.
    expect(fromDist).toContain('test/enrich/parquet/table-sink.test.ts');
    expect(fromDist).toContain('test/deploy/cli/start.test.ts');
    expect(fromDist).toContain('test/repo/test-command.test.ts');
  });

  it('are most of the tests of parts, and every test is in one list', () => {
    expect(fromSource.length).toBeGreaterThan(100);
    expect(fromSource.filter((path) => fromDist.includes(path))).toEqual([]);
  });
});

describe('temporary files of tests', () => {
  it.each([undefined, 'SIGTERM'] as const)(
    'are gone, also after %s',
    { timeout: 120_000 },
    async (signal) => {
      const folder = temporaryFolder('test-command');
      const command = join(root, 'test', 'tools', 'test.mjs');
      const child = spawn(process.execPath, [command, 'schemas/kernel/time'], {
        env: { ...process.env, TMPDIR: folder },
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      while (readdirSync(folder).length === 0) await sleep(5);
      if (signal !== undefined) child.kill(signal);
      expect(await ended).toBe(signal === undefined ? 0 : 1);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe('the tests that begin first', () => {
  it('are there', () => {
    const { fromSource, fromDist } = splitTests();
    const all = [...fromSource, ...fromDist];
    expect(longest.length).toBeGreaterThan(10);
    expect(longest.filter((path) => !all.includes(`${path}.ts`))).toEqual([]);
  });

  it('are, of those that are timed, all that run compiled', () => {
    const tests = splitTests().fromDist.filter(isTimed);
    expect(tests).toContain('test/conformance/http.test.ts');
    expect(tests).not.toContain('test/conformance/conformance.test.ts');
    expect(timed.filter((at) => !tests.some((path) => path.startsWith(at)))).toEqual([]);
  });
});
