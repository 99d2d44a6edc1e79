/**
 * A load of `npm run bench:target` on Flink: a JobManager, and one task manager on one core, which
 * the script engine, the collector and the compilers of the JVM share. The rate is taken after a
 * warm-up, from the count of what the source gave.
 */
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScriptEngine } from '../../deploy/flink/jar.ts';
import type { FlinkSettings } from '../../deploy/flink/settings.ts';
import type { FlinkProcesses } from '../servers/flink-processes.ts';
import { startFlinkProcesses } from '../servers/flink-processes.ts';
import type { FlightsJob } from '../tools/flights-flink-job.ts';
import { submitFlights } from '../tools/flights-flink-job.ts';
import { saleOf } from './target-events.ts';

export interface RanThere {
  readonly eventsPerSecond: number;
  /** CPU of the task manager, microseconds an event. */
  readonly cpuUs: number;
  /** Until a cluster of two processes is there, and until the job's tasks run. */
  readonly clusterMs: number;
  readonly submitMs: number;
  readonly jobManagerRssMb: number;
  readonly taskManagerRssMb: number;
  /** Events since the begin, when the measurement ended. */
  readonly events: number;
}

export interface FlinkLoad {
  readonly name: string;
  readonly file: string;
  readonly rows: number;
  /** What functions run on there. */
  readonly engine: ScriptEngine;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Put before the command of the task manager. */
  readonly pinned: readonly string[];
  readonly jvm: readonly string[];
}

const heapMb = 1_024;
const runningMaxMs = 120_000;
const pollMs = 100;
/** Clock ticks of /proc/PID/stat a second: USER_HZ, which is 100 on every Linux. */
const ticksPerSecond = 100;

export async function runOnFlink(load: FlinkLoad): Promise<RanThere> {
  const begunMs = performance.now();
  const flink = await startFlinkProcesses({
    heapMb,
    settings: { 'metrics.fetcher.update-interval': 100 },
    taskManagerPrefix: load.pinned,
    taskManagerJvm: load.jvm,
  });
  const clusterMs = performance.now() - begunMs;
  try {
    return { clusterMs, ...(await measure(flink, load)) };
  } finally {
    await flink.stop();
  }
}

async function measure(
  flink: FlinkProcesses,
  load: FlinkLoad,
): Promise<Omit<RanThere, 'clusterMs'>> {
  const source = join(flink.dir, 'sales.ndjson');
  await writeSales(source, load.rows);
  const settings: FlinkSettings = {
    parallelism: 1,
    engine: load.engine,
    checkpointIntervalMs: 10_000,
    sources: { in: { connector: 'lines', path: source } },
    sinks: { out: { connector: 'lines', path: join(flink.dir, 'out') } },
    rejected: { connector: 'lines', path: join(flink.dir, 'rejected') },
  };
  const submittedMs = performance.now();
  const job = await submitFlights(flink, load.file, load.name, settings);
  const submitMs = performance.now() - submittedMs;
  const read = await readerOf(flink, job);
  const pid = flink.taskManagers[0]?.pid ?? 0;
  const sample = async () => ({ events: await read(), ms: performance.now(), cpu: cpuOf(pid) });
  await until(load.warmUpMs, job);
  const from = await sample();
  await until(load.measureMs, job);
  const to = await sample();
  const events = to.events - from.events;
  return {
    eventsPerSecond: events / ((to.ms - from.ms) / 1_000),
    cpuUs: ((to.cpu - from.cpu) * 1_000_000) / events,
    submitMs,
    jobManagerRssMb: rssOf(flink.jobManager.pid),
    taskManagerRssMb: rssOf(pid),
    events: to.events,
  };
}

async function writeSales(path: string, rows: number): Promise<void> {
  const out = createWriteStream(path);
  for (let n = 0; n < rows; n++)
    if (!out.write(`${JSON.stringify(saleOf(n))}\n`))
      await new Promise<void>((resolve) => out.once('drain', () => resolve()));
  out.end();
  await finished(out);
}

/** Waits, but not for longer than the job runs: a job that ended has nothing more to measure. */
async function until(ms: number, job: FlightsJob): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(pollMs)) {
    const { state, failure } = await job.status();
    if (state === 'FINISHED')
      throw new Error('the job read all rows before the time was over: give it more with --rows');
    if (state !== 'RUNNING') throw new Error(`the job is ${state}: ${failure}`);
  }
}

/** Gives the count of what the source gave so far. */
async function readerOf({ url }: FlinkProcesses, job: FlightsJob): Promise<() => Promise<number>> {
  const { job: id } = await job.until('running', ({ state }) => state === 'RUNNING', runningMaxMs);
  const ask = async (path: string): Promise<unknown> =>
    (await fetch(`${url}/jobs/${id}${path}`)).json();
  const { vertices } = (await ask('')) as {
    readonly vertices: readonly { id: string; name: string }[];
  };
  const source = vertices.find(({ name }) => name.startsWith('Source:'));
  const metrics = `/vertices/${source?.id}/metrics`;
  for (const end = performance.now() + runningMaxMs; performance.now() < end; await sleep(pollMs)) {
    const all = (await ask(metrics)) as readonly { readonly id: string }[];
    const found = all.find((one) => /^0\.Source.*\.numRecordsOut$/.test(one.id));
    if (found === undefined) continue;
    return async () => {
      const [metric] = (await ask(`${metrics}?get=${found.id}`)) as readonly { value: string }[];
      return Number(metric?.value ?? 0);
    };
  }
  throw new Error(`the source has no count of its records`);
}

/** Seconds of CPU that a process and its threads have used. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The largest resident set so far. */
function rssOf(pid: number): number {
  const [, kb = '0'] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1_024;
}
