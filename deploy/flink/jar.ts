/**
 * The generic Flink job as a jar: built by Maven of the sources beside this file, once for each
 * version of them and each line of Flink, and kept in the user's cache folder.
 *
 * Invariants:
 * 1. What is given back was built of the sources that are there now: the folder is named by their
 *    digest.
 * 2. A build appears whole or not at all: it is made aside and renamed. One is made at a time.
 * 3. Of older builds for the same line of Flink one is kept.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { filesBelow } from '../../schemas/kernel/files-below.ts';
import { cacheFolder, keepNewest, withLock } from './cache-folder.ts';
import { entryIn } from './jar-entries.ts';

const run = promisify(execFile);

/** Beside this file, as sources and in a package; in dist they are one folder further up. */
const places = ['./job/', '../../../deploy/flink/job/'];

/** How long Maven may take, with all downloads, in ms. */
const buildMaxMs = 600_000;
/** What Maven may print. */
const outputMaxBytes = 1 << 26;

/** Lines of Flink that the job is built for, with what Maven is told (job/pom.xml). */
const profiles = { '1.20': [], '2.2': ['flink2'] } as const;
export type FlinkLine = keyof typeof profiles;
export const flinkLines = Object.keys(profiles) as readonly FlinkLine[];

/**
 * What a JVM from 16 on must be told for Flink: its own scripts set the same
 * (conf/config.yaml, env.java.opts.all).
 */
export const jvmOptions: readonly string[] = [
  'java.base/java.lang',
  'java.base/java.lang.invoke',
  'java.base/java.net',
  'java.base/java.nio',
  'java.base/java.text',
  'java.base/java.time',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
  'java.base/sun.net.util',
].map((one) => `--add-opens=${one}=ALL-UNNAMED`);

export interface BuiltJob {
  /** The uber-jar. */
  readonly jar: string;
  /** Flink itself, for a JVM that is not a cluster's. */
  readonly flinkClassPath: string;
  /** The job, Flink and its test harnesses; empty unless asked for. */
  readonly harnessClassPath: string;
}

/** What functions run on. V8 is a library for Linux on x86_64, which makes the jar 43 MB larger. */
export const scriptEngines = ['graaljs', 'v8'] as const;
export type ScriptEngine = (typeof scriptEngines)[number];

export interface BuildJobOptions {
  /** With the classes that run conformance cases. */
  readonly harness?: boolean;
  /** Default: GraalJS, which is in every jar. */
  readonly engine?: ScriptEngine | undefined;
  /** Default: that of the variable `SLUICE_FLINK_VERSION`, or else 1.20. */
  readonly flink?: FlinkLine | undefined;
}

/** `text`: such as of an option `named`. Throws `SluiceError` `option-invalid`. */
export function flinkLineOf(text: string, named: string): FlinkLine {
  const line = flinkLines.find((one) => one === text);
  if (line !== undefined) return line;
  throw new SluiceError(
    'option-invalid',
    `invalid ${named} '${text}': expected ${flinkLines.join(' or ')}`,
  );
}

/**
 * The uber-jar. Throws `SluiceError` `flink-tools-missing`, `flink-build`, `option-invalid`.
 */
export async function jobJar(options: Omit<BuildJobOptions, 'harness'> = {}): Promise<string> {
  return (await builtJob(options)).jar;
}

/**
 * The class path of Flink itself, for a job on this machine. Throws as `jobJar`.
 */
export async function flinkClassPath(
  options: Omit<BuildJobOptions, 'harness'> = {},
): Promise<string> {
  return (await builtJob(options)).flinkClassPath;
}

