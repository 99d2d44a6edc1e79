/**
 * The sections of the services: what they give, what they refuse, and that no secret is told.
 */
import { expect, it } from 'vitest';
import type { ConfigResult } from '../../schemas/config-file.ts';
import { parseConfig } from '../../schemas/config-file.ts';

const parse = (text: string, env: Record<string, string> = {}): ConfigResult =>
  parseConfig(`streams: [{ team: a, app: b }]\n${text}`, {
    file: 'sluice.yaml',
    env,
    baseDir: '/base',
  });
const problems = (text: string, env: Record<string, string> = {}): readonly string[] => {
  const result = parse(text, env);
  return result.ok
    ? []
    : result.problems.map(
        (problem) => `${problem.line} ${problem.path}: ${problem.message}; ${problem.expected}`,
      );
};

it('says where Kinesis, Kafka, S3, Firehose and Neo4j are', () => {
  const result = parse(
    `kinesis: { region: eu-central-1, endpoint: "http://127.0.0.1:4567", idle_read_every_ms: 2000, fan_out: true }
kafka: { brokers: "\${BROKERS}", tls: true, auth: msk_iam, region: eu-central-1 }
s3: { bucket: lake-dev, prefix: sluice/dev/, region: eu-west-1 }
firehose: { format: iceberg, tables: { ctr_per_minute: ctr-dev } }
neo4j: { url: "neo4j+s://graph.example", user: writer, password: "\${GRAPH_PASSWORD}", database: dev }
enrich: { host: 0.0.0.0, port: 9090, checkpoint_ms: 5000, parquet_file_age_ms: 60000 }
`,
    { BROKERS: 'b-1.example:9098, b-2.example:9098', GRAPH_PASSWORD: 'not-to-be-told' },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const silent = parse('');
  if (!silent.ok) throw new Error(JSON.stringify(silent.problems));
  // What is not written is as without these sections.
  const { config: without } = silent;
  const { kinesis, kafka, s3, sinks, enrich } = result.config;
  expect({ kinesis, kafka, s3, ...sinks, enrich }).toEqual({
    ...without.sinks,
    kinesis: {
      ...without.kinesis,
      region: 'eu-central-1',
      endpoint: 'http://127.0.0.1:4567',
      readEveryMs: 250,
      idleReadEveryMs: 2_000,
      fanOut: true,
    },
    kafka: {
      ...without.kafka,
      brokers: ['b-1.example:9098', 'b-2.example:9098'],
      tls: true,
      auth: 'msk_iam',
      region: 'eu-central-1',
    },
    s3: {
      ...without.s3,
      bucket: 'lake-dev',
      prefix: 'sluice/dev/',
      region: 'eu-west-1',
      endpoint: undefined,
    },
    firehose: {
      ...without.sinks.firehose,
      region: undefined,
      endpoint: undefined,
      format: 'iceberg',
      tables: { ctr_per_minute: 'ctr-dev' },
    },
    neo4j: {
      ...without.sinks.neo4j,
      url: 'neo4j+s://graph.example',
      user: 'writer',
      password: { text: 'not-to-be-told' },
      database: 'dev',
    },
    enrich: {
      ...without.enrich,
      host: '0.0.0.0',
      port: 9_090,
      checkpointIntervalMs: 5_000,
      functionMaxMs: 10_000,
      parquetFileMaxAgeMs: 60_000,
    },
  });
  expect(JSON.stringify(result.origins)).not.toContain('not-to-be-told');
});

it('says what becomes of compacted topics', () => {
  expect(
    ['refuse', 'accept']
      .map((policy) => parse(`kafka: { compacted_topics: ${policy} }`))
      .map((result) => result.ok && result.config.kafka.compactedTopics),
  ).toEqual([undefined, 'accept']);
  expect(problems('kafka: { compacted_topics: ignore }')).toEqual([
    "2 kafka.compacted_topics: invalid value 'ignore'; refuse or accept",
  ]);
});

it('keeps state in memory, or in a folder on disk', () => {
  const [silent, onDisk] = [parse(''), parse('enrich: { state: { backend: disk, folder: /d } }')];
  expect(silent.ok && [silent.config.enrich.state, silent.config.local.state]).toEqual([
    { backend: 'memory', folder: undefined },
    { backend: 'memory', folder: undefined },
  ]);
  expect(onDisk.ok && onDisk.config.enrich.state).toEqual({ backend: 'disk', folder: '/d' });
  // `sluice start` has a folder of its own.
  expect(problems('local: { state: { backend: disk } }')).toEqual([]);
  expect(problems('enrich: { state: { backend: disk } }')).toEqual([
    '2 enrich.state.folder: is missing: state is kept on disk; a folder on a local disk, such as /var/lib/sluice/state',
  ]);
  expect(problems('enrich: { state: { backend: tape } }')).toEqual([
    "2 enrich.state.backend: invalid value 'tape'; memory or disk",
  ]);
});

it('takes a truth and an absence from the environment', () => {
  const result = parse(
    'kafka: { brokers: "b:9098", tls: "${TLS}" }\nkinesis: { endpoint: "${ENDPOINT:-}" }',
    { TLS: 'true' },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  expect([result.config.kafka.tls, result.config.kinesis.endpoint]).toEqual([true, undefined]);
  expect(problems('kafka: { tls: "${TLS}" }', { TLS: 'yes' })).toEqual([
    "2 kafka.tls: invalid value 'yes'; true or false",
  ]);
});

it('says where metrics are, and by which names they are asked', () => {
  const written = parse('metrics: { host: 0.0.0.0, port: 0, hosts: [sluice.prod.svc] }');
  const silent = parse('');
  expect([written, silent].map((result) => result.ok && result.config.metrics)).toEqual([
    { host: '0.0.0.0', port: 0, hosts: ['sluice.prod.svc'] },
    { host: '127.0.0.1', port: undefined, hosts: [] },
  ]);
  expect(problems('metrics: { port: any, hosts: ["a b"] }')).toEqual([
    "2 metrics.port: invalid value 'any'; a whole number from 0 to 65535",
    "2 metrics.hosts[0]: invalid value 'a b'; a host name or address",
  ]);
});

it('needs none of them for a start on one machine', () => {
  const result = parse('');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const { kafka, s3, sinks } = result.config;
  expect([kafka.brokers, s3.bucket, sinks.neo4j.url, sinks.neo4j.password]).toEqual([
    [],
    undefined,
    undefined,
    undefined,
  ]);
});

it('compresses what goes to Kafka as it is told to, and nothing otherwise', () => {
  const compressionOf = (text: string): unknown => {
    const result = parse(text);
    return result.ok && result.config.kafka.compression;
  };
  expect(
    ['kafka: { compression: zstd }', 'kafka: { compression: none }', ''].map(compressionOf),
  ).toEqual(['zstd', undefined, undefined]);
  expect(problems('kafka: { compression: brotli }')).toEqual([
    "2 kafka.compression: invalid value 'brotli'; none or gzip or snappy or lz4 or zstd",
  ]);
});

it('finds the file of the password from where the configuration lies', () => {
  const result = parse('neo4j: { url: "bolt://127.0.0.1:7687", password_file: secrets/graph }');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  expect(result.config.sinks.neo4j.password).toEqual({ file: '/base/secrets/graph' });
});

it('refuses what cannot be, each with its line, and repeats no secret', () => {
  expect(
    problems(
      `kinesis: { endpoint: "ftp://x" }
kafka: { brokers: "b-1.example", auth: msk_iam }
s3: { bucket: "Upper", prefix: "no-slash" }
firehose: { tables: { Upper: x, ok: "with space" } }
neo4j: { url: "http://graph.example", password: "\${SECRET}", password_file: x }
`,
      { SECRET: 'not-to-be-told' },
    ),
  ).toEqual([
    '2 kinesis.endpoint: invalid value; an http or https address without user and password',
    "3 kafka.brokers: invalid value 'b-1.example'; host:port, with commas between several, such as b-1.example:9098,b-2.example:9098",
    "4 s3.bucket: invalid value 'Upper'; the name of a bucket: 3 to 63 of a-z 0-9 . -",
    "4 s3.prefix: invalid value 'no-slash'; folders of A-Z a-z 0-9 . _ = -, each with / at its end",
    '5 firehose.tables.Upper: invalid name; the name of a table',
    "5 firehose.tables.ok: invalid value 'with space'; the name of a delivery stream: 1 to 64 of A-Z a-z 0-9 . _ -",
    '6 neo4j.password: the password must come from one place; either password or password_file',
    '6 neo4j.url: invalid value; an address such as neo4j+s://graph.example (bolt, bolt+s, neo4j, neo4j+s), without user and password',
  ]);
  expect(problems('kafka: { brokers: "b:9098", auth: msk_iam }')).toEqual([
    '2 kafka.region: is missing: tokens are signed for a region; the region of the cluster, such as eu-central-1',
  ]);
});
