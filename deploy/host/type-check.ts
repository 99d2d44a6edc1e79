/**
 * Checks the types of a topology and of all that it imports, with the TypeScript that Sluice comes
 * with, in a process beside whatever runs. Only `sluice start` and `sluice topology` do: what
 * `sluice enrich` runs was checked when it was built, and needs no TypeScript.
 *
 * Invariants:
 * 1. It says what `tsc` in the topology's own project would say: the nearest `tsconfig.json` is in
 *    force. Without one, or with one that this TypeScript cannot use, the types are strict.
 * 2. It is bounded in time and output, and leaves no process behind.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { compiledFolder } from '../compiled-folder.ts';
import type { Place } from './author-places.ts';
import type { FileStamps } from './file-stamps.ts';
import { stampOf } from './file-stamps.ts';
import { ancestorsOf } from './import-places.ts';
import type { Finding } from './worker-protocol.ts';

/** The type check of a topology: its time, and what is kept of what it says. */
const topologyTypesMaxMs = 30_000;
const topologyTypesMaxBytes = mebi;

export interface TypeCheckOptions {
  readonly file: string;
  /** Where it keeps what makes the next check fast. */
  readonly outDir: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The files that were looked at are noted here. */
  readonly stamps: FileStamps;
}

export type TypeCheck = CheckedTypes | { readonly kind: 'unchecked'; readonly why: string };

export interface CheckedTypes {
  readonly kind: 'checked';
  /** None: the types are right, or the file has none. */
  readonly findings: readonly Finding[];
  /** Why strict types were checked, and not what the project asks for. */
  readonly note: string | undefined;
}

const require = createRequire(import.meta.url);
const fix = 'correct the types: `npx tsc` says the same';

/** Throws `SluiceError` `types-timeout`, `types-failed`, `trial-aborted`. */
export async function checkTypes(options: TypeCheckOptions): Promise<TypeCheck> {
  if (!/^\.[mc]?tsx?$/.test(extname(options.file)))
    return { kind: 'checked', findings: [], note: undefined };
  const tsc = compiler();
  if (tsc === undefined)
    return {
      kind: 'unchecked',
      why: 'not checked, TypeScript is not installed: run npm install without --omit',
    };
  const project = projectOf(options.file);
  const found = await compile(tsc, options, project);
  const [unusable] = found.filter(isOfProject);
  if (unusable === undefined) return { kind: 'checked', findings: found, note: undefined };
  // Of a project with options that it does not know, or types that are not installed, the compiler
  // checks nothing.
  const strict = await compile(tsc, options, undefined);
  const note = `strict types are checked, as ${relative(process.cwd(), project ?? options.file)} cannot be used: ${unusable.message}`;
  return { kind: 'checked', findings: strict.filter((finding) => !isOfProject(finding)), note };
}

async function compile(
  tsc: string,
  options: TypeCheckOptions,
  project: string | undefined,
): Promise<readonly Finding[]> {
  const begunMs = options.clock.now();
  const output = await run(
    tsc,
    ['-p', writeConfig(options, project), '--pretty', 'false', '--listFiles'],
    options,
  );
  const { findings, files } = parseOutput(output.text);
  for (const file of files) options.stamps.noted(file, await stampBefore(file, begunMs));
  if (output.code !== 0 && findings.length === 0) {
    const said = output.text.trim().split('\n').slice(-5).join('\n');
    throw new SluiceError(
      'types-failed',
      `the types could not be checked (exit code ${output.code}): ${said}`,
    );
  }
  return findings;
}

/**
 * Whether it is about the options of the project, and not about what somebody wrote in TypeScript.
 */
function isOfProject({ place, message }: Finding): boolean {
  return place === null || /^TS[56]\d{3}:/.test(message);
}

/** The nearest `tsconfig.json`. */
function projectOf(file: string): string | undefined {
  return ancestorsOf(dirname(resolve(file)))
    .map((folder) => join(folder, 'tsconfig.json'))
    .find((path) => existsSync(path));
}

function compiler(): string | undefined {
  try {
    return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    return undefined;
  }
}

/**
 * A file that was written while types were checked may have been read before: it counts as changed.
 */
async function stampBefore(file: string, begunMs: number): Promise<string> {
  const stamp = await stampOf(file);
  const written = await stat(file).catch(() => undefined);
  return written !== undefined && written.ctimeMs >= begunMs
    ? `${stamp} while it was checked`
    : stamp;
}

