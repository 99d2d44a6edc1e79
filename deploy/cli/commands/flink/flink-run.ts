/**
 * `sluice flink run`: a topology on a Flink cluster inside one JVM, until its sources end or it is
 * stopped.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { FlinkLine } from '../../../flink/jar.ts';
import {
  flinkClassPath,
  flinkLines,
  jobJar,
  jvmOptions,
  lineByDefault,
  lineOfJar,
} from '../../../flink/jar.ts';
import { flinkCause } from '../../../flink/rest/flink-cause.ts';
import type { Context } from '../../command.ts';
import type { SourceOptions } from './flink-build.ts';
import { flinkParts, lineOf, readJar } from './flink-build.ts';

export interface RunOptions extends SourceOptions {
  /** Jars of Flink. */
  readonly flink: string | undefined;
}

/** Of the JVM: both the cluster and the job are in it. */
const heapMax = '1g';
/** Of Flink's log, what somebody has to do something about: not what a cluster of one JVM lacks. */
const quiet = [
  'defaultLogLevel=warn',
  'log.org.apache.flink.runtime.security.token=error',
  'log.org.apache.flink.runtime.webmonitor=error',
].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`);
/** The end of what the JVM says, where the cause of its failure is. */
const saidMaxChars = 65_536;

/**
 * Resolves with the exit code. Throws what `flinkParts`, `lineOf`, `flinkOf` and `jobJar` throw,
 * `flink-job-failed`, `flink-tools-missing`.
 */
export async function runFlinkCommand(
  { output, clock }: Pick<Context, 'output' | 'clock'>,
  options: RunOptions,
): Promise<number> {
  const line = lineOf(options);
  const of = flinkOf(options, line);
  const { bundle, settings, engine } = await flinkParts(options, clock);
  const flink =
    options.flink === undefined
      ? await flinkClassPath({ flink: of, engine })
      : join(options.flink, '*');
  const jar = options.jar ?? (await jobJar({ flink: line, engine }));
  const classPath = [jar, flink].join(delimiter);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-'));
  try {
    const files = { plan: bundle.planText, bundle: bundle.bundle, settings };
    const args = Object.entries(files).flatMap(([part, text]) => {
      const file = join(dir, part);
      writeFileSync(file, text);
      return [`--${part}`, file];
    });
    output.note(`topology ${bundle.plan.name} runs on Flink in this process; Ctrl-C ends it`);
    const jvm = [`-Xmx${heapMax}`, ...jvmOptions, ...quiet, '-cp', classPath];
    const { code, said } = await java([...jvm, 'sluice.flink.Main', ...args], output.note);
    if (code !== 0)
      throw new SluiceError(
        'flink-job-failed',
        `the job of '${bundle.plan.name}' failed: ${flinkCause(said)}`,
        { fix: 'correct the cause; what the job said is above' },
      );
    if (output.json) output.line(JSON.stringify({ topology: bundle.plan.name, ended: 'finished' }));
    else output.line(`topology ${bundle.plan.name}: finished`);
    return 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The Flink that the jar was built for; jars of another one are refused. Throws what `lineOfJar` and
 * `readJar` throw, `option-invalid`.
 */
function flinkOf({ jar, flink }: RunOptions, named: FlinkLine | undefined): FlinkLine {
  const built = jar === undefined ? (named ?? lineByDefault()) : lineOfJar(readJar(jar), jar);
  if (flink === undefined) return built;
  const found = versionIn(flink);
  if (found === undefined || majorOf(found) === majorOf(built)) return built;
  const other = flinkLines.find((one) => majorOf(one) === majorOf(found));
  const build = other === undefined ? '' : `, or build the jar with --flink-version ${other}`;
  throw new SluiceError(
    'option-invalid',
    `invalid --flink '${flink}': expected jars of Flink ${built}, which ${jar ?? 'the job'} is built for, got Flink ${found}`,
    { fix: `leave out --flink, and Flink ${built} is fetched${build}` },
  );
}

/** As the jars of a distribution, or of Maven, are named; undefined where none of them is there. */
function versionIn(folder: string): string | undefined {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const versions = names.map((name) => /^flink-(?:dist|runtime)-(\d[\w.]*)\.jar$/.exec(name)?.[1]);
  return versions.find((version) => version !== undefined);
}

const majorOf = (version: string): string | undefined => version.split('.')[0];

/** How a JVM ended, and the end of what it said. */
interface Ended {
  readonly code: number;
  readonly said: string;
}

/** What it says goes beside the result. Ends with this process's signals. */
function java(args: readonly string[], note: (text: string) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        note(line);
        said = `${said}${line}\n`.slice(-saidMaxChars);
      });
    let isAsked = false;
    const end = (): void => {
      isAsked = true;
      child.kill('SIGTERM');
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    child.once('error', (cause) =>
      reject(
        new SluiceError('flink-tools-missing', `java cannot be started: ${cause.message}`, {
          cause,
          fix: 'install Java 11 or 17',
        }),
      ),
    );
    child.once('close', (code) => {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve({ code: isAsked ? 0 : (code ?? 1), said });
    });
  });
}
