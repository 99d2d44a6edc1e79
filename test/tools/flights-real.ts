/**
 * The flights through `sluice ingest` and `sluice enrich` as processes of their own, on real
 * servers: Kinesis, Kafka with its IAM listener, S3 and Firehose, Neo4j.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { copyLake, deliveredRows, startCloud } from '../servers/cloud.ts';
import { freePort } from '../servers/free-port.ts';
import type { FlightsOptions, FlightsSubject } from './flights-subject.ts';
import { runSluice, serviceProcess } from './service-process.ts';

const bucket = 'flights';
const delivered = 'delivered/';
const streams = ['nyc-departures', 'nyc-weather', 'nyc-schedules'];

export async function realFlights({ example, twice }: FlightsOptions): Promise<FlightsSubject> {
  const cloud = await startCloud();
  for (const name of streams) await cloud.createStream(name, 2);
  await cloud.createBucket(bucket);
  await cloud.createDeliveryStream('nyc-weather', bucket, delivered);
  const config = join(example, 'services.yaml');
  const env = {
    ...cloud.env,
    S3_BUCKET: bucket,
    CHECKPOINT_MS: '1000',
    PARQUET_FILE_AGE_MS: '5000',
    ...(twice ? { REPEAT_WINDOW_S: '0' } : {}),
  };
  const ingest = serviceProcess('ingest', config, await freePort(), env);
  const enrich = serviceProcess('enrich', config, await freePort(), env);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flights-lake-'));
  return {
    url: ingest.url,
    dir: ingest.dir,
    async start() {
      await Promise.all([ingest.start(), enrich.start()]);
    },
    async killOne(nth) {
      const killed = nth % 2 === 0 ? enrich : ingest;
      await killed.end('SIGKILL');
      await killed.start();
      return killed.name;
    },
    received: async () => (await ingest.status())?.ingress?.received ?? 0,
    status: () => enrich.status(),
    async drain() {
      const { code, said } = await runSluice(['--dir', enrich.dir, 'drain', 'flights'], env);
      if (code !== 0) throw new Error(`drain ended with ${code}: ${said}\n${enrich.log}`);
      return said.split('\n')[0] ?? '';
    },
    async lake() {
      await copyLake(cloud, bucket, 'lake/', folder);
      const rows = await deliveredRows(cloud, bucket, delivered);
      const once = new Map(rows.map((row) => [String(row['row_id']), row]));
      console.log(
        `      Firehose: ${rows.length} rows delivered, ${rows.length - once.size} of them again`,
      );
      // What readers of S3 do with such a table: keep one row of each identity.
      const file = join(folder, '.delivered.ndjson');
      writeFileSync(file, [...once.values()].map((row) => `${JSON.stringify(row)}\n`).join(''));
      const partitioned =
        'FORMAT parquet, PARTITION_BY (date, hour, team, app), OVERWRITE_OR_IGNORE';
      await writeTable(
        `COPY (SELECT * EXCLUDE row_id FROM read_json('${file}')) TO '${join(folder, 'weather')}' (${partitioned})`,
      );
      return folder;
    },
    async graph(cypher) {
      const names = [...cypher.slice(cypher.indexOf('RETURN')).matchAll(/ AS (\w+)/g)].map(
        ([, name]) => name ?? '',
      );
      return (await cloud.neo4j.ask(cypher)).map((row) =>
        Object.fromEntries(names.map((name, index) => [name, row[index]])),
      );
    },
    async stop() {
      const codes = [await ingest.end('SIGTERM'), await enrich.end('SIGTERM')];
      return codes.find((code) => code !== 0) ?? 0;
    },
    async remove(keep) {
      await Promise.all([ingest.end('SIGKILL'), enrich.end('SIGKILL')]);
      await cloud.stop();
      ingest.remove();
      enrich.remove();
      if (keep) console.log(`      kept ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** In a DuckDB that may write: questions to the lake may not. */
async function writeTable(sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  try {
    await (await instance.connect()).run(sql);
  } finally {
    instance.closeSync();
  }
}
