/**
 * `row_id` in every sink: rows of lists, windows and joins, many of them equal, through runs that
 * end after their rows were delivered and before their checkpoint. A reader that keeps one row of
 * each `row_id` has each row once; equal rows of two turns once had one, and the reader lost the
 * second.
 */
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { S3Place } from '../../deploy/stores/s3/s3-objects.ts';
import { firehoseStream } from '../../deploy/streams/firehose/firehose-stream.ts';
import { firehoseSink } from '../../enrich/firehose/firehose-sink.ts';
import { firehoseRecordMaxBytes } from '../../enrich/firehose/pack-rows.ts';
import { queryLake } from '../../enrich/lake/query.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { manualClock, systemClock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Plan, Sink, SinkNode, StreamDefinition } from '../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
  validateTopology,
} from '../../topology/index.ts';
import { motoRig } from '../deploy/stores/s3/support.ts';
import { pythonMissing } from '../servers/cache.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../topology/support.ts';
import type { LakePlace } from './support.ts';
import { lakeAt, rowsOf, temporaryFolders } from './support.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];
type MakeSink = (node: SinkNode, plan: Plan, attempt: number) => Sink;

const newFolder = temporaryFolders('row-id');
const tables = ['parts', 'windows', 'pairs'] as const;
const row = schemaOf<{ n: number; note?: string }>({
  $id: 'https://sluice.example/test/row-id',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' }, note: { type: 'string' } },
});
const note = 'x'.repeat(firehoseRecordMaxBytes);
const events = 12;

const equals = topology('equals', { version: 1, owner: 'a/b' }, (t) => {
  const all = t
    .source('in', stream('a/b') as StreamDefinition<{ data: number }>)
    .eventTime('time', (e) => 1_000 + e.data * 400, {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });
  const keyed = () => all.keyBy(() => 'k');
  const options = { partitionBy: [], rowId: true } as const;
  all
    .flatMap((e) => [{ n: 1 }, { n: 1 }, ...(e.data === 3 ? [{ n: 2, note }] : [])])
    .sinkTo('parts', table('parts', row, options));
  keyed()
    .window('w', tumbling('1s'))
    .aggregate({ n: count() })
    .out.map(() => ({ n: 1 }))
    .sinkTo('windows', table('windows', row, options));
  keyed()
    .intervalJoin('j', keyed(), { lower: 0, upper: '400ms' }, () => ({ n: 1 }))
    .out.sinkTo('pairs', table('pairs', row, options));
});

/**
 * Reads all events in runs of a few turns each; three of them end after their sinks have staged,
 * without the checkpoint.
 */
async function play(makeSink: MakeSink): Promise<void> {
  const made = memoryStream(['kinesis', 'shard-0']);
  for (let n = 0; n < events; n++) put(made, 0, event(`e${n}`, n));
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  let kills = 3;
  for (let attempt = 1, ended = false; !ended; attempt++) {
    let prepared = 0;
    const sink = (node: SinkNode, plan: Plan): Sink => {
      const made = makeSink(node, plan, attempt);
      const prepare = made.prepare.bind(made);
      made.prepare = async (checkpoint, last) => {
        const state = await prepare(checkpoint, last);
        if (node.id !== 'pairs' || ++prepared < 2 || kills === 0) return state;
        kills--;
        throw new SluiceError('worker-ended', 'the run ends here', { retryable: true });
      };
      return made;
    };
    const job = createJob({
      topology: equals,
      blobs,
      connectors: { ...world({ 'a/b': made }).connectors, sink },
      clock,
      random: seededRandom(attempt),
      checkpointIntervalMs: 0,
      turnBounds: { maxRecords: 1 + (attempt % 3), maxBytes: 1e9 },
    });
    await job.open();
    const running = job.run().then(
      () => true,
      () => false,
    );
    await job.drain();
    ended = await running;
    await job.close();
  }
  expect(kills).toBe(0);
}

const tableSinkIn =
  (lake: LakePlace): MakeSink =>
  ({ sink }, { name, owner }, attempt) => {
    if (sink.kind !== 'table') throw new Error('only tables');
    return tableSink({
      ...{
        lake: lakeAt(lake),
        table: sink.table,
        schema: sink.schema,
        partitionBy: sink.partitionBy,
        rowId: sink.rowId === true,
        owner,
      },
      ...{
        topology: name,
        run: { attempt, lineage: '00000000aa', id: `00000${attempt}` },
        fileMaxBytes: 1e9,
        fileMaxAgeMs: 0,
      },
      clock: systemClock,
    });
  };

const idsOf = (rows: Rows): readonly string[] =>
  rows.map((found) => String(found['row_id'])).toSorted();
const expected = { parts: 2 * events + 1, windows: 5, pairs: 2 * events - 1 };

