/**
 * The job is built for Flink 1.20 or 2.2 of one source: it is compiled for 2.2, and cases run on its
 * operators there. A jar that was built for one is refused on the other before it does anything.
 * The long form is every test of this folder with `SLUICE_FLINK_VERSION=2.2`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob, jvmOptions, lineByDefault } from '../../../deploy/flink/jar.ts';
import { parseCases } from '../../conformance/case.ts';
import { CaseServer } from '../../conformance/flink/case-server.ts';
import { flinkOpener } from '../../conformance/flink/flink-driver.ts';
import { judge } from '../../conformance/runner.ts';
import { flinkVariations, variationsOf } from '../../conformance/variations.ts';
import { root, temporaryFolder } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import { flinkCommand } from './flink-command.ts';

const run = promisify(execFile);
const buildMaxMs = 600_000;
const runMaxMs = 240_000;

/** Operators whose state, timers, inputs and time are Flink's; of each the first case. */
const files = ['window', 'interval-join', 'merge-valve', 'timers', 'deduplicate'];
const selection = files.flatMap((name) => {
  const file = join(root, 'test/conformance/cases', `${name}.yaml`);
  return parseCases(file, readFileSync(file, 'utf8')).cases.slice(0, 1);
});

describe.skipIf(javaMissing() !== undefined)('the job for Flink 2.2', () => {
  let server: CaseServer;
  beforeAll(async () => {
    server = await CaseServer.start('2.2');
  }, buildMaxMs);
  afterAll(() => server.stop());

  it('says in its jar for which version it was built', async () => {
    const { harnessClassPath } = await builtJob({ harness: true, flink: '2.2' });
    const [, classes = ''] = harnessClassPath.split(':');
    expect(readFileSync(join(classes, 'sluice/flink-version'), 'utf8')).toMatch(/^2\.2\.\d+$/);
  });

  it.each(selection.map((one) => [`${one.operator}: ${one.name}`, one] as const))(
    'passes %s',
    async (_name, one) => {
      const { operator, config } = one;
      const opener = flinkOpener(server, { operator, config });
      const { failures } = await judge(one, variationsOf(one, flinkVariations), opener);
      expect(failures).toEqual([]);
    },
    runMaxMs,
  );
});

describe.skipIf(javaMissing() !== undefined)('a jar on another version of Flink', () => {
  beforeAll(() => builtJob({ harness: true }), buildMaxMs);

  const start = async (built: string): Promise<string> => {
    const other = temporaryFolder('flink-version');
    mkdirSync(join(other, 'sluice'));
    writeFileSync(join(other, 'sluice/flink-version'), built);
    const { jar, flinkClassPath } = await builtJob({ harness: true });
    const classPath = [other, jar, flinkClassPath].join(':');
    const args = [...jvmOptions, '-cp', classPath, 'sluice.flink.Main'];
    return run('java', args).then(
      () => 'it runs',
      (cause: { readonly stderr: string }) => cause.stderr,
    );
  };

  it(
    'is refused by its first sentence',
    async () => {
      const [built, here] = lineByDefault() === '2.2' ? ['1.20.5', '2.2'] : ['2.2.1', '1.20'];
      const said = `this jar was built for Flink ${built}, and here is Flink ${here}.`;
      const refused = await start(built);
      expect(refused).toContain(`IllegalStateException: ${said}`);
      expect(refused).toContain(`build it with --flink-version ${here}`);
      // Of the same major version it goes on, to the arguments that it was not given.
      expect(await start(here)).not.toContain('this jar was built for');
    },
    runMaxMs,
  );
});

describe('--flink-version', () => {
  const build = async (...args: readonly string[]): Promise<string> =>
    (await flinkCommand(['flink', 'build', 'topology.ts', '--into', 'x.jar', ...args])).err;

  it('is one of those that the job is built for', async () => {
    expect(await build('--flink-version', '1.19')).toMatch(
      /^sluice: invalid --flink-version '1\.19': expected 1\.20 or 2\.2/,
    );
  });

  it('is not passed beside a jar, which was built for one', async () => {
    expect(await build('--flink-version', '2.2', '--jar', 'job.jar')).toMatch(
      /^sluice: invalid --flink-version '2\.2': expected none beside --jar/,
    );
  });
});
