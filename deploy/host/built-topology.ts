/**
 * Topologies that were checked and bundled before they run: `sluice topology build` writes one,
 * `sluice enrich` runs nothing else. So production compiles nothing, and what runs is what was
 * checked.
 *
 * Invariants:
 * 1. A built file says by its last line what it is of: the digest of what is above, and of each
 *    source.
 * 2. One that was altered, or whose sources are there and are others now, is refused.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { FileStamps } from './file-stamps.ts';
import type { CompiledTopology } from './topology-file.ts';
import { bundleTopologyFile, writeScript } from './topology-file.ts';

/** The last line of a built file, behind `mark`. */
interface Seal {
  readonly digest: string;
  /** By path from the folder of the built file. */
  readonly sources: Readonly<Record<string, string>>;
}

const suffix = '.built.mjs';
const mark = '// sluice-topology ';

/** Where the build of a topology's file is: beside it. One that is a build already is itself. */
export function builtFileOf(file: string): string {
  if (file.endsWith(suffix)) return file;
  return `${file.slice(0, file.length - extname(file).length)}${suffix}`;
}

/**
 * Bundles `file` and writes it beside it; whoever calls has checked it. Returns where. Throws
 * `SluiceError` `topology-compile`.
 */
export async function buildTopologyFile(file: string): Promise<string> {
  const stamps = new FileStamps();
  const bundle = await bundleTopologyFile(resolve(file), stamps);
  const target = builtFileOf(resolve(file));
  const sources: Record<string, string> = {};
  for (const path of stamps.loaded) {
    if (!path.includes('/node_modules/'))
      sources[relative(dirname(target), path)] = digestOf(readFileSync(path));
  }
  const seal: Seal = { digest: digestOf(bundle), sources };
  // Beside it and renamed: a running service sees all of it or none.
  writeFileSync(`${target}.new`, `${bundle}${mark}${JSON.stringify(seal)}\n`);
  renameSync(`${target}.new`, target);
  return target;
}

/**
 * The build of `file`, made ready to run from `outDir`. Throws `SluiceError` `topology-unbuilt`,
 * `topology-altered`.
 */
export function openBuiltTopology(file: string, outDir: string): CompiledTopology {
  return writeScript(file, readBuilt(file), outDir);
}

/** Throws one `SluiceError` for all of `files` that cannot run. */
export function requireBuilt(files: readonly string[]): void {
  const refused = files.flatMap((file) => {
    try {
      readBuilt(file);
      return [];
    } catch (thrown) {
      return [thrown as SluiceError];
    }
  });
  const [first] = refused;
  if (first === undefined) return;
  throw new SluiceError(first.code, refused.map(messageOf).join('\n'), {
    cause: first,
    ...(first.fix === undefined ? {} : { fix: first.fix }),
  });
}

function readBuilt(file: string): string {
  const built = builtFileOf(file);
  const fix = `run \`sluice topology build ${shown(file)}\`, and deploy the file that it writes`;
  let text: string;
  try {
    text = readFileSync(built, 'utf8');
  } catch (cause) {
    const why = systemCodeOf(cause) === 'ENOENT' ? `there is no ${shown(built)}` : messageOf(cause);
    throw new SluiceError('topology-unbuilt', `${shown(file)} is not built: ${why}`, {
      cause,
      fix,
    });
  }
  const at = text.lastIndexOf(mark);
  const bundle = text.slice(0, Math.max(0, at));
  const seal = at < 0 ? undefined : sealOf(text.slice(at + mark.length));
  if (seal?.digest !== digestOf(bundle)) {
    throw new SluiceError(
      'topology-altered',
      `${shown(built)} is not as \`sluice topology build\` wrote it`,
      { fix },
    );
  }
  for (const [path, digest] of Object.entries(seal.sources)) {
    const source = join(dirname(built), path);
    if (!existsSync(source) || digestOf(readFileSync(source)) === digest) continue;
    throw new SluiceError(
      'topology-altered',
      `${shown(source)} was changed after ${shown(built)} was built`,
      { fix },
    );
  }
  return bundle;
}

function sealOf(text: string): Seal | undefined {
  try {
    return JSON.parse(text) as Seal;
  } catch {
    return undefined;
  }
}

const digestOf = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');
const shown = (file: string): string => relative(process.cwd(), file);
