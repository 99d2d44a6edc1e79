/**
 * One scenario's services on the cloud of the drill: streams, bucket and graph of their own; load
 * through the ingress; and, when all is drained, what lies at the ends.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Cloud } from '../../servers/cloud.ts';
import { copyLake, deliveredRows } from '../../servers/cloud.ts';
import { freePort } from '../../servers/free-port.ts';
import { rowsOf } from '../../tools/flights-checks.ts';
import type { ServiceProcess } from '../../tools/service-process.ts';
import { runSluice, serviceProcess } from '../../tools/service-process.ts';
import type { LoadOptions, Sent } from '../clients.ts';
import { runLoad } from '../clients.ts';
import { bodyOf } from './events.ts';
import type { Landed } from './verdict.ts';

export interface Rig {
  readonly cloud: Cloud;
  readonly ingest: ServiceProcess;
  readonly enrich: ServiceProcess;
  /** Of Kinesis; the topic, the bucket and the delivery stream have the same name. */
  readonly stream: string;
  load(forMs: number, more?: Partial<LoadOptions>): Promise<Sent>;
}

export interface RigOptions {
  readonly name: string;
  /** Beside the cloud's. */
  readonly env?: Readonly<Record<string, string>>;
  /** A file of `topologies`, without its ending. Default: topology.ts, which has no more. */
  readonly topology?: 'rows' | 'tables' | 'look-ups';
  /** Tables that Firehose takes beside `hose`; what it delivers of each is below its name. */
  readonly delivered?: readonly string[];
  /**
   * Of the stream, and of the sections `routing`, `enrich`, `kinesis` and `lookups`: `name: value,
   * ...`.
   */
  readonly stream?: string;
  readonly routing?: string;
  readonly enrich?: string;
  readonly kinesis?: string;
  readonly lookups?: string;
  /** The section `kafka`. Default: by the IAM listener. */
  readonly kafka?: string;
}

/** Credentials that end, and may change: a program gives them out, as a profile names one. */
export interface EndingCredentials {
  /** From the next time on that somebody asks. */
  give(
    credentials: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string },
    lifeMs: number,
  ): void;
  readonly env: Readonly<Record<string, string>>;
}

const fileOf = (topology: RigOptions['topology']): string =>
  fileURLToPath(
    new URL(
      `../../../../test/drill/streams/${topology === undefined ? 'topology' : `topologies/${topology}`}.ts`,
      import.meta.url,
    ),
  );
const eventsPerSecond = 100;
const giveUpMs = 120_000;
/** What is not through then is stuck. */
const spoolsEmptyMaxMs = 120_000;
const drainMaxMs = 300_000;

const optional = (text: string | undefined, line: (text: string) => string): string =>
  text === undefined ? '' : line(text);

const configText = ({
  name,
  topology,
  delivered = [],
  stream,
  routing,
  enrich = 'checkpoint_ms: 1000, parquet_file_age_ms: 2000',
  kinesis,
  lookups,
  kafka = 'brokers: "${KAFKA_BROKERS}", auth: msk_iam, region: "${AWS_REGION}"',
}: RigOptions): string => `streams:
  - { team: d, app: events, kinesis_stream: ${name}, kafka_topic: ${name}${optional(stream, (text) => `, ${text}`)} }
${optional(routing, (text) => `routing: { ${text} }\n`)}${optional(lookups, (text) => `lookups: { ${text} }\n`)}ingress: { host: 127.0.0.1, log_level: warn }
enrich: { ${enrich} }
metrics: { port: 0 }
kinesis: { region: "\${AWS_REGION}", endpoint: "\${KINESIS_ENDPOINT}"${optional(kinesis, (text) => `, ${text}`)} }
kafka: { ${kafka} }
s3: { bucket: ${name}, region: "\${AWS_REGION}", endpoint: "\${S3_ENDPOINT}" }
firehose: { region: "\${AWS_REGION}", endpoint: "\${FIREHOSE_ENDPOINT}", tables: { ${[`hose: ${name}`, ...delivered.map((table) => `${table}: ${name}-${table}`)].join(', ')} } }
neo4j: { url: "\${NEO4J_URL}", password: "\${NEO4J_PASSWORD}" }
topologies: [${JSON.stringify(fileOf(topology))}]
`;

