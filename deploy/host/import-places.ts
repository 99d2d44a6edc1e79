/**
 * Where what a topology imports could be, whether it is there or not, and the files around it that
 * say how it is compiled.
 */
import { readFile } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import type { FileStamps } from './file-stamps.ts';

const extensions = ['.tsx', '.ts', '.mts', '.cts', '.jsx', '.js', '.mjs', '.cjs', '.json'];
/** TypeScript's files by what they are imported as. */
const sourceOf: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

/** The files that an import of `path` from a file in `dir` could mean. */
export function candidatesOf(path: string, dir: string): readonly string[] {
  if (path === '' || dir === '') return [];
  const isFile = /^\.\.?(\/|$)/.test(path) || isAbsolute(path);
  if (!isFile) return packageFilesOf(path, dir);
  const base = resolve(dir, path);
  const extension = extname(base);
  if (extensions.includes(extension)) {
    const stem = base.slice(0, -extension.length);
    return [base, ...(sourceOf[extension] ?? []).map((other) => stem + other)];
  }
  const beside = extensions.map((other) => base + other);
  return [
    base,
    ...beside,
    join(base, 'package.json'),
    ...extensions.map((other) => join(base, `index${other}`)),
  ];
}

function packageFilesOf(path: string, dir: string): readonly string[] {
  if (path.includes(':')) return [];
  const [first = '', second = ''] = path.split('/');
  const name = first.startsWith('@') ? join(first, second) : first;
  return ancestorsOf(dir).map((ancestor) => join(ancestor, 'node_modules', name, 'package.json'));
}

/** `dir` and all above it. */
export function ancestorsOf(dir: string): readonly string[] {
  const found = [dir];
  for (let at = dir; dirname(at) !== at; at = dirname(at)) found.push(dirname(at));
  return found;
}

/**
 * Notes the topology's file and what decides how it is compiled: `package.json` and `tsconfig.json`
 * above it, with what that one extends.
 */
export async function noteSurroundings(file: string, stamps: FileStamps): Promise<void> {
  await stamps.note(file);
  for (const dir of ancestorsOf(dirname(resolve(file)))) {
    await stamps.note(join(dir, 'package.json'));
    await noteConfig(join(dir, 'tsconfig.json'), stamps);
  }
}

async function noteConfig(path: string, stamps: FileStamps): Promise<void> {
  if (stamps.paths.includes(path)) return;
  await stamps.note(path);
  const text = await readFile(path, 'utf8').catch(() => '');
  const [, extended = ''] = /"extends"\s*:\s*(\[[^\]]*\]|"[^"]*")/.exec(text) ?? [];
  for (const [, name = ''] of extended.matchAll(/"([^"]+)"/g)) {
    if (!name.startsWith('.') && !isAbsolute(name)) continue;
    const base = resolve(dirname(path), name);
    await noteConfig(base.endsWith('.json') ? base : `${base}.json`, stamps);
  }
}