async function localIds(): Promise<Readonly<Record<string, readonly string[]>>> {
  const lake = newFolder();
  await play(tableSinkIn(lake));
  const found = await Promise.all(
    tables.map(async (name) => [name, idsOf(await rowsOf(lake, name))] as const),
  );
  return Object.fromEntries(found);
}

describe('row_id', { timeout: 120_000 }, () => {
  it('is another one for each row of a local lake, and is what SQL finds', async () => {
    const lake = newFolder();
    await play(tableSinkIn(lake));
    for (const name of tables) {
      const ids = idsOf(await rowsOf(lake, name));
      expect([name, ids.length, new Set(ids).size]).toEqual([name, expected[name], expected[name]]);
      expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
    }
    const { rows } = await queryLake(
      lake,
      'SELECT count(DISTINCT row_id) AS ids, count(*) AS rows FROM pairs',
    );
    expect(rows).toEqual([[expected.pairs, expected.pairs]]);
  });

  it('is a column only where it is asked for, and no column of the author has its name', async () => {
    expect(table('plain', row).definition).not.toHaveProperty('rowId');
    const own = schemaOf<{ row_id: string }>({
      $id: 'own',
      type: 'object',
      properties: { row_id: { type: 'string' } },
    });
    const of = topology('own', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .map(() => ({ row_id: '1' }))
        .sinkTo('rows', table('rows', own, { rowId: true }));
    });
    expect(validateTopology(of).map(({ node, message }) => `${node}: ${message}`)).toEqual([
      "rows: the column name 'row_id' is reserved: readers or delivery use it for columns of their own",
    ]);
  });

  describe.skipIf(pythonMissing() !== undefined)('on S3 and by Firehose', () => {
    const rig = motoRig('delivered');

    const objectsIn = async (Bucket: string, Prefix: string): Promise<readonly Uint8Array[]> => {
      const { Contents = [] } = await rig().client.send(
        new ListObjectsV2Command({ Bucket, Prefix }),
      );
      const bodies: Uint8Array[] = [];
      for (const { Key } of Contents) {
        const { Body } = await rig().client.send(new GetObjectCommand({ Bucket, Key }));
        bodies.push((await Body?.transformToByteArray()) ?? new Uint8Array());
      }
      return bodies;
    };
    const parquetRows = async (Bucket: string, Prefix: string): Promise<Rows> => {
      const rows: Record<string, unknown>[] = [];
      for (const bytes of await objectsIn(Bucket, Prefix))
        if (Buffer.from(bytes.subarray(0, 4)).toString() === 'PAR1')
          rows.push(...(await parquetReadObjects({ file: bytes.slice().buffer as ArrayBuffer })));
      return rows;
    };

    it('is in a bucket what it is in a folder', async () => {
      const place: S3Place = { ...rig().place, bucket: 'lake', prefix: 'tables' };
      await rig().client.send(new CreateBucketCommand({ Bucket: place.bucket }));
      await play(tableSinkIn(place));
      const local = await localIds();
      for (const name of tables)
        expect(idsOf(await parquetRows('lake', `tables/${name}/`))).toEqual(local[name]);
    });

    it('knows what Firehose was given twice, and nothing else; a row beyond one record has it in its file', async () => {
      const firehose = new FirehoseClient({
        endpoint: rig().moto.endpoint,
        region: rig().moto.region,
      });
      for (const name of tables) {
        const S3 = {
          RoleARN: 'arn:aws:iam::123456789012:role/r',
          BucketARN: 'arn:aws:s3:::delivered',
          Prefix: `${name}/`,
        };
        await firehose.send(
          new CreateDeliveryStreamCommand({
            DeliveryStreamName: name,
            ExtendedS3DestinationConfiguration: S3,
          }),
        );
      }
      const lake = newFolder();
      await play((node, plan, attempt) => {
        const { sink } = node;
        if (sink.kind !== 'table') throw new Error('only tables');
        return firehoseSink({
          connect: () =>
            firehoseStream({
              deliveryStream: sink.table,
              endpoint: rig().moto.endpoint,
              region: rig().moto.region,
              clock: systemClock,
            }),
          ...{
            schema: sink.schema,
            owner: plan.owner,
            sink: `${plan.name}/${sink.table}`,
          },
          ...{
            clock: systemClock,
            random: seededRandom(attempt),
            fallback: tableSinkIn(lake)(node, plan, attempt),
          },
        });
      });
      const local = await localIds();
      for (const name of tables) {
        const texts = (await objectsIn('delivered', `${name}/`)).map((bytes) =>
          Buffer.from(bytes).toString(),
        );
        const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
        const delivered = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
        const inFiles = name === 'parts' ? await rowsOf(lake, name) : [];
        expect(inFiles).toHaveLength(name === 'parts' ? 1 : 0);
        const ids = idsOf([...delivered, ...inFiles]);
        expect([...new Set(ids)]).toEqual(local[name]);
        expect(ids.length).toBeGreaterThan(expected[name]);
      }
      firehose.destroy();
    });
  });
});
