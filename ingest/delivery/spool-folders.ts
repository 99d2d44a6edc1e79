/**
 * Where spools are: `<root>/<team>/<app>/<route>`, beside each the records that its stream refused
 * permanently: `<route>.refused`.
 *
 * Invariant: nothing here deletes. Spools of an earlier run are found under any configuration.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Route } from '../../schemas/ports/record.ts';
import { routes } from '../../schemas/ports/record.ts';
import { listSegments } from '../segment-log/segment.ts';

export interface SpoolFolder {
  /** `team/app` */
  readonly stream: string;
  readonly route: Route;
  /** `refused`: what the stream will never take. */
  readonly holds: 'waiting' | 'refused';
  readonly dir: string;
}

export function spoolFolder(
  root: string,
  stream: string,
  route: Route,
  holds: SpoolFolder['holds'],
): SpoolFolder {
  return {
    stream,
    route,
    holds,
    dir: join(root, stream, holds === 'waiting' ? route : `${route}.refused`),
  };
}

/** All that exist under `root`, in the order of their names; none when there is no such folder. */
export async function listSpoolFolders(root: string): Promise<readonly SpoolFolder[]> {
  const folders: SpoolFolder[] = [];
  for (const team of await foldersIn(root)) {
    for (const app of await foldersIn(join(root, team))) {
      const names = new Set(await foldersIn(join(root, team, app)));
      for (const route of routes) {
        for (const holds of ['waiting', 'refused'] as const) {
          const folder = spoolFolder(root, `${team}/${app}`, route, holds);
          if (names.has(folder.dir.slice(join(root, team, app).length + 1))) folders.push(folder);
        }
      }
    }
  }
  return folders;
}

/** Whether a spool was ever opened there. */
export async function isSpool({ dir }: SpoolFolder): Promise<boolean> {
  return (await namesIn(dir)).length > 0 && (await listSegments(dir)).length > 0;
}

async function foldersIn(dir: string): Promise<readonly string[]> {
  return (await namesIn(dir)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function namesIn(dir: string) {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}
