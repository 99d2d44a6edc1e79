/**
 * `npm run drill:state -- [--kills N] [--seed N] [--mode MODE]`: a process is killed (-9) again and
 * again, in the middle of what it writes, merges and deletes.
 *
 * `--mode table`, the default: it does nothing but take checkpoints of a table. After each kill
 * every manifest has to name files that are there, and to read back as what the table had. Every
 * other mode is of a topology of all keyed kinds (flow-runs.ts): `one`, in one thread; `threads2`,
 * `threads3`, over threads; `disk1`, `disk2`, with all state at rest on disk, in one or in two
 * parts. Ends with 1 when something is not as it should be.
 *
 * What it does not show: what a machine without power leaves, and stores other than a folder.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { storedState } from '../../../topology/checkpoint/stored-state.ts';
import { textOf } from '../../../topology/state/entry-text.ts';
import { flowRuns } from './flow-runs.ts';
import type { Row } from './steps.ts';
import { noPlan, Played, stepOf, topology } from './steps.ts';

/** Of one process: some twenty checkpoints, of which the eighth is the first with a merge. */
const mostOperations = 200;
/** From the beginning of the operation. */
const longestMs = 12;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'table' },
  },
});
const random = seededRandom(Number(values.seed));
const dir = mkdtempSync(join(tmpdir(), 'drill-state-'));
const job = fileURLToPath(new URL('./job.js', import.meta.url));
const blobs = localBlobStore(dir);
/** As of the oldest manifest: there is never an older one. */
const oldest = new Played();
const totals = { kills: 0, manifests: 0, steps: 0, mostFiles: 0, withLeftOvers: 0 };

/** Starts the process, and lets it be killed at some operation of its store. */
async function kill(): Promise<void> {
  const operation = 1 + Math.floor(random.next() * mostOperations);
  const afterMs = Math.floor(random.next() * longestMs);
  const child = fork(job, [dir, String(operation), String(afterMs)]);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`the process ended by itself with ${code}`);
  totals.kills++;
}

/** Reads every manifest back. Throws what is wrong. */
async function check(): Promise<void> {
  const named = new Set<string>();
  const get = async (name: string): Promise<Uint8Array> => {
    const bytes = await blobs.get(name);
    if (bytes === undefined) throw new Error(`${name} is named and not there`);
    return bytes;
  };
  const manifests = await checkpointStore(blobs, topology).all();
  oldest.to(Math.min(...manifests.map(stepOf)));
  const played = new Played(oldest);
  for (const manifest of manifests) {
    const step = stepOf(manifest);
    played.to(step);
    const read = new Map<string, Row>();
    for await (const part of storedState(manifest, noPlan, { get }, random).entries())
      for (const { key, time, value = none } of part) read.set(textOf(key), [time, textOf(value)]);
    if (!isDeepStrictEqual(read, played.live))
      throw new Error(`checkpoint ${manifest.checkpoint} is not what the table had`);
    for (const name of filesOf(manifest.state?.runs ?? [])) named.add(name);
    totals.manifests++;
    totals.steps = Math.max(totals.steps, step);
  }
  const files = (await blobs.list('checkpoints/')).filter((name) => name.endsWith('.run'));
  totals.mostFiles = Math.max(totals.mostFiles, files.length);
  if (files.some((name) => !named.has(name))) totals.withLeftOvers++;
}

const none = new Uint8Array();

// Until the end is reached the run has failed: a promise that never settles must not look like
// success.
process.exitCode = 1;
try {
  if (values.mode === 'table') {
    while (totals.kills < Number(values.kills)) {
      await kill();
      await check();
    }
    console.log(JSON.stringify({ seed: values.seed, ...totals }));
  } else {
    const told = await flowRuns(dir, values.mode, Number(values.kills), random);
    console.log(JSON.stringify({ seed: values.seed, mode: values.mode, ...told }));
  }
  process.exitCode = 0;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
