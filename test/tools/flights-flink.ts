/**
 * `npm run flights:flink`: the flights example on the engine here and on Flink, whose JobManager and
 * task managers are processes of their own; compares all rows that both write.
 *
 *   --data DIR       another folder of the same form
 *   --kill N         kills task managers with SIGKILL, N times, while the flights run
 *   --parallelism N  default 2
 *   --engine NAME    what functions run on there: graaljs (default) or v8
 *   --checkpoint-ms N  between two checkpoints there (default 1,000)
 *   --real           both read Kinesis and Kafka, which `sluice ingest` wrote, and write tables as
 *                    Parquet to S3, one through Firehose, and a graph into Neo4j; starts their
 *                    servers
 *
 * Else both read the same files of events; here in the test driver, there as a job that writes lines.
 * The job is submitted by the command line. Prints a line a check, then `N passed, N failed`.
 */
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ScriptEngine } from '../../deploy/flink/jar.ts';
import type { FlinkSettings } from '../../deploy/flink/settings.ts';
import { loadTopologyFile } from '../../deploy/host/topology-file.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { createDriver, event } from '../../topology/testing.ts';
import type { FlinkProcesses } from '../servers/flink-processes.ts';
import { startFlinkProcesses } from '../servers/flink-processes.ts';
import { checks, readLines } from './flights-checks.ts';
import type { Written } from './flights-equal.ts';
import { compareWritten } from './flights-equal.ts';
import { killTaskManagers, submitFlights } from './flights-flink-job.ts';
import type { RealFlights } from './flights-flink-real.ts';
import { realFlights } from './flights-flink-real.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = join(root, 'topology/examples/flights');
const topologyFile = join(example, 'topology.ts');
const name = 'flights';
const sources = ['departures', 'weather', 'schedules'] as const;
const tables = { airline: 'data/airlines.json', plane: 'data/planes.json' } as const;
const runMaxMs = 600_000;
/** Of each task manager: each task has a context of the script engine, and 512 MB were too little. */
const heapMb = 1_536;
/** A run of seconds is over before the second compiler pays. */
const soonReady = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: join(example, 'data') },
    kill: { type: 'string', default: '0' },
    parallelism: { type: 'string', default: '2' },
    engine: { type: 'string', default: 'graaljs' },
    'checkpoint-ms': { type: 'string', default: '1000' },
    real: { type: 'boolean', default: false },
  },
});
const kills = Number(options.kill);
const parallelism = Number(options.parallelism);
const running = {
  parallelism,
  engine: options.engine as ScriptEngine,
  checkpointIntervalMs: Number(options['checkpoint-ms']),
} as const;

/** The events of a file as a topology sees them, with the text of their data. */
function eventsOf(source: string): readonly unknown[] {
  return readLines(options.data, source).map(({ id, data, fields }) => ({
    ...event(fields, { id, source: `/nyc/${source}`, time: timeOf(fields) }),
    dataText: data,
  }));
}

function timeOf(fields: Readonly<Record<string, unknown>>): string {
  const { departed, scheduled, observed, day } = fields as Readonly<Record<string, string | null>>;
  return departed ?? scheduled ?? observed ?? `${day ?? ''}T00:00:00.000Z`;
}

const graphs = ['routes', 'flown'];
const rejectedName = 'rejected';

async function runHere(sinks: readonly string[]): Promise<Written> {
  const { topology } = await loadTopologyFile(topologyFile);
  const rowsOf = (file: string) =>
    JSON.parse(readFileSync(join(example, file), 'utf8')) as readonly object[];
  const driver = await createDriver(topology, {
    now: systemClock.now(),
    tables: Object.fromEntries(Object.values(tables).map((file) => [file, rowsOf(file)])),
  });
  for (const source of sources) await driver.push(source, eventsOf(source));
  await driver.advanceWatermark('max');
  const written = new Map<string, readonly unknown[]>(
    sinks.map((sink) => [sink, driver.read(sink).map(rowOf(sink))]),
  );
  const rejected = driver.rejected();
  driver.close();
  return written.set(rejectedName, rejected.map(rejection));
}

