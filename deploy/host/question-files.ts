/**
 * The files that the process of a question may read: the program itself, what the system loads with
 * it, and what the question is about.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Question } from './question.ts';

const system = [
  ...[
    '/lib',
    '/lib64',
    '/usr/lib',
    '/usr/lib64',
    '/usr/local/lib',
    '/etc/ld.so.cache',
    '/nix/store',
  ],
  // Of processes only its own: the memory and the processors that it may use.
  ...[
    '/proc/self',
    '/proc/meminfo',
    '/proc/stat',
    '/proc/cpuinfo',
    '/proc/sys/vm',
    '/sys/devices/system/cpu',
    '/sys/fs/cgroup',
  ],
  ...['/dev/null', '/dev/urandom', '/etc/localtime', '/usr/share/zoneinfo'],
];
/** What the embedded graph keeps beside its file. */
const besideGraph = ['', '.wal', '.shadow', '.tmp'];
const compiled = fileURLToPath(new URL('../../', import.meta.url));

export function readableFiles(question: Question): readonly string[] {
  const about =
    question.kind === 'graph'
      ? besideGraph.map((ending) => `${question.file}${ending}`)
      : [question.lake];
  const program = [
    process.execPath,
    compiled,
    join(compiled, '..', 'package.json'),
    ...packageFolders(),
  ];
  const libraries = (process.env['LD_LIBRARY_PATH'] ?? '')
    .split(':')
    .filter((path) => path.startsWith('/'));
  return [...system, ...libraries, ...program, ...about].filter((path) => existsSync(path));
}

/** The `node_modules` that packages are found in. */
function packageFolders(): readonly string[] {
  const { resolve } = createRequire(import.meta.url);
  return (resolve.paths('x') ?? []).filter((folder) => folder.endsWith('node_modules'));
}