/** The topology and what it imports, under the options of `project`. */
function writeConfig({ file, outDir }: TypeCheckOptions, project: string | undefined): string {
  const entry = resolve(file);
  const folders = ancestorsOf(dirname(entry));
  const typeRoots = folders
    .map((folder) => join(folder, 'node_modules', '@types'))
    .filter((path) => existsSync(path));
  const name = createHash('sha256').update(entry).digest('hex').slice(0, 16);
  const options = {
    ...(project === undefined ? ownOptions : {}),
    ...(project !== undefined && readFileSync(project, 'utf8').includes('"typeRoots"')
      ? {}
      : { typeRoots }),
    ...(resolvesSluice(entry) ? {} : { paths: ownPaths }),
    noEmit: true,
    skipLibCheck: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    emitDeclarationOnly: false,
    incremental: true,
    tsBuildInfoFile: join(resolve(outDir), `types-${name}.tsbuildinfo`),
  };
  mkdirSync(outDir, { recursive: true });
  const config = join(resolve(outDir), `types-${name}.json`);
  const extended = project === undefined ? {} : { extends: project };
  writeFileSync(
    config,
    JSON.stringify({ ...extended, files: [entry], include: [], compilerOptions: options }),
  );
  return config;
}

/** As topologies are loaded: as modules, by a bundler. */
const ownOptions = {
  target: 'ES2022',
  lib: ['ES2023', 'DOM'],
  module: 'ESNext',
  moduleResolution: 'bundler',
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  types: [],
  strict: true,
};

const ownPaths = {
  sluice: [join(compiledFolder, 'topology', 'index.d.ts')],
  'sluice/enrich': [join(compiledFolder, 'enrich', 'index.d.ts')],
  'sluice/testing': [join(compiledFolder, 'topology', 'testing.d.ts')],
};

function resolvesSluice(entry: string): boolean {
  try {
    createRequire(entry).resolve('sluice');
    return true;
  } catch {
    return false;
  }
}

function run(
  tsc: string,
  args: readonly string[],
  { clock, signal }: TypeCheckOptions,
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolveRun, reject) => {
    // A group of its own: the command starts the compiler as a process below itself.
    const child = spawn(process.execPath, [tsc, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    const end = (fault: SluiceError): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      reject(fault);
    };
    const seconds = topologyTypesMaxMs / 1_000;
    const late = new SluiceError(
      'types-timeout',
      `the types were not checked within ${seconds} s`,
      {
        fix: 'simplify the slow types: `npx tsc --extendedDiagnostics` shows the time; save to try again',
      },
    );
    const timer = clock.setTimer(topologyTypesMaxMs, () => end(late));
    const abort = (): void =>
      end(new SluiceError('trial-aborted', 'the type check was ended: Sluice is shutting down'));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        if (text.length < topologyTypesMaxBytes) text += chunk.toString();
      });
    }
    const settled = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    };
    child.once('error', (cause) => {
      settled();
      reject(
        new SluiceError('types-failed', `the types could not be checked: ${cause.message}`, {
          cause,
        }),
      );
    });
    child.once('close', (code) => {
      settled();
      resolveRun({ code, text });
    });
  });
}

/**
 * https://www.typescriptlang.org/docs/handbook/compiler-options.html: without `pretty`, a finding
 * is a line, and what is indented continues.
 */
function parseOutput(text: string): {
  readonly findings: readonly Finding[];
  readonly files: readonly string[];
} {
  const findings: Finding[] = [];
  const find = (place: Place | null, message: string): void =>
    void findings.push({ kind: 'types', node: null, place, message, fix });
  const files: string[] = [];
  for (const line of text.split('\n')) {
    const [, file, row, column, placed] =
      /^(.+?)\((\d+),(\d+)\): error (TS\d+: .*)$/.exec(line) ?? [];
    const [, general] = /^error (TS\d+: .*)$/.exec(line) ?? [];
    const last = findings.at(-1);
    if (file !== undefined && placed !== undefined)
      find({ file, line: Number(row), column: Number(column) }, placed);
    else if (general !== undefined) find(null, general);
    else if (line.startsWith(' ') && last !== undefined)
      findings[findings.length - 1] = { ...last, message: `${last.message}\n${line}` };
    // Of packages nothing changes while a topology is written.
    else if (
      line.startsWith('/') &&
      !line.includes('/node_modules/') &&
      !line.startsWith(compiledFolder)
    )
      files.push(line);
  }
  return { findings, files };
}
