/**
 * The drill of a topology: its process is killed until it comes to its end, from the beginning again
 * as often as it takes, and what is visible then has to be what one that nobody killed gives.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';

/** Of one process, of its store and its sinks: some ten checkpoints. */
const mostOperations = 200;
/** From the beginning of the operation. */
const longestMs = 6;

const job = fileURLToPath(new URL('./flow-job.js', import.meta.url));

/** By sink, the rows that are visible, sorted. */
type Visible = Readonly<Record<string, readonly string[]>>;

interface FlowTotals {
  kills: number;
  /** Ends that a process came to. */
  ends: number;
  rows: number;
}

/** Kills so many processes in all. Throws where the rows of an end are not the right ones. */
export async function flowRuns(
  dir: string,
  mode: string,
  kills: number,
  random: Random,
): Promise<FlowTotals> {
  const right = await endOf(join(dir, 'right'), 'one');
  const rows = Object.values(right).reduce((all, of) => all + of.length, 0);
  const totals = { kills: 0, ends: 0, rows };
  for (let world = 0; totals.kills < kills || totals.ends === 0; world++) {
    const folder = join(dir, `world-${world}`);
    while (totals.kills < kills && (await isKilled(folder, mode, random))) {
      totals.kills++;
      await checkFiles(folder);
    }
    // Some come to their end before the operation.
    if (totals.ends > 10 * (kills + 1)) throw new Error('processes come to their end unkilled');
    const found = await endOf(folder, mode);
    for (const [sink, of] of Object.entries(right))
      if (!isDeepStrictEqual(found[sink], of)) throw new Error(differenceOf(sink, found[sink], of));
    totals.ends++;
  }
  return totals;
}

function differenceOf(
  sink: string,
  found: readonly string[] = [],
  right: readonly string[],
): string {
  const wrong = found.find((row) => !right.includes(row));
  const missing = right.find((row) => !found.includes(row));
  return `${sink} has ${found.length} rows, ${right.length} are right; one that is not: ${wrong}; one that is missing: ${missing}`;
}

/** False: it came to its end before. */
async function isKilled(folder: string, mode: string, random: Random): Promise<boolean> {
  const operation = 1 + Math.floor(random.next() * mostOperations);
  const afterMs = Math.floor(random.next() * longestMs);
  const child = fork(job, [folder, mode, String(operation), String(afterMs)]);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === 'SIGKILL') return true;
  if (code !== 0) throw new Error(`the process ended by itself with ${code}`);
  return false;
}

/** What every manifest names is there. */
async function checkFiles(folder: string): Promise<void> {
  const blobs = localBlobStore(folder);
  const there = new Set(await blobs.list('checkpoints/'));
  for (const { checkpoint, state } of await checkpointStore(blobs, 'drill').all())
    for (const name of filesOf(state?.runs ?? []))
      if (!there.has(name)) throw new Error(`${name} of ${checkpoint} is named and not there`);
}

async function endOf(folder: string, mode: string): Promise<Visible> {
  const [code] = (await once(fork(job, [folder, mode, '0', '0']), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`a process that nobody kills ended with ${code}`);
  const visible = join(folder, 'visible');
  if (!existsSync(visible)) return {};
  return Object.fromEntries(
    readdirSync(visible).map((sink) => [sink, rowsIn(join(visible, sink))] as const),
  );
}

function rowsIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((text) => text.replace(/"receivedtime":"[^"]*"/, ''))
    .sort();
}