/**
 * A graph has no times: which flight of a route is its third depends on the order of arrival, that
 * there is a third does not.
 */
const rowOf =
  (sink: string) =>
  (row: unknown): unknown =>
    graphs.includes(sink) ? (row as { readonly value: unknown }).value : row;

/** Without the engine's own words, and where there it is from. */
function rejection(row: unknown): unknown {
  const { operator, code, pointer, value } = row as Readonly<Record<string, unknown>>;
  return { operator, code, pointer, value };
}

async function runThere(flink: FlinkProcesses, sinks: readonly string[]): Promise<Written> {
  const place = (one: string) => ({ connector: 'lines', path: join(flink.dir, one) });
  for (const source of sources) {
    const lines = eventsOf(source).map((one) => `${JSON.stringify(one)}\n`);
    writeFileSync(join(flink.dir, `${source}.ndjson`), lines.join(''));
  }
  const settings: FlinkSettings = {
    ...running,
    sources: Object.fromEntries(sources.map((one) => [one, place(`${one}.ndjson`)])),
    sinks: Object.fromEntries(sinks.map((one) => [one, place(one)])),
    rejected: place(rejectedName),
    tables: Object.fromEntries(
      Object.entries(tables).map(([node, file]) => [node, join(example, file)]),
    ),
  };
  const job = await submitFlights(flink, topologyFile, name, settings);
  await killTaskManagers(flink, job, kills);
  const { checkpoints } = await job.until('the end', ({ state }) => state === 'FINISHED', runMaxMs);
  console.log(`      ${checkpoints.completed} checkpoints, ${checkpoints.failed} failed`);
  const written = new Map<string, readonly unknown[]>();
  for (const sink of sinks) written.set(sink, (await rowsOf(flink, sink)).map(rowOf(sink)));
  return written.set(rejectedName, (await rowsOf(flink, rejectedName)).map(rejection));
}

/** One at a time: schedules are rows of 200 KB. */
async function rowsOf(flink: FlinkProcesses, folder: string): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  const input = createReadStream(join(flink.dir, folder, 'rows.ndjson'));
  for await (const line of createInterface({ input })) rows.push(JSON.parse(line));
  return rows;
}

const { check, result } = checks();
const begunMs = performance.now();
const note = (what: string): void =>
  console.log(`      ${what}: ${((performance.now() - begunMs) / 1_000).toFixed(1)} s`);

async function withFlink<T>(
  more: RealFlights['cluster'],
  run: (flink: FlinkProcesses) => Promise<T>,
): Promise<T> {
  const flink = await startFlinkProcesses({
    ...{ taskManagers: parallelism, taskManagerJvm: soonReady, heapMb, ...more },
  });
  note('Flink is up');
  try {
    return await run(flink);
  } finally {
    await flink.stop();
  }
}

async function compareLines(): Promise<void> {
  const { topology } = await loadTopologyFile(topologyFile);
  const sinks = topology.plan.nodes
    .filter((node) => node.kind === 'sink' && node.sink.kind !== 'rejected')
    .map(({ id }) => id);
  const here = await runHere(sinks);
  note('here');
  const there = await withFlink({}, (flink) => runThere(flink, sinks));
  note('on Flink');
  compareWritten(here, there, { check, again: () => kills > 0 });
}

async function compareReal(): Promise<void> {
  const flights = await realFlights({ example, data: options.data });
  try {
    note('servers are up');
    const here = await flights.here();
    note('here');
    const there = await withFlink(flights.cluster, (flink) => flights.there(flink, kills, running));
    note('on Flink');
    compareWritten(here, there, { check, again: (table) => kills > 0 && flights.isAgain(table) });
  } finally {
    await flights.stop();
  }
}

try {
  await (options.real ? compareReal() : compareLines());
} catch (thrown) {
  result.failed++;
  console.log(`FAIL  ${thrown instanceof Error ? thrown.message : String(thrown)}`);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
