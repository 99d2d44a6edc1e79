/**
 * The flights on real servers for both engines: `sluice ingest` writes them once into Kinesis and
 * Kafka, `sluice enrich` and a job on Flink read both streams from their begin. Each writes tables of
 * its own into one bucket, that of the weather through a delivery stream of its own, and one graph
 * after the other is in Neo4j.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FlinkSettings } from '../../deploy/flink/settings.ts';
import type { Cloud } from '../servers/cloud.ts';
import { copyLake, deliveredRows, startCloud } from '../servers/cloud.ts';
import { flinkS3Plugin } from '../servers/flink.ts';
import type { FlinkProcesses, FlinkProcessesOptions } from '../servers/flink-processes.ts';
import { freePort } from '../servers/free-port.ts';
import { readLines, rowsOf } from './flights-checks.ts';
import type { Written } from './flights-equal.ts';
import { killTaskManagers, submitFlights } from './flights-flink-job.ts';
import { runSluice, serviceProcess } from './service-process.ts';

const bucket = 'flights';
/** Where the tables of each are in the bucket, and what its delivery stream puts there. */
const places = {
  here: { lake: 'lake/', deliveryStream: 'nyc-weather', delivered: 'delivered/' },
  there: {
    lake: 'lake-flink/',
    deliveryStream: 'nyc-weather-flink',
    delivered: 'delivered-flink/',
  },
} as const;
type Place = (typeof places)[keyof typeof places];
const files = ['departures', 'weather', 'schedules'] as const;
const tables = ['departures', 'schedules', 'departures_hourly', 'rotations', 'rejected'] as const;
/** Through Firehose. */
const deliveredTable = 'weather';
const writtenMaxMs = 900_000;
const pollMs = 1_000;

/** What both write of it: nodes and edges of the model, with all their properties. */
const graphQueries = {
  nodes: 'MATCH (n) WHERE n:Airport OR n:Plane RETURN labels(n) AS labels, properties(n) AS props',
  edges:
    'MATCH (a)-[r:ROUTE|FLEW]->(b) RETURN properties(a) AS a, type(r) AS type, properties(r) AS props, properties(b) AS b',
} as const;

/** How the job runs. */
export type Running = Pick<FlinkSettings, 'parallelism' | 'engine' | 'checkpointIntervalMs'>;

export interface RealFlights {
  /** What the engine here wrote, once it has all flights. */
  here(): Promise<Written>;
  /** What the job wrote, though `kills` task managers were killed. */
  there(flink: FlinkProcesses, kills: number, running: Running): Promise<Written>;
  /** What the job's places need of the cluster: S3 by Flink's plugin, credentials, a password. */
  readonly cluster: Pick<FlinkProcessesOptions, 'env' | 'settings'>;
  /** Whether rows of a table may come again after a failure, all members as they were. */
  isAgain(table: string): boolean;
  stop(): Promise<void>;
}

interface Places {
  readonly example: string;
  readonly data: string;
}

