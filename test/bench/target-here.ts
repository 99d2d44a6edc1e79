/**
 * A load of `npm run bench:target` on the engine here, in a process of its own: `node target-here.js
 * FILE ROWS`. Records lie ready in memory; the rate is that of the second half. Prints one JSON
 * object.
 */
import { loadTopologyFile } from '../../deploy/host/topology-file.ts';
import { sleep, systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import { createJob } from '../../topology/index.ts';
import type { Sink } from '../../topology/nodes/sink.ts';
import { memoryBlobs } from '../topology/support.ts';
import { countingSink, memoryReader } from './memory-run.ts';
import { saleOf } from './target-events.ts';

export interface RanHere {
  readonly eventsPerSecond: number;
  /** CPU of the whole process, microseconds an event. */
  readonly cpuUs: number;
  readonly startMs: number;
  readonly rssMb: number;
  /** Rows that reached the sink. */
  readonly out: number;
}

const batchRows = 500;

function recordOf(n: number): IncomingRecord {
  const { data, ...attributes } = saleOf(n);
  const body = Buffer.from(JSON.stringify(data));
  const value = Buffer.concat(encodeStructured(attributes as never, body));
  return { position: String(n + 1), key: data.k, value, arrivedAtMs: Date.parse(attributes.time) };
}

async function measure(file: string, rows: number): Promise<RanHere> {
  const begunMs = performance.now();
  const records = Array.from({ length: rows }, (_, n) => recordOf(n));
  const generatedMs = performance.now() - begunMs;
  const { topology } = await loadTopologyFile(file);
  let [out, halfMs, halfCpu] = [0, 0, process.cpuUsage()];
  const sink = (): Sink => countingSink((count) => (out += count));
  const rejected = (): Sink => ({
    ...sink(),
    write: ({ length }) =>
      Promise.reject(new Error(`${length} elements were rejected: the load does not fit them`)),
  });
  const none = (): never => {
    throw new Error('no load looks anything up');
  };
  const onRead = (from: number): void => {
    if (halfMs > 0 || from < records.length / 2) return;
    halfMs = performance.now();
    halfCpu = process.cpuUsage();
  };
  const readers = () => Promise.resolve([memoryReader(records, { batchRows, onRead })]);
  const job = createJob({
    topology,
    blobs: memoryBlobs(),
    connectors: { readers, sink, rejected, table: none, lookup: none },
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: 10_000,
  });
  await job.open();
  const startMs = performance.now() - generatedMs;
  const running = job.run();
  while ((await job.status()).totals.lag !== 0) await sleep(systemClock, 5);
  const seconds = (performance.now() - halfMs) / 1_000;
  const { user, system } = process.cpuUsage(halfCpu);
  job.stop();
  await running;
  await job.close();
  const half = rows / 2;
  return {
    eventsPerSecond: half / seconds,
    cpuUs: (user + system) / half,
    startMs,
    rssMb: process.resourceUsage().maxRSS / 1_024,
    out,
  };
}

const [file = '', rows] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await measure(file, Number(rows))));
