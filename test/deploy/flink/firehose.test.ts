/**
 * Rows that a Flink job gives to Firehose are the lines that the engine gives it, through throttling,
 * a lost answer and a record that was not taken: against moto, which puts what it is given into S3 at
 * once; what it does not take goes to a table of Parquet. Firehose itself was not run.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleForFlink } from '../../../deploy/flink/bundle.ts';
import { builtJob, jvmOptions } from '../../../deploy/flink/jar.ts';
import { flinkPlan } from '../../../deploy/flink/plan.ts';
import { settingsProblems } from '../../../deploy/flink/read-settings.ts';
import { firehoseRecordMaxBytes } from '../../../enrich/firehose/pack-rows.ts';
import type { BatchLine } from '../../../enrich/firehose/row-line.ts';
import { lineWriter } from '../../../enrich/firehose/row-line.ts';
import type { Origin } from '../../../topology/nodes/sink.ts';
import type { TableDefinition } from '../../../topology/operators/sink/table-definition.ts';
import { event } from '../../../topology/testing.ts';
import { rowsOf } from '../../enrich/support.ts';
import { root, temporaryFolder } from '../../repo/support.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { Asked, Fault } from '../../servers/fault-proxy.ts';
import { hoseThrottled, pass } from '../../servers/fault-proxy.ts';
import { javaMissing } from '../../servers/jars.ts';
import { motoRig } from '../stores/s3/support.ts';
import type { Sold } from './delivery-topology.ts';
import topology, { soldMs } from './delivery-topology.ts';

const run = promisify(execFile);
const buildMaxMs = 600_000;
const runMaxMs = 480_000;
const recordRowsMax = 500;

const tableOf = (id: string): TableDefinition => {
  const node = topology.plan.nodes.find((one) => one.id === id);
  if (node?.kind !== 'sink' || node.sink.kind !== 'table') throw new Error(`no table ${id}`);
  return node.sink;
};

/** The engine's lines of rows of records as the job's source reads them. */
function engineLines(id: string, rows: readonly Sold[]): readonly BatchLine[] {
  const { schema, partitionBy } = tableOf(id);
  const { owner } = topology.plan;
  const linesOf = lineWriter({ schema, partitionBy, owner, sink: `sold/${id}` });
  const origin = (line: number): Origin =>
    ({ stream: 'shop/sold', path: 'kinesis', split: '0', position: String(line) }) as Origin;
  return linesOf({
    length: rows.length,
    values: rows,
    timestamps: rows.map(({ n }) => soldMs(n)),
    origins: rows.map((_, at) => origin(at + 1)),
  }).lines;
}

const textsOf = (lines: readonly BatchLine[]): readonly string[] =>
  lines.map(({ line }) => line.toString().trimEnd());

const usual = Array.from({ length: 700 }, (_, n): Sold => {
  return { n, team: `team-${n % 3}`, price: n / 7, note: `“${n}” é` };
});
const long = (n: number, length: number): Sold => {
  return { n, team: 'team-1', price: 0, note: 'x'.repeat(length) };
};
/** A folder that is not plain; a row that fills a record; one that is a byte larger. */
const padding = firehoseRecordMaxBytes - (engineLines('all', [long(-2, 0)])[0]?.line.length ?? 0);
const sold = [
  ...usual,
  { n: -1, team: '100% #1', price: 0, note: '' },
  long(-2, padding),
  long(-3, padding + 1),
];

const place = (more: object = {}) => ({
  connector: 'firehose',
  deliveryStream: 'all',
  fallback: { connector: 'lines', path: '/beside' },
  ...more,
});