export async function realFlights({ example, data }: Places): Promise<RealFlights> {
  const cloud = await startCloud();
  for (const file of files) await cloud.createStream(`nyc-${file}`, 2);
  await cloud.createBucket(bucket);
  for (const { deliveryStream, delivered } of Object.values(places))
    await cloud.createDeliveryStream(deliveryStream, bucket, delivered);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flights-both-'));
  const topology = join(example, 'topology.ts');
  const config = join(example, 'services.yaml');
  const env = {
    ...cloud.env,
    S3_BUCKET: bucket,
    CHECKPOINT_MS: '1000',
    PARQUET_FILE_AGE_MS: '5000',
  };
  return {
    cluster: await clusterFor(cloud),
    async here() {
      const ingest = serviceProcess('ingest', config, await freePort(), env);
      const enrich = serviceProcess('enrich', config, await freePort(), env);
      try {
        await Promise.all([ingest.start(), enrich.start()]);
        for (const file of files) await send(ingest.dir, ingest.url, data, file);
        const { code, said } = await runSluice(['--dir', enrich.dir, 'drain', 'flights'], env);
        if (code !== 0) throw new Error(`drain ended with ${code}: ${said}\n${enrich.log}`);
        return await written(cloud, places.here, join(folder, 'here'));
      } finally {
        await Promise.all([ingest.end('SIGKILL'), enrich.end('SIGKILL')]);
        for (const one of [ingest, enrich]) one.remove();
      }
    },
    async there(flink, kills, running) {
      await cloud.neo4j.ask('MATCH (n) DETACH DELETE n');
      const settings = settingsOf(cloud, example, running);
      const job = await submitFlights(flink, topology, 'flights', settings, cloud.env);
      const wanted = wantedOf(data);
      const reached = (part: number): Promise<void> =>
        untilWritten(cloud, join(folder, 'progress'), wanted, part);
      await killTaskManagers(flink, job, kills, reached);
      await reached(1);
      await job.drain();
      return written(cloud, places.there, join(folder, 'there'));
    },
    isAgain: (table) => table === deliveredTable,
    async stop() {
      await cloud.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function send(dir: string, url: string, data: string, file: string): Promise<void> {
  const path = join(data, `${file}.ndjson.gz`);
  const args = ['--dir', dir, 'send', path, '--stream', `nyc/${file}`, '--url', url];
  const { code, said } = await runSluice([...args, '--batch', '500', '--no-resume']);
  if (code !== 0) throw new Error(`send ${file} ended with ${code}: ${said}`);
}

async function clusterFor({ env }: Cloud): Promise<RealFlights['cluster']> {
  return {
    env: { ...env, FLINK_PLUGINS_DIR: await flinkS3Plugin() },
    settings: { 's3.endpoint': env['S3_ENDPOINT'] ?? '', 's3.path.style.access': 'true' },
  };
}

function settingsOf(
  { env, kinesis, kafka }: Cloud,
  example: string,
  running: Running,
): FlinkSettings {
  const region = env['AWS_REGION'] ?? '';
  const sources = files.map((file) => [
    file,
    [
      { connector: 'kinesis', stream: `nyc-${file}`, region, endpoint: kinesis.endpoint },
      { connector: 'kafka', brokers: kafka.iam, auth: 'msk_iam', tls: false, region },
    ],
  ]);
  const table = { connector: 'parquet', path: `s3://${bucket}/${places.there.lake}` };
  const hose = {
    ...{ connector: 'firehose', deliveryStream: places.there.deliveryStream, fallback: table },
    ...{ region, endpoint: env['FIREHOSE_ENDPOINT'] ?? '' },
  };
  const graph = {
    connector: 'neo4j',
    url: env['NEO4J_URL'] ?? '',
    passwordEnv: 'NEO4J_PASSWORD',
  };
  const ofTables = ['departures', 'schedules', 'departures-hourly', 'rotations'];
  return {
    ...running,
    sources: Object.fromEntries(sources) as FlinkSettings['sources'],
    sinks: {
      ...Object.fromEntries(ofTables.map((one) => [`${one}-table`, table])),
      ...{ [`${deliveredTable}-table`]: hose, routes: graph, flown: graph },
    },
    rejected: table,
    tables: {
      airline: join(example, 'data/airlines.json'),
      plane: join(example, 'data/planes.json'),
    },
  };
}

/**
 * What comes out where nothing waits for time: observations and schedules in their tables, departures
 * as flights of planes.
 */
function wantedOf(data: string): readonly number[] {
  const flown = readLines(data, 'departures')
    .filter(({ fields }) => fields['departed'] !== null && fields['tailnum'] !== null)
    .map(({ fields }) => [fields['tailnum'], fields['dest'], fields['departed']].join(' '));
  const [weather, schedules] = [readLines(data, 'weather'), readLines(data, 'schedules')];
  return [weather.length, schedules.length, new Set(flown).size];
}

/** Resolves when the job has written that part of each of `wanted`; `copy`: a folder for tables. */
async function untilWritten(
  cloud: Cloud,
  copy: string,
  wanted: readonly number[],
  part: number,
): Promise<void> {
  let found: readonly number[] = [];
  for (const deadline = performance.now() + writtenMaxMs; performance.now() < deadline; ) {
    const weather = new Set((await delivered(cloud, places.there)).map((row) => row['row_id']));
    const [schedules] = await schedulesOf(cloud, copy);
    const [edges] = await cloud.neo4j.ask('MATCH ()-[r:FLEW]->() RETURN count(r)');
    found = [weather.size, Number(schedules?.[0]), Number(edges?.[0])];
    if (wanted.every((all, of) => (found[of] ?? 0) >= part * all)) return;
    await sleep(pollMs);
  }
  const share = `${Math.round(100 * part)} % of ${wanted.join(', ')}`;
  throw new Error(
    `the job wrote ${found.join(', ')} rows instead of ${share} in ${writtenMaxMs} ms`,
  );
}

/** How many the job has written so far. */
async function schedulesOf(cloud: Cloud, copy: string): ReturnType<typeof rowsOf> {
  for (const folder of ['.tables/', 'schedules/'])
    await copyLake(cloud, bucket, `${places.there.lake}${folder}`, join(copy, folder));
  return rowsOf(copy, 'SELECT count(*) FROM schedules').catch(() => [[0]]);
}

const delivered = (cloud: Cloud, place: Place): ReturnType<typeof deliveredRows> =>
  deliveredRows(cloud, bucket, place.delivered);

/** `copy`: of the lake, where SQL can be asked over it. */
async function written(cloud: Cloud, place: Place, copy: string): Promise<Written> {
  await copyLake(cloud, bucket, place.lake, copy);
  const found = new Map<string, readonly unknown[]>();
  for (const name of tables) found.set(name, await rowsOf(copy, `SELECT * FROM ${name}`));
  const rows = await delivered(cloud, place);
  const again = rows.length - new Set(rows.map((row) => row['row_id'])).size;
  console.log(
    `      ${place.deliveryStream}: ${rows.length} rows delivered, ${again} of them again`,
  );
  found.set(deliveredTable, rows);
  for (const [name, query] of Object.entries(graphQueries))
    found.set(`graph: ${name}`, await cloud.neo4j.ask(query));
  return found;
}
