/**
 * The flights on real servers for both engines: `sluice ingest` writes them once into Kinesis and
 * Kafka, `sluice enrich` and a job on Flink read both streams from their begin. Each writes tables of
 * its own into one bucket, and one graph after the other is in Neo4j.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FlinkSettings } from '../../deploy/flink/settings.ts';
import type { Cloud } from '../servers/cloud.ts';
import { copyLake, startCloud } from '../servers/cloud.ts';
import { flinkS3Plugin } from '../servers/flink.ts';
import type { FlinkProcesses, FlinkProcessesOptions } from '../servers/flink-processes.ts';
import { freePort } from '../servers/free-port.ts';
import { readLines, rowsOf } from './flights-checks.ts';
import type { Written } from './flights-equal.ts';
import { killTaskManagers, submitFlights } from './flights-flink-job.ts';
import { runSluice, serviceProcess } from './service-process.ts';

const bucket = 'flights';
/** Where the tables of each are in the bucket. */
const lakes = { here: 'lake/', there: 'lake-flink/' } as const;
const files = ['departures', 'weather', 'schedules'] as const;
const tables = [...files, 'departures_hourly', 'rotations', 'rejected'] as const;
const checkpointIntervalMs = 1_000;
const readMaxMs = 600_000;

/** What both write of it: nodes and edges of the model, with all their properties. */
const graphQueries = {
  nodes: 'MATCH (n) WHERE n:Airport OR n:Plane RETURN labels(n) AS labels, properties(n) AS props',
  edges:
    'MATCH (a)-[r:ROUTE|FLEW]->(b) RETURN properties(a) AS a, type(r) AS type, properties(r) AS props, properties(b) AS b',
} as const;

export interface RealFlights {
  /** What the engine here wrote, once it has all flights. */
  here(): Promise<Written>;
  /** What the job wrote, though `kills` task managers were killed. */
  there(flink: FlinkProcesses, kills: number, parallelism: number): Promise<Written>;
  /** What the job's places need of the cluster: S3 by Flink's plugin, credentials, a password. */
  readonly cluster: Pick<FlinkProcessesOptions, 'env' | 'settings'>;
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
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flights-both-'));
  const topology = join(example, 'topology.ts');
  const config = join(folder, 'services.yaml');
  writeFileSync(config, configOf(join(example, 'services.yaml'), topology));
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
        await copyLake(cloud, bucket, lakes.here, join(folder, 'here'));
        return await writtenIn(join(folder, 'here'), cloud);
      } finally {
        await Promise.all([ingest.end('SIGKILL'), enrich.end('SIGKILL')]);
        for (const one of [ingest, enrich]) one.remove();
      }
    },
    async there(flink, kills, parallelism) {
      await cloud.neo4j.ask('MATCH (n) DETACH DELETE n');
      const settings = settingsOf(cloud, example, parallelism);
      const job = await submitFlights(flink, topology, 'flights', settings, cloud.env);
      await killTaskManagers(flink, job, kills);
      await untilRead(cloud, join(folder, 'progress'), data);
      await job.drain();
      await copyLake(cloud, bucket, lakes.there, join(folder, 'there'));
      return writtenIn(join(folder, 'there'), cloud);
    },
    async stop() {
      await cloud.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Without Firehose, which delivers rows again after a failure, and with the topology by its path. */
function configOf(services: string, topology: string): string {
  const text = readFileSync(services, 'utf8').replace(/^firehose:\n(?: .*\n)+/m, '');
  return text.replace(/^topologies:\n(?: .*\n?)+/m, `topologies: [${JSON.stringify(topology)}]\n`);
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
  parallelism: number,
): FlinkSettings {
  const region = env['AWS_REGION'] ?? '';
  const sources = files.map((file) => [
    file,
    [
      { connector: 'kinesis', stream: `nyc-${file}`, region, endpoint: kinesis.endpoint },
      { connector: 'kafka', brokers: kafka.iam, auth: 'msk_iam', tls: false, region },
    ],
  ]);
  const table = { connector: 'parquet', path: `s3://${bucket}/${lakes.there}` };
  const graph = {
    connector: 'neo4j',
    url: env['NEO4J_URL'] ?? '',
    passwordEnv: 'NEO4J_PASSWORD',
  };
  const ofTables = ['departures', 'weather', 'schedules', 'departures-hourly', 'rotations'];
  return {
    ...{ parallelism, checkpointIntervalMs },
    sources: Object.fromEntries(sources) as FlinkSettings['sources'],
    sinks: {
      ...Object.fromEntries(ofTables.map((one) => [`${one}-table`, table])),
      ...{ routes: graph, flown: graph },
    },
    rejected: table,
    tables: {
      airline: join(example, 'data/airlines.json'),
      plane: join(example, 'data/planes.json'),
    },
  };
}

/**
 * All that was sent has come out where nothing waits for time: observations and schedules in their
 * tables, departures as flights of planes, or rejected.
 */
async function untilRead(cloud: Cloud, copy: string, data: string): Promise<void> {
  const left = readLines(data, 'departures').filter(({ fields }) => fields['departed'] !== null);
  const planes = left.filter(({ fields }) => fields['tailnum'] !== null);
  const flown = new Set(
    planes.map(({ fields }) => [fields['tailnum'], fields['dest'], fields['departed']].join(' ')),
  );
  const wanted = JSON.stringify([
    readLines(data, 'weather').length,
    readLines(data, 'schedules').length,
    flown.size,
  ]);
  let found = '';
  for (const deadline = performance.now() + readMaxMs; performance.now() < deadline; ) {
    const rows = await Promise.all(
      ['weather', 'schedules'].map((name) => countOf(cloud, copy, name)),
    );
    const edges = await cloud.neo4j.ask('MATCH ()-[r:FLEW]->() RETURN count(r)');
    found = JSON.stringify([...rows, edges].map((one) => Number(one[0]?.[0])));
    if (found === wanted) return;
    await sleep(500);
  }
  throw new Error(`the job came to ${found} instead of ${wanted} rows in ${readMaxMs} ms`);
}

/** Rows of a table of the job; 0 while it has none. */
async function countOf(
  cloud: Cloud,
  copy: string,
  table: string,
): Promise<Awaited<ReturnType<typeof rowsOf>>> {
  for (const folder of ['.tables/', `${table}/`])
    await copyLake(cloud, bucket, `${lakes.there}${folder}`, join(copy, folder));
  return rowsOf(copy, `SELECT count(*) FROM ${table}`).catch(() => [[0]]);
}

async function writtenIn(lake: string, { neo4j }: Cloud): Promise<Written> {
  const written = new Map<string, readonly unknown[]>();
  for (const name of tables) written.set(name, await rowsOf(lake, `SELECT * FROM ${name}`));
  for (const [name, query] of Object.entries(graphQueries))
    written.set(`graph: ${name}`, await neo4j.ask(query));
  return written;
}