it('is told what of its settings does not fit', () => {
  const problems = (all: object): readonly string[] =>
    settingsProblems(
      {
        sources: { events: { connector: 'lines', path: '/events' } },
        sinks: { all, part: place() },
        rejected: { connector: 'lines', path: '/rejected' },
      },
      flinkPlan(topology),
    );
  expect(problems(place({ region: 'eu-central-1', format: 'iceberg' }))).toEqual([]);
  expect(problems(place({ format: 'csv', fallback: { connector: 'neo4j' } }))).toEqual([
    'sinks.all.format: expected parquet or iceberg, got "csv"',
    expect.stringMatching(/^sinks\.all\.fallback\.connector: expected lines, parquet, got/),
  ]);
  expect(problems({ connector: 'firehose' })).toEqual([
    expect.stringMatching(/^sinks\.all\.deliveryStream: expected the name of a delivery stream/),
    expect.stringMatching(/^sinks\.all\.fallback: expected \{"connector": "lines"/),
  ]);
});

const isMissing = javaMissing() !== undefined || pythonMissing() !== undefined;

describe.skipIf(isMissing)('a table that a Flink job gives to Firehose', () => {
  const rig = motoRig('delivered');

  beforeAll(async () => {
    const { moto } = rig();
    const firehose = new FirehoseClient({ endpoint: moto.endpoint, region: moto.region });
    for (const name of ['all', 'part'])
      await firehose.send(
        new CreateDeliveryStreamCommand({
          DeliveryStreamName: name,
          ExtendedS3DestinationConfiguration: {
            RoleARN: 'arn:aws:iam::123456789012:role/r',
            BucketARN: 'arn:aws:s3:::delivered',
            Prefix: `${name}/`,
          },
        }),
      );
    firehose.destroy();
    await builtJob({ harness: true });
  }, buildMaxMs);

  /** Lines as they arrived. */
  const arrived = async (stream: string): Promise<readonly string[]> => {
    const { client } = rig();
    const found = { Bucket: 'delivered', Prefix: `${stream}/` };
    const texts: string[] = [];
    for (const { Key } of (await client.send(new ListObjectsV2Command(found))).Contents ?? []) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'delivered', Key }));
      texts.push((await Body?.transformToString()) ?? '');
    }
    return texts
      .join('')
      .split('\n')
      .filter((line) => line !== '');
  };

  /** The first put of `all` is throttled, and its second one done without an answer; of the first of
   * `part` the second record is not taken, the first is lost in the proxy. */
  function faults(): (asked: Asked) => Fault {
    const puts = { all: 0, part: 0 };
    const partial = {
      FailedPutCount: 1,
      RequestResponses: [
        { RecordId: '1' },
        { ErrorCode: 'InternalFailure', ErrorMessage: 'not taken' },
      ],
    };
    const contentType = 'application/x-amz-json-1.1';
    return ({ headers, body }) => {
      if (headers['x-amz-target'] !== 'Firehose_20150804.PutRecordBatch') return pass;
      const { DeliveryStreamName: name } = JSON.parse(body.toString()) as {
        readonly DeliveryStreamName: 'all' | 'part';
      };
      const nth = puts[name]++;
      if (name === 'part')
        return nth === 0
          ? { kind: 'answer', status: 200, body: JSON.stringify(partial), contentType }
          : pass;
      return nth === 0 ? hoseThrottled : nth === 1 ? { kind: 'lost-reply' } : pass;
    };
  }

  it(
    'comes as the lines of the engine, again only where the outcome was not known',
    async () => {
      const folder = temporaryFolder('flink-firehose');
      const path = (name: string): string => join(folder, name);
      const { endpoint } = rig().proxy;
      rig().proxy.decide = faults();
      const source = join(root, 'test/deploy/flink/delivery-topology.ts');
      const { planText, bundle } = await bundleForFlink(source);
      writeFileSync(path('plan.json'), planText);
      writeFileSync(path('bundle.js'), bundle);
      writeFileSync(
        path('events.ndjson'),
        sold.map((data, n) => `${JSON.stringify(event(data, { id: `e${n}` }))}\n`).join(''),
      );
      const sink = (id: string, connector: string) => ({
        ...place({ deliveryStream: id, region: rig().moto.region, endpoint }),
        fallback: { connector, path: path(`${id}-beside`) },
      });
      writeFileSync(
        path('settings.json'),
        JSON.stringify({
          parallelism: 1,
          sources: { events: { connector: 'lines', path: path('events.ndjson') } },
          sinks: { all: sink('all', 'parquet'), part: sink('part', 'lines') },
          rejected: { connector: 'lines', path: path('rejected') },
        }),
      );
      const { jar, flinkClassPath } = await builtJob({ harness: true });
      const given = ['plan.json', 'bundle.js', 'settings.json'].flatMap((name) => [
        `--${name.replace(/\..*/, '')}`,
        path(name),
      ]);
      const jvm = ['-Xmx1g', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...jvmOptions];
      const args = [...jvm, '-cp', `${jar}:${flinkClassPath}`, 'sluice.flink.Main', ...given];
      await run('java', args, { maxBuffer: 1 << 26 });

      const all = engineLines('all', sold);
      const fitting = all.filter((one) => one.isPlain && one.line.length <= firehoseRecordMaxBytes);
      expect(fitting.map(({ index }) => sold[index]?.n)).toEqual([...usual.map(({ n }) => n), -2]);
      const lines = textsOf(fitting);
      // Not compared by `toEqual`, which would print a line of a megabyte.
      const digest = (texts: readonly string[]): string =>
        createHash('sha256')
          .update([...texts].sort().join('\n'))
          .digest('hex');
      const found = await arrived('all');
      expect(found.length).toBe(2 * lines.length);
      expect(digest(found)).toBe(digest([...lines, ...lines]));
      const part = await arrived('part');
      const withoutOrder = part.map((line) => line.replace(/,"row_order":\d{16}\}$/, '}'));
      expect(withoutOrder).toEqual(textsOf(engineLines('part', usual)).slice(recordRowsMax));
      const orders = part.map((line) => Number(/"row_order":(\d+)/.exec(line)?.[1]));
      expect(orders.every((order, at) => at === 0 || order > (orders[at - 1] ?? 0))).toBe(true);
      const beside = await rowsOf(path('all-beside'), 'all');
      expect(beside.map(({ n }) => Number(n)).sort((a, b) => b - a)).toEqual([-1, -3]);
    },
    runMaxMs,
  );
});
