/**
 * A job that reads all events of the drill's topology, checkpoint after checkpoint, and drains: in
 * a process of its own, to be killed.
 *
 *   node flow-job.js DIR MODE OPERATION MS
 *
 * At that operation of its store or of a sink, and so long after it began, it kills itself; one that
 * comes to its end before ends with 0. MODE says where its keyed nodes run and its state is.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadedWorkers } from '../../../deploy/host/keyed-ports.ts';
import { KeyedThreads } from '../../../deploy/host/keyed-threads.ts';
import { openStateFolder } from '../../../deploy/host/state-folder.ts';
import { jobStateThread } from '../../../deploy/host/state-thread.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { runName } from '../../../schemas/run-id.ts';
import type { JobOptions, Sink } from '../../../topology/index.ts';
import { createJob } from '../../../topology/index.ts';
import { inlineWorkers } from '../../../topology/runtime/parallel/inline-workers.ts';
import { event, memoryStream, put, world } from '../../topology/support.ts';
import { deadly } from './deadly.ts';
import flow, { eventOf, events } from './flow.ts';

const [, , dir = '', mode = 'one', operation, afterMs] = process.argv;
const kills = deadly(Number(operation), Number(afterMs));
/** With so few live bytes everything rests as soon as it may. */
const nothingLive = { liveStateMaxBytes: 0 };

/** Where keyed nodes run, and where their state rests. */
async function runningOf(): Promise<Partial<JobOptions>> {
  const what = mode.replace(/\d/g, '');
  const parallelism = Number(mode.replace(/\D/g, '') || 1);
  if (what === 'threads') {
    const script = fileURLToPath(new URL('./flow.js', import.meta.url));
    const stateFolder = join(dir, 'state');
    const input = { script, file: script, stateFolder, parallelism, functionMaxMs: 60_000 };
    const threads = new KeyedThreads(input, flow.plan, systemClock, (fault) => {
      throw fault;
    });
    return { keyedWorkers: () => threadedWorkers(threads.ports) };
  }
  if (what !== 'disk') return {};
  const room = { ...(await openStateFolder(join(dir, 'state'))), ...nothingLive };
  if (parallelism === 1) return room;
  const inside = { clock: systemClock, random: systemRandom, room };
  return { keyedWorkers: (of) => inlineWorkers(of, parallelism, inside) };
}

/** Commits of all sinks. */
let commits = 0;

/** Staged files of rows, which become visible by their names. */
function fileSink(id: string, run: string): Sink {
  const [staged, visible] = [join(dir, 'staged', id), join(dir, 'visible', id)];
  for (const folder of [staged, visible]) mkdirSync(folder, { recursive: true });
  let pending: string[] = [];
  const publish = (name: string): void => {
    if (existsSync(join(staged, name))) renameSync(join(staged, name), join(visible, name));
  };
  return {
    open: (restored) =>
      kills.at(async () => {
        if (restored !== undefined) publish((restored as { readonly name: string }).name);
        for (const name of readdirSync(staged)) rmSync(join(staged, name));
      }),
    write(batch) {
      pending.push(...batch.values.map((value) => JSON.stringify(value)));
      return Promise.resolve([]);
    },
    prepare: (checkpoint) =>
      kills.at(async () => {
        const name = `${run}-${checkpoint}`;
        if (pending.length > 0) writeFileSync(join(staged, name), `${pending.join('\n')}\n`);
        pending = [];
        return { name };
      }),
    commit: (checkpoint) =>
      kills.at(async () => {
        publish(`${run}-${checkpoint}`);
        commits++;
      }),
    pendingRows: () => pending.length,
    close: () => Promise.resolve(),
  };
}

const input = memoryStream(['kinesis', 'shard-0']);
for (let n = 0; n < events; n++) put(input, 0, event(`e${n}`, eventOf(n)));
const { connectors } = world({ 'a/b': input });
/** A read waits for a checkpoint that is complete, so that there is one after each; so long at most. */
const readMaxMs = 2_000;
let isFirst = true;
const readers: JobOptions['connectors']['readers'] = async (...stream) =>
  (await connectors.readers(...stream)).map((reader) => ({
    ...reader,
    async read(...of) {
      const [before, begunMs] = [commits, systemClock.monotonic()];
      const waitMaxMs = isFirst ? 0 : readMaxMs;
      isFirst = false;
      while (commits === before && systemClock.monotonic() - begunMs < waitMaxMs)
        await new Promise<void>((resolve) => systemClock.setTimer(1, resolve));
      return reader.read(...of);
    },
  }));
const job = createJob({
  topology: flow,
  blobs: kills.blobs(localBlobStore(dir)),
  connectors: {
    ...connectors,
    readers,
    sink: ({ id }, _plan, run) => fileSink(id, runName(run)),
    rejected: (_plan, run) => fileSink('rejected', runName(run)),
  },
  clock: systemClock,
  random: systemRandom,
  checkpointIntervalMs: 0,
  turnBounds: { maxRecords: 100, maxBytes: 1e7 },
  stateWriter: jobStateThread().stateWriter,
  ...(await runningOf()),
});
await job.open();
const running = job.run();
await job.drain();
await running;
process.exit(0);