/** Throws as `jobJar`. */
export async function builtJob({
  harness = false,
  flink = lineByDefault(),
  engine = 'graaljs',
}: BuildJobOptions = {}): Promise<BuiltJob> {
  const sources = jobSources();
  const folder = cacheFolder();
  const isV8 = engine === 'v8';
  const kind = `flink-${flink}-${isV8 ? 'v8-' : ''}${harness ? 'harness' : 'job'}-`;
  const dir = join(folder, `${kind}${digestOf(sources)}`);
  if (!existsSync(dir))
    await withLock(join(folder, 'flink-build'), async () => {
      if (existsSync(dir)) return;
      const more = [...(isV8 ? ['v8'] : []), ...(harness ? ['harness'] : [])];
      await build(sources, dir, [...profiles[flink], ...more]);
      keepNewest(folder, kind);
    });
  const libs = join(dir, 'test-libs', '*');
  return {
    jar: join(dir, 'sluice-flink.jar'),
    flinkClassPath: join(dir, 'flink-libs', '*'),
    harnessClassPath: harness
      ? [join(dir, 'test-classes'), join(dir, 'classes'), libs].join(':')
      : '',
  };
}

/** For which line a jar of the job, from `file`, was built. Throws `SluiceError` `flink-jar-invalid`. */
export function lineOfJar(jar: Uint8Array, file: string): FlinkLine {
  const version = entryIn(jar, 'sluice/flink-version')?.trim();
  const line = flinkLines.find((one) => version === one || version?.startsWith(`${one}.`));
  if (line !== undefined) return line;
  const found = version === undefined ? 'one that does not say so' : `one for Flink ${version}`;
  throw new SluiceError(
    'flink-jar-invalid',
    `the jar ${file}: expected a job of Sluice for Flink ${flinkLines.join(' or ')}, got ${found}`,
    { fix: 'build it again with `sluice flink build TOPOLOGY --into JAR`' },
  );
}

/** Throws `SluiceError` `option-invalid`. */
export const lineByDefault = (named = process.env['SLUICE_FLINK_VERSION'] ?? ''): FlinkLine =>
  named === '' ? '1.20' : flinkLineOf(named, 'SLUICE_FLINK_VERSION');

function jobSources(): string {
  const found = places
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((place) => existsSync(join(place, 'pom.xml')));
  if (found === undefined)
    throw new SluiceError('flink-build', 'the sources of the Flink job are not in this package', {
      fix: 'install sluice again',
    });
  return found;
}

function digestOf(sources: string): string {
  const digest = createHash('sha256').update(readFileSync(join(sources, 'pom.xml')));
  for (const path of filesBelow(join(sources, 'src')).toSorted())
    digest.update(path.slice(sources.length)).update(readFileSync(path));
  return digest.digest('hex').slice(0, 12);
}

/** `named`: profiles of Maven; without `harness` the tests are left out. */
async function build(sources: string, dir: string, named: readonly string[]): Promise<void> {
  await requireTools();
  const made = mkdtempSync(`${dir}-`);
  const chosen = named.length > 0 ? ['-P', named.join(',')] : [];
  const tests = named.includes('harness') ? [] : ['-Dmaven.test.skip=true'];
  const pom = join(sources, 'pom.xml');
  try {
    await run('mvn', ['-q', '-B', '-f', pom, `-Dout=${made}`, ...chosen, ...tests, 'package'], {
      maxBuffer: outputMaxBytes,
      timeout: buildMaxMs,
    });
    if (!existsSync(dir)) renameSync(made, dir);
  } catch (cause) {
    const { stdout = '' } = cause as { readonly stdout?: string };
    const said = stdout.split('\n').find((line) => line.startsWith('[ERROR]'));
    throw new SluiceError(
      'flink-build',
      `the Flink job cannot be built: ${said ?? messageOf(cause)}`,
      {
        cause,
        fix: `run mvn -f ${pom} ${[...chosen, 'package'].join(' ')}, and look at what it says`,
      },
    );
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

async function requireTools(): Promise<void> {
  for (const tool of ['javac', 'mvn'])
    await run(tool, ['-version']).catch((cause: unknown) => {
      throw new SluiceError(
        'flink-tools-missing',
        `'${tool}' is not there, and the Flink job is built with it`,
        {
          cause,
          fix: 'install a JDK from 11 on and Maven, as in apt-get install openjdk-17-jdk-headless maven',
        },
      );
    });
}
