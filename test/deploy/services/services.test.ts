/**
 * The two services as processes of their own, on real servers: what they miss at the start, what
 * they say of themselves, and that one takes over from another.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cloud } from '../../servers/cloud.ts';
import { cloudMissing, copyLake, deliveredRows, startCloud } from '../../servers/cloud.ts';
import { freePort } from '../../servers/free-port.ts';
import { rowsOf } from '../../tools/flights-checks.ts';
import type { ServiceProcess } from '../../tools/service-process.ts';
import { runSluice, serviceProcess } from '../../tools/service-process.ts';

const topology = fileURLToPath(
  new URL('../../../../test/drill/streams/topology.ts', import.meta.url),
);

let cloud: Cloud;
let dir: string;
const processes: ServiceProcess[] = [];

const configOf = (name: string): string => {
  const file = join(dir, `${name}.yaml`);
  writeFileSync(
    file,
    `streams:
  - { team: d, app: events, kinesis_stream: ${name}, kafka_topic: ${name}, envelope: none }
ingress: { host: 127.0.0.1, port: 0, log_level: warn }
enrich: { checkpoint_ms: 500, parquet_file_age_ms: 500 }
metrics: { port: 0 }
kinesis: { region: "\${AWS_REGION}", endpoint: "\${KINESIS_ENDPOINT}" }
kafka: { brokers: "\${KAFKA_BROKERS}", auth: msk_iam, region: "\${AWS_REGION}" }
s3: { bucket: ${name}, prefix: dev/, region: "\${AWS_REGION}", endpoint: "\${S3_ENDPOINT}" }
firehose: { region: "\${AWS_REGION}", endpoint: "\${FIREHOSE_ENDPOINT}", tables: { hose: ${name} } }
neo4j: { url: "\${NEO4J_URL}", password: "\${NEO4J_PASSWORD}" }
topologies: [${JSON.stringify(topology)}]
`,
  );
  return file;
};

async function service(name: 'ingest' | 'enrich', config: string): Promise<ServiceProcess> {
  const made = serviceProcess(name, config, await freePort(), cloud.env);
  processes.push(made);
  return made;
}

const run = (
  name: 'ingest' | 'enrich',
  config: string,
  env: Readonly<Record<string, string>> = {},
) =>
  runSluice(['--dir', join(dir, name), '--config', config, name, '--port', '0'], {
    ...cloud.env,
    ...env,
  });

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await sleep(100))
    if (await holds()) return;
  throw new Error(`waited in vain until ${what}`);
}

describe.skipIf(cloudMissing() !== undefined)('the services', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-services-'));
    cloud = await startCloud();
    expect(await runSluice(['topology', 'build', topology])).toMatchObject({ code: 0 });
  }, 300_000);
  afterEach(async () => {
    await Promise.all(processes.map((each) => each.end('SIGKILL')));
    for (const each of processes.splice(0)) each.remove();
  });
  afterAll(async () => {
    await cloud.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('say everything that is missing before they start anything, and how it is mended', async () => {
    const config = configOf('nowhere');
    const [ingest, enrich] = await Promise.all([
      run('ingest', config),
      run('enrich', config, { NEO4J_PASSWORD: 'a-wrong-one' }),
    ]);
    expect([ingest.code, enrich.code]).toEqual([1, 1]);
    for (const said of [ingest.said, enrich.said]) {
      expect(said).toMatch(
        /Kinesis stream nowhere \(d\/events\): .*Kinesis stream 'nowhere'.*\(create it, or correct kinesis_stream/,
      );
      expect(said).toContain(
        "Kafka topic nowhere (d/events): Kafka topic 'nowhere': it does not exist (create it, or correct kafka_topic)",
      );
      expect(said).toContain('nothing was started');
    }
    expect(ingest.said).toMatch(/3 of 5 checks failed/);
    expect(ingest.said).toContain('S3 bucket nowhere (claims): ');
    expect(enrich.said).toMatch(/5 of 5 checks failed/);
    expect(enrich.said).toContain('Firehose delivery stream nowhere (table hose): ');
    expect(enrich.said).toMatch(/Neo4j: Neo4j at bolt:\S+ does not let this user log in/);
    expect(enrich.said).not.toContain('a-wrong-one');
  });

  it('refuse a topic that is compacted, or take it with a warning where the configuration says so', async () => {
    const name = 'compacted';
    await cloud.createStream(name, 1);
    await cloud.createBucket(name);
    await cloud.createDeliveryStream(name, name, 'hose/');
    await cloud.kafka.configure(name, 'cleanup.policy', 'compact');
    const config = configOf(name);
    const what = `Kafka topic '${name}': its cleanup.policy has compact, which drops all events of a key but the newest`;
    for (const { code, said } of await Promise.all([
      run('ingest', config),
      run('enrich', config),
    ])) {
      expect(code, said).toBe(1);
      expect(said).toContain(what);
      expect(said).toContain('kafka.compacted_topics: accept');
    }
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(
        'auth: msk_iam',
        'auth: msk_iam, compacted_topics: accept',
      ),
    );
    const [ingest, enrich] = [await service('ingest', config), await service('enrich', config)];
    await Promise.all([ingest.start(), enrich.start()]);
    expect(ingest.log).toContain(what);
    expect(enrich.log).toContain(what);
    expect(await Promise.all([ingest.end('SIGTERM'), enrich.end('SIGTERM')])).toEqual([0, 0]);
  });

  it('say what the configuration lacks', async () => {
    const file = join(dir, 'bare.yaml');
    writeFileSync(
      file,
      `streams: [{ team: d, app: events }]\ntopologies: [${JSON.stringify(topology)}]\n`,
    );
    const { code, said } = await run('enrich', file);
    expect(code).toBe(1);
    expect(said).toContain('the configuration has no kafka.brokers, which this service needs');
  });

  it('carry events of both routes into Parquet, Firehose and the graph, tell of it, drain, and stop', async () => {
    const name = 'carried';
    await cloud.createStream(name, 2);
    await cloud.createBucket(name);
    await cloud.createDeliveryStream(name, name, 'hose/');
    const config = configOf(name);
    const [ingest, enrich] = [await service('ingest', config), await service('enrich', config)];
    await Promise.all([ingest.start(), enrich.start()]);
    const count = 60;
    for (let n = 0; n < count; n++) {
      const pad = 'x'.repeat(n % 20 === 0 ? 300_000 : 10);
      const body = JSON.stringify({
        n: n === 7 ? -1 : n,
        user: `u${n % 3}`,
        item: `i${n % 5}`,
        pad,
      });
      const answer = await fetch(`${ingest.url}/v1/d/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-event-id': `e${n}` },
        body,
      });
      expect(answer.status, await answer.text()).toBeLessThan(300);
    }
    await until('all are read', async () => {
      const [, read] =
        /sluice_node_elements_total\{[^}]*node="events"[^}]*outcome="passed"[^}]*\} (\d+)/.exec(
          await enrich.metrics(),
        ) ?? [];
      return Number(read) === count;
    });
    const said = await enrich.metrics();
    expect(said).toMatch(/sluice_topology_running\{topology="drill"\} 1/);
    expect(said).toMatch(/sluice_split_lag_records\{[^}]*path="kafka"[^}]*\} 0/);
    expect(said).toMatch(/sluice_split_event_lag_seconds\{[^}]*path="kinesis"/);
    expect(said).toMatch(
      /sluice_connector_events_total\{[^}]*event="kafka-token-signed"[^}]*\} [1-9]/,
    );
    expect(said).toMatch(/sluice_rejected_events_total\{topology="drill"\} 1/);
    expect(await ingest.metrics()).toMatch(
      /sluice_ingress_split_records_total\{[^}]*split="shardId-\d+"/,
    );
    expect((await fetch(`${enrich.url}/healthz`)).status).toBe(200);
    for (const path of ['nothing', 'metrics', '_sluice/status'])
      expect((await fetch(`${enrich.url}/${path}`)).status).toBe(404);
    const { code, said: drained } = await runSluice(
      ['--dir', enrich.dir, 'drain', 'drill'],
      cloud.env,
    );
    expect(code, drained).toBe(0);

    const lake = join(dir, 'lake');
    await copyLake(cloud, name, 'dev/lake/', lake);
    expect(await rowsOf(lake, 'SELECT count(*), count(DISTINCT id) FROM events')).toEqual([
      [count - 1, count - 1],
    ]);
    expect(await rowsOf(lake, 'SELECT id, code FROM rejected')).toEqual([
      ['e7', 'schema-violation'],
    ]);
    const hose = await deliveredRows(cloud, name, 'hose/');
    expect(new Set(hose.map((row) => row['id'])).size).toBe(count - 1);
    expect(
      await cloud.neo4j.ask(
        'MATCH (:User)-[:DID]->(e:Event)-[:WITH]->(:Item) RETURN count(e), count(DISTINCT e.id)',
      ),
    ).toEqual([[count - 1, count - 1]]);
    expect(await Promise.all([ingest.end('SIGTERM'), enrich.end('SIGTERM')])).toEqual([0, 0]);
  });

  it('a second enrich takes the topology over, and the first one ends by itself at its next checkpoint', async () => {
    const name = 'taken-over';
    await cloud.createStream(name, 1);
    await cloud.createBucket(name);
    await cloud.createDeliveryStream(name, name, 'hose/');
    const config = configOf(name);
    const [first, second] = [await service('enrich', config), await service('enrich', config)];
    await first.start();
    await second.start();
    const ingest = await service('ingest', config);
    await ingest.start();
    const { status } = await fetch(`${ingest.url}/v1/d/events`, {
      method: 'POST',
      body: '{"n":1,"user":"u","item":"i"}',
    });
    expect(status).toBe(200);
    expect(await first.ended).toBe(1);
    expect(first.log).toContain('another process runs the topologies now');
    expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
    expect(await second.end('SIGTERM')).toBe(0);
  });
});
