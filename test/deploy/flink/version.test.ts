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
import { builtJob, jvmOptions, lineByDefault, lineOfJar } from '../../../deploy/flink/jar.ts';
import { withEntries } from '../../../deploy/flink/jar-entries.ts';
import { event } from '../../../topology/testing.ts';
import { parseCases } from '../../conformance/case.ts';
import { CaseServer } from '../../conformance/flink/case-server.ts';
import { flinkOpener } from '../../conformance/flink/flink-driver.ts';
import { judge } from '../../conformance/runner.ts';
import { flinkVariations, variationsOf } from '../../conformance/variations.ts';
import { root, temporaryFolder } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import { flinkCommand } from './flink-command.ts';
import { isFull } from './full.ts';
import { plansFile } from './topologies.ts';

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
    server = await CaseServer.start({ flink: '2.2' });
  }, buildMaxMs);
  afterAll(() => server.stop());

  it('says in its jar for which version it was built', async () => {
    const { jar, harnessClassPath } = await builtJob({ harness: true, flink: '2.2' });
    const [, classes = ''] = harnessClassPath.split(':');
    expect(readFileSync(join(classes, 'sluice/flink-version'), 'utf8')).toMatch(/^2\.2\.\d+$/);
    expect(lineOfJar(readFileSync(jar), jar)).toBe('2.2');
  });

  it.skipIf(!isFull)(
    'runs on that version, which nobody named',
    async () => {
      const folder = temporaryFolder('flink-jar');
      const path = (name: string): string => join(folder, name);
      const { jar } = await builtJob({ harness: true, flink: '2.2' });
      const click = event({ user: 'user-1', price: 3, at: 1_700_000_000_000 }, { id: 'e1' });
      writeFileSync(path('clicks.ndjson'), `${JSON.stringify(click)}\n`);
      writeFileSync(path(plansFile), '[]');
      const lines = (name: string) => ({ connector: 'lines', path: path(name) }) as const;
      const settings = {
        sources: { clicks: lines('clicks.ndjson') },
        sinks: Object.fromEntries(['twice', 'sums', 'thirds'].map((name) => [name, lines(name)])),
        ...{ rejected: lines('rejected'), tables: { plans: path(plansFile) } },
      };
      writeFileSync(path('settings.json'), JSON.stringify(settings));
      const file = join(root, 'test/deploy/flink/topologies.ts');
      const args = ['--settings', path('settings.json'), '--jar', jar];
      const ran = await flinkCommand(['flink', 'run', file, ...args]);
      expect([ran.code, ran.out]).toEqual([0, 'topology shop: finished\n']);
      const rows = readFileSync(path('twice/rows.ndjson'), 'utf8').trim().split('\n');
      expect(rows).toHaveLength(2);
    },
    buildMaxMs,
  );

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
      expect(refused).toContain(
        `: run it on Flink ${built.slice(0, -2)}, or build one for here: sluice flink build TOPOLOGY --flink-version ${here} --into JAR`,
      );
      // Of the same major version it goes on, to the arguments that it was not given.
      expect(await start(here)).not.toContain('this jar was built for');
    },
    runMaxMs,
  );
});

describe('flink run --jar', () => {
  /** A file of the zip format without an entry: the record at its end alone. */
  const nothing = Buffer.alloc(22);
  nothing.writeUInt32LE(0x06054b50, 0);
  /** `flink`: what the folder of Flink's jars has in it. */
  const refused = async (jar: Uint8Array, flink?: string): Promise<string> => {
    const folder = temporaryFolder('flink-run-jar');
    const [file, lib] = [join(folder, 'job.jar'), join(folder, 'lib')];
    writeFileSync(file, jar);
    const args = ['flink', 'run', 'x.ts', '--jar', file];
    if (flink !== undefined) {
      mkdirSync(lib);
      writeFileSync(join(lib, flink), '');
      args.push('--flink', lib);
    }
    const { code, err } = await flinkCommand(args);
    expect(code).not.toBe(0);
    return err.replaceAll(folder, '.');
  };
  const builtFor = (version: string): Uint8Array =>
    withEntries(nothing, { 'sluice/flink-version': `${version}\n` });

  it('wants a jar of the job, for a version that there is', async () => {
    const expected = 'the jar ./job.jar: expected a job of Sluice for Flink 1.20 or 2.2, got one';
    expect(await refused(nothing)).toContain(`${expected} that does not say so`);
    expect(await refused(builtFor('1.19.3'))).toContain(`${expected} for Flink 1.19.3`);
    expect(await refused(Buffer.alloc(100))).toContain('the jar cannot be used: it is not a jar');
  });

  it('wants the version of Flink that the jar was built for', async () => {
    const said = await refused(builtFor('2.2.1'), 'flink-dist-1.20.5.jar');
    expect(said).toContain(
      "invalid --flink './lib': expected jars of Flink 2.2, which ./job.jar is built for, got Flink 1.20.5",
    );
    expect(said).toContain(
      'leave out --flink, and Flink 2.2 is fetched, or build the jar with --flink-version 1.20',
    );
  });
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
