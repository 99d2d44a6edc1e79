/**
 * One round of `npm run bench:threads` in a process of its own: `node threads-run.js LOAD
 * PARALLELISM ROWS`. Records lie ready in memory; the job runs them through the topology of the load,
 * whose keyed nodes are on threads as `sluice` has them. Prints one JSON object.
 */
import { fileURLToPath } from 'node:url';
import { threadedWorkers } from '../../deploy/host/keyed-ports.ts';
import { KeyedThreads } from '../../deploy/host/keyed-threads.ts';
import { importTopology } from '../../deploy/host/topology-file.ts';
import { sleep, systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import type { JobConnectors } from '../../topology/index.ts';
import { createJob } from '../../topology/index.ts';
import type { Sink } from '../../topology/nodes/sink.ts';
import { memoryBlobs } from '../topology/support.ts';
import { countingSink, memoryReader } from './memory-run.ts';

export interface ThreadsRow {
  readonly k: string;
  readonly n: number;
  readonly at: number;
}

export interface ThreadsRound {
  readonly eventsPerSecond: number;
  /** Rows that reached the sink. */
  readonly out: number;
  /** Threads that ran the keyed nodes at the end. */
  readonly parallelism: number;
}

const keys = 1_000;
const startMs = Date.parse('2026-01-01T00:00:00Z');
const stepMs = 10;

function recordOf(n: number): IncomingRecord {
  const row: ThreadsRow = { k: `key-${n % keys}`, n, at: startMs + n * stepMs };
  const attributes = {
    id: `e-${n}`,
    source: '/bench/rows',
    type: 'bench.rows',
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    team: 'bench',
    app: 'rows',
    partitionkey: row.k,
    receivedtime: '2026-01-01T00:00:00Z',
  };
  const value = Buffer.concat(encodeStructured(attributes, Buffer.from(JSON.stringify(row))));
  return { position: String(n + 1), key: row.k, value, arrivedAtMs: startMs };
}

async function measure(load: string, parallelism: number, rows: number): Promise<ThreadsRound> {
  const script = fileURLToPath(new URL(`threads-${load}.js`, import.meta.url));
  const { topology, plan } = await importTopology({ script, file: script });
  const records = Array.from({ length: rows }, (_, n) => recordOf(n));
  let out = 0;
  const sink = (): Sink => countingSink((count) => (out += count));
  const none = (): never => {
    throw new Error('no load looks anything up');
  };
  const connectors: JobConnectors = {
    readers: () => Promise.resolve([memoryReader(records)]),
    sink,
    rejected: sink,
    table: none,
    lookup: none,
  };
  const input = { script, file: script, parallelism, functionMaxMs: 60_000 };
  const threads =
    parallelism === 1
      ? undefined
      : new KeyedThreads(input, plan, systemClock, (fault) => {
          throw fault;
        });
  const job = createJob({
    topology,
    blobs: memoryBlobs(),
    connectors,
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: 10_000,
    keyedWorkers: threads && (() => threadedWorkers(threads.ports)),
  });
  await job.open();
  const begunMs = performance.now();
  const running = job.run();
  let status = await job.status();
  while (status.totals.lag !== 0) {
    await sleep(systemClock, 20);
    status = await job.status();
  }
  const seconds = (performance.now() - begunMs) / 1_000;
  job.stop();
  await running;
  await job.close();
  threads?.end();
  return { eventsPerSecond: rows / seconds, out, parallelism: status.parallelism };
}

if (process.argv[1]?.endsWith('threads-run.js') === true) {
  const [, , load = '', parallelism, rows] = process.argv;
  const round = await measure(load, Number(parallelism), Number(rows));
  process.stdout.write(JSON.stringify(round));
}
