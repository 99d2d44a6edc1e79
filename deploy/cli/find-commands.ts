/**
 * Finds the commands: each folder of commands/ with a module `command` has one, or a group of them.
 * Nothing else lists them.
 */
import { readdirSync } from 'node:fs';
import type { Command, CommandGroup } from './command.ts';

export type Entry = Command | CommandGroup;

const folder = new URL('./commands/', import.meta.url);

/** In the order in which help lists them. */
export async function findEntries(): Promise<readonly Entry[]> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const entries = await Promise.all(
    paths.filter((path) => /^[^/\\]+[/\\]command\.[jt]s$/.test(path)).map(entryOf),
  );
  return entries.sort(byOrder);
}

async function entryOf(path: string): Promise<Entry> {
  const module = (await import(new URL(path, folder).href)) as { readonly default: Entry };
  return module.default;
}

function byOrder(a: Entry, b: Entry): number {
  const last = Number.MAX_SAFE_INTEGER;
  return (a.order ?? last) - (b.order ?? last) || (a.name < b.name ? -1 : 1);
}

/** All of them, those of groups too. */
export async function findCommands(): Promise<readonly Command[]> {
  const entries = await findEntries();
  return entries.flatMap((entry) => {
    if (!('commands' in entry)) return [entry];
    return entry.own === undefined ? entry.commands : [entry.own, ...entry.commands];
  });
}
