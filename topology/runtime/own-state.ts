/**
 * The state that a run begins with, in files of its own where those of the last checkpoint will not
 * do: it was in none, they are a savepoint's, or parts of it are of an earlier version.
 *
 * Invariants:
 * 1. All files are stored before the first manifest names them.
 * 2. Of a savepoint the files are copied, so that it stays as it is whatever becomes of the run.
 * 3. A table that is migrated gets a new number: what is in older files under its old one is
 *    nobody's, and leaves with merges.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Manifest, ManifestState } from '../checkpoint/manifest.ts';
import { noState } from '../checkpoint/manifest.ts';
import type { Migrations } from '../checkpoint/migrate-state.ts';
import type { CarriedState } from '../checkpoint/restore.ts';
import type { Savepoint } from '../checkpoint/savepoints.ts';
import { ChunkWriter } from '../checkpoint/sorted-runs/entry-chunks.ts';
import { claimedHash, fileName } from '../checkpoint/sorted-runs/file-format.ts';
import type { NumberedTable, SortedRun } from '../checkpoint/sorted-runs/sorted-run.ts';
import type { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import { inlineStateWriter } from '../checkpoint/sorted-runs/state-writer.ts';
import type { EntrySource, StoredState } from '../checkpoint/stored-state.ts';

/** Files of at most 8 MiB that are copied at one time. */
const copiesMax = 4;
/** Entries of one run that is written anew; several have the rest. */
const runDefaultMaxBytes = 64 * mebi;

export interface OwnStateOptions {
  readonly savepoint: Savepoint | undefined;
  readonly migrations: Migrations;
  /** Under a name of their own. */
  readonly files: StateFiles;
  /** Of one run that is written anew. Default: 64 MiB, which are in memory meanwhile. */
  readonly runMaxBytes?: number;
}

/** What stands in place of the state of the last checkpoint; nothing where that will do. */
export async function ownState(
  stored: StoredState | undefined,
  carried: CarriedState,
  { savepoint, migrations, files, runMaxBytes = runDefaultMaxBytes }: OwnStateOptions,
): Promise<Partial<Pick<Manifest, 'state'>>> {
  const { state, operators } = carried;
  if (stored === undefined) return {};
  const from: Rewritten = { entries: migrations.entries(stored.entries), files, runMaxBytes };
  if (stored.isWhole) return { state: await writeWhole(from, operators) };
  if (state === undefined || (savepoint === undefined && migrations.isEmpty)) return {};
  const own = savepoint === undefined ? state : await copyFiles(state, savepoint, files);
  if (migrations.isEmpty) return { state: own };
  return { state: await writeMigrated(own, migrations, from) };
}

/** What is written anew, and where to. */
interface Rewritten extends Pick<OwnStateOptions, 'files'> {
  readonly entries: EntrySource;
  readonly runMaxBytes: number;
}

async function copyFiles(
  state: ManifestState,
  savepoint: Savepoint,
  files: StateFiles,
): Promise<ManifestState> {
  const runs = state.runs.map((run): SortedRun => {
    const { id, prefix } = files.name();
    const nameOf = (name: string): string =>
      fileName(prefix, present(claimedHash(name), 'the hash of a file of a savepoint'));
    return { id, files: run.files.map((file) => ({ ...file, name: nameOf(file.name) })) };
  });
  const to = runs.flatMap((run) => run.files);
  const from = state.runs.flatMap((run) => run.files);
  await boundedEach([...from.entries()], copiesMax, async ([index, { name }]) => {
    const file = present(to[index], 'the copy of a file');
    await files.put({ file, bytes: await savepoint.files.get(name) });
  });
  return { ...state, runs };
}

/** What a manifest of before version 4 has whole. */
async function writeWhole(
  from: Rewritten,
  operators: CarriedState['operators'],
): Promise<ManifestState> {
  const tables: NumberedTable[] = [];
  const runs = await writeRuns(from, (node, name) => {
    if (operators[node] === undefined) return undefined;
    const known = tables.find((one) => one.node === node && one.name === name);
    if (known !== undefined) return known.number;
    tables.push({ number: tables.length + 1, node, name });
    return tables.length;
  });
  return { ...noState, tables, lastTable: tables.length, runs };
}

/** The entries of the nodes that are migrated, none of which is dead, beside all else. */
async function writeMigrated(
  state: ManifestState,
  migrations: Migrations,
  from: Rewritten,
): Promise<ManifestState> {
  let { lastTable } = state;
  const tables = state.tables.map((table): NumberedTable => {
    if (!migrations.has(table.node)) return table;
    lastTable++;
    return { ...table, number: lastTable };
  });
  const written = await writeRuns(from, (node, name) =>
    migrations.has(node)
      ? tables.find((one) => one.node === node && one.name === name)?.number
      : undefined,
  );
  return { ...state, tables, lastTable, runs: [...state.runs, ...written] };
}

/** `numberOf`: the table of an entry; undefined where it is not written. */
async function writeRuns(
  { entries, files, runMaxBytes }: Rewritten,
  numberOf: (node: string, name: string) => number | undefined,
): Promise<readonly SortedRun[]> {
  const [writer, all] = [inlineStateWriter(), [] as SortedRun[]];
  let chunks = new ChunkWriter();
  const finish = async (): Promise<void> => {
    writer.add(chunks.take());
    chunks = new ChunkWriter();
    const { id, prefix } = files.name();
    const written = await writer.write(prefix, (made) => files.put(made));
    if (written.length > 0) all.push({ id, files: written });
  };
  for await (const part of entries()) {
    for (const { node, name, group, key, time, value } of part) {
      const table = value === undefined ? undefined : numberOf(node, name);
      if (table !== undefined && value !== undefined) chunks.put(table, group, key, time, value);
    }
    if (chunks.bytes >= runMaxBytes) await finish();
  }
  await finish();
  return all;
}
