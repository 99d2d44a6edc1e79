/**
 * One load of `npm run bench:state`, each phase in a process of its own as in production. `run` fills
 * the state as fast as it goes, with the event times of the declared rate; takes that rate for a
 * while, with checkpoints; and stops. `restore` opens what it left. Each prints one JSON object.
 *
 * The memory is the process' largest resident set: topology, state, reader and checkpoints.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openStateFolder } from '../../deploy/host/state-folder.ts';
import { jobStateThread } from '../../deploy/host/state-thread.ts';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { sleep, systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import type { Job, JobConnectors } from '../../topology/index.ts';
import { createJob } from '../../topology/index.ts';
import type { Sink } from '../../topology/nodes/sink.ts';
import { countingSink } from './memory-run.ts';
import type { Load, LoadName } from './state-loads.ts';
import { loadOf } from './state-loads.ts';

/** Where state rests. */
export type Backend = 'memory' | 'disk';

export interface PhaseOptions {
  readonly load: LoadName;
  readonly backend: Backend;
  readonly scale: number;
  readonly seconds: number;
  readonly checkpointMs: number;
  /** Of checkpoints, and of state at rest. */
  readonly dir: string;
}

export interface RestoreMeasure {
  readonly restoreSeconds: number;
  readonly restoredEntries: number;
  readonly restoreMemoryMaxBytes: number;
}

export interface RunMeasure {
  readonly load: LoadName;
  readonly backend: Backend;
  readonly entries: number;
  readonly fillSeconds: number;
  readonly seconds: number;
  readonly events: number;
  readonly declaredRate: number;
  readonly checkpoints: number;
  /** Over all checkpoints of the measurement. */
  readonly stallMaxMs: number;
  /** The longest that the event loop was late, whatever kept it. */
  readonly loopMaxMs: number;
  readonly loopP99Ms: number;
  readonly writtenBytesPerCheckpoint: number;
  readonly fileBytes: number;
  readonly runs: number;
  readonly memoryMaxBytes: number;
  /** What state at rest took when the measurement ended, where it rests. */
  readonly restingBytes: number;
}

const poolBytes = 1_024 * 1_024;

/** Event times begin here. */
const beginsMs = Date.UTC(2026, 0, 1);

/** How many events of each stream may be read by now. */
interface Given {
  readonly now: () => number;
}

function readerOf(name: string, load: Load, given: Given): RecordReader {
  const [team = '', app = ''] = name.split('/');
  // Text that no two events share, so that files are no smaller than those of real events.
  const pool = randomBytes(poolBytes).toString('base64');
  const textOf = (n: number): string => {
    const at = (n * 977) % poolBytes;
    return pool.slice(at, at + (n < load.filled ? load.filledBytes : load.dataBytes));
  };
  const recordOf = (n: number): IncomingRecord => {
    const attributes: EventAttributes = {
      id: `${app}-${n}`,
      source: `/${name}`,
      type: 'bench.state',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      team,
      app,
      partitionkey: String(n),
      receivedtime: '2026-01-01T00:00:00.000Z',
    };
    const at = beginsMs + Math.floor((n * 1_000) / load.rate);
    const data = JSON.stringify({ at, key: load.key(n), n, text: textOf(n) });
    const value = Buffer.concat(encodeStructured(attributes, Buffer.from(data)));
    return { key: String(n), value, position: String(n + 1), arrivedAtMs: 0 };
  };
  return {
    route: 'kinesis',
    splits: () => Promise.resolve([{ id: 'shard-0', parents: [] }]),
    read: (_split, after, { maxRecords, maxBytes }) => {
      const records: IncomingRecord[] = [];
      let bytes = 0;
      for (
        let n = Number(after ?? 0);
        n < given.now() && records.length < maxRecords && bytes < maxBytes;
        n++
      ) {
        const record = recordOf(n);
        bytes += record.value.length;
        records.push(record);
      }
      return Promise.resolve({ records, ended: false });
    },
    latest: () => Promise.resolve(given.now() === 0 ? undefined : String(given.now())),
    lag: (_split, after) => Promise.resolve(given.now() - Number(after ?? 0)),
    oldest: () => Promise.resolve({ position: '1', counts: true }),
    positionAt: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
}

function connectorsOf(load: Load, given: Given): JobConnectors {
  const none = (): never => {
    throw new Error('no load looks anything up');
  };
  const sink = (): Sink => countingSink(() => undefined);
  return {
    readers: (name) => Promise.resolve([readerOf(name, load, given)]),
    sink,
    rejected: sink,
    table: none,
    lookup: none,
  };
}

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await what())) await sleep(systemClock, 100);
}