export function endingCredentials(dir: string): EndingCredentials {
  const [given, config] = [join(dir, 'credentials.json'), join(dir, 'aws-config')];
  writeFileSync(config, `[default]\ncredential_process = cat ${given}\n`);
  return {
    give({ AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey }, lifeMs) {
      const Expiration = new Date(Date.now() + lifeMs).toISOString();
      writeFileSync(
        `${given}.new`,
        JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey, Expiration }),
      );
      renameSync(`${given}.new`, given);
    },
    // Without keys in the environment, which would be taken first.
    env: {
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none'),
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
    },
  };
}

/**
 * Runs `during` between a start and a drain; gives what it gave and what has landed. `after` is
 * given a copy of the lake besides.
 */
export async function onCloud<T>(
  cloud: Cloud,
  options: RigOptions,
  during: (rig: Rig) => Promise<T>,
  after: (value: T, lake: string) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly value: T; readonly landed: Landed }> {
  const { name, delivered = [] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-streams-'));
  const config = join(dir, 'sluice.yaml');
  writeFileSync(config, configText(options));
  await cloud.createStream(name, 2);
  await cloud.createBucket(name);
  await cloud.createDeliveryStream(name, name, 'hose/');
  for (const table of delivered)
    await cloud.createDeliveryStream(`${name}-${table}`, name, `${table}/`);
  await cloud.neo4j.empty();
  const env = { ...cloud.env, ...options.env };
  const ingest = serviceProcess('ingest', config, await freePort(), env);
  const enrich = serviceProcess('enrich', config, await freePort(), env);
  try {
    await Promise.all([ingest.start(), enrich.start()]);
    const load: Rig['load'] = (forMs, more = {}) =>
      runLoad({
        url: () => ingest.url,
        clients: 16,
        forMs,
        giveUpMs,
        eventsPerSecond,
        bodyOf,
        ...more,
      });
    const value = await during({ cloud, ingest, enrich, stream: name, load });
    const spooled = await spoolsEmpty(ingest);
    const { code, said } = await runSluice(
      ['--dir', enrich.dir, 'drain', 'drill'],
      env,
      drainMaxMs,
    );
    const unfinished = [
      ...(spooled === 0 ? [] : [`${spooled} records are in spools`]),
      ...(code === 0
        ? []
        : [
            `the drain ended with ${code ?? `nothing in ${drainMaxMs} ms`}: ${said.trim().split('\n').at(-1)}\n${enrich.log}`,
          ]),
    ];
    const lake = join(dir, 'lake');
    const landed = { ...(await landedIn(cloud, name, lake)), unfinished };
    await after(value, lake);
    return { value, landed };
  } finally {
    await Promise.all([ingest.end('SIGKILL'), enrich.end('SIGKILL')]);
    ingest.remove();
    enrich.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Waits until no spool has records; how many there are in the end. */
async function spoolsEmpty(ingest: ServiceProcess): Promise<number> {
  for (const deadline = performance.now() + spoolsEmptyMaxMs; ; await wait(200)) {
    const counts = (await ingest.metrics()).matchAll(
      /^sluice_ingress_spool_records\{.*\} (\d+)$/gm,
    );
    const records = [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    if (records === 0 || performance.now() > deadline) return records;
  }
}

async function landedIn(
  cloud: Cloud,
  name: string,
  lake: string,
): Promise<Omit<Landed, 'unfinished'>> {
  await copyLake(cloud, name, 'lake/', lake);
  const ids = async (sql: string): Promise<readonly string[]> =>
    (await rowsOf(lake, sql)).map(([id]) => String(id));
  const hose = await deliveredRows(cloud, name, 'hose/');
  return {
    table: await ids('SELECT id FROM events'),
    rejected: await ids("SELECT id FROM rejected WHERE code NOT IN ('skipped', 'records-lost')"),
    hose: hose.map((row) => ({ id: String(row['id']), rowId: String(row['row_id']) })),
    graph: (
      await cloud.neo4j.ask('MATCH (:User)-[:DID]->(e:Event)-[:WITH]->(:Item) RETURN e.id')
    ).map(([id]) => String(id)),
  };
}