async function readTo(job: Job): Promise<number> {
  const { totals } = await job.status();
  return totals.lag ?? 0;
}

async function closed(job: Job, running: Promise<void>): Promise<void> {
  job.stop();
  await running;
  await job.close();
}

const memoryMaxBytes = (): number => process.resourceUsage().maxRSS * 1_024;

async function measureRun(options: PhaseOptions, load: Load): Promise<RunMeasure> {
  let allowed = load.filled;
  const { job, close } = await jobOf(options, load, { now: () => allowed });
  await job.open();
  const begunMs = performance.now();
  const running = job.run();
  await until(async () => (await readTo(job)) === 0);
  const filledMs = performance.now();
  const before = (await job.status()).checkpoint?.id ?? 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let [stallMaxMs, writtenBytes, seen] = [0, 0, before];
  let failed: unknown;
  running.catch((thrown: unknown) => {
    failed = thrown;
  });
  while (performance.now() - filledMs < options.seconds * 1_000 && failed === undefined) {
    await sleep(systemClock, 20);
    allowed = load.filled + Math.floor(((performance.now() - filledMs) * load.rate) / 1_000);
    const { checkpoint, state } = await job.status();
    if (checkpoint === null || state === null || checkpoint.id === seen) continue;
    seen = checkpoint.id;
    stallMaxMs = Math.max(stallMaxMs, state.stallMs);
    writtenBytes += state.writtenBytes;
  }
  delay.disable();
  const measuredMs = performance.now() - filledMs;
  await until(async () => failed !== undefined || (await readTo(job)) === 0);
  const { state } = await job.status();
  await closed(job, running);
  await close();
  const checkpoints = seen - before;
  return {
    load: options.load,
    backend: options.backend,
    entries: state?.entries ?? 0,
    fillSeconds: (filledMs - begunMs) / 1_000,
    seconds: measuredMs / 1_000,
    events: (allowed - load.filled) * load.streams.length,
    declaredRate: load.rate * load.streams.length,
    checkpoints,
    stallMaxMs,
    loopMaxMs: delay.max / 1e6,
    loopP99Ms: delay.percentile(99) / 1e6,
    writtenBytesPerCheckpoint: checkpoints === 0 ? 0 : writtenBytes / checkpoints,
    fileBytes: state?.fileBytes ?? 0,
    runs: state?.runs ?? 0,
    memoryMaxBytes: memoryMaxBytes(),
    restingBytes: state?.restingBytes ?? 0,
  };
}

async function measureRestore(options: PhaseOptions, load: Load): Promise<RestoreMeasure> {
  const { job, close } = await jobOf(options, load, { now: () => load.filled });
  const openedMs = performance.now();
  await job.open();
  const restoreSeconds = (performance.now() - openedMs) / 1_000;
  const { state } = await job.status();
  await closed(job, job.run());
  await close();
  return {
    restoreSeconds,
    restoredEntries: state?.entries ?? 0,
    restoreMemoryMaxBytes: memoryMaxBytes(),
  };
}

/** And what closes what it stands on, after it. */
async function jobOf(
  { backend, checkpointMs, dir }: PhaseOptions,
  load: Load,
  given: Given,
): Promise<{ readonly job: Job; readonly close: () => Promise<void> }> {
  const thread = jobStateThread();
  const disk = backend === 'disk' ? await openStateFolder(join(dir, 'resting')) : undefined;
  const job = createJob({
    topology: load.topology,
    blobs: localBlobStore(dir),
    connectors: connectorsOf(load, given),
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: checkpointMs,
    stateWriter: thread.stateWriter,
    recordStore: disk?.recordStore ?? thread.recordStore,
    digestSegments: disk?.digestSegments,
  });
  const close = async (): Promise<void> => {
    await thread.close();
    disk?.close();
  };
  return { job, close };
}

if (process.argv[1]?.endsWith('state-run.js') === true) {
  const [, , phase, text = ''] = process.argv;
  const options = JSON.parse(text) as PhaseOptions;
  const load = loadOf(options.load, options.scale);
  const measure = await (phase === 'restore' ? measureRestore : measureRun)(options, load);
  process.stdout.write(JSON.stringify(measure));
}
