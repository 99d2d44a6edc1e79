/**
 * A run whose checkpoints are gone, or are an older copy, beside what earlier runs published: rows
 * come again, and never fewer.
 *
 * Names and marks were once made of attempts and checkpoint numbers, which begin at 1 again: files
 * were overwritten, rows were taken for repetitions, and the graph said that another process runs
 * the topology.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it, vi } from 'vitest';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import type { S3Place } from '../../deploy/stores/s3/s3-objects.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../schemas/kernel/clock.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Sink } from '../../topology/index.ts';
import {
  createJob,
  graph,
  graphModel,
  schemaOf,
  stream,
  table,
  topology,
} from '../../topology/index.ts';
import type { GraphDatabaseRig } from '../contract/graph-database.ts';
import { motoRig } from '../deploy/stores/s3/support.ts';
import { pythonMissing } from '../servers/cache.ts';
import type { MemoryStream } from '../topology/support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../topology/support.ts';
import { ladybugRig } from './graph/support.ts';
import type { LakePlace } from './support.ts';
import { lakeAt, rowsOf, temporaryFolders } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

type Rows = readonly Readonly<Record<string, unknown>>[];
type Blobs = ReturnType<typeof memoryBlobs>;

const newFolder = temporaryFolders('again');
const model = graphModel({
  nodes: { Number: { key: 'n', props: { n: 'integer', seen: 'integer' } } },
});
const row = schemaOf<{ id: string; n: number }>({
  $id: 'https://sluice.example/test/again',
  type: 'object',
  required: ['id', 'n'],
  properties: { id: { type: 'string' }, n: { type: 'integer' } },
});

/** Every tenth event is refused by the table. `version`: what the graph is told of each. */
const numbers = (version: number) =>
  topology('numbers', { version: 1, owner: 'a/b' }, (t) => {
    const events = t.source('in', stream('a/b'));
    events
      .map(({ id, data }) => ({ id, n: data as number }))
      .sinkTo('table', table('numbers', row));
    events.sinkTo(
      'graph',
      graph(model, ({ data }) =>
        typeof data === 'number' ? [model.Number({ n: data, seen: version })] : [],
      ),
    );
  });

class Rig {
  readonly lake: LakePlace;
  readonly events: MemoryStream = memoryStream(['kinesis', 'shard-0']);
  readonly #folder = newFolder();
  readonly #staging = localBlobStore(this.#folder);
  readonly #fileMaxAgeMs: number;
  #graph: Promise<GraphDatabaseRig> | undefined;
  #runs = 0;
  #put = 0;

  constructor(lake: LakePlace, fileMaxAgeMs = 0) {
    this.lake = lake;
    this.#fileMaxAgeMs = fileMaxAgeMs;
  }

  graph(): Promise<GraphDatabaseRig> {
    if (this.#graph === undefined) mkdirSync(this.#folder, { recursive: true });
    return (this.#graph ??= ladybugRig(this.#folder));
  }

  put(count: number): void {
    for (let i = 0; i < count; i++, this.#put++)
      put(this.events, 0, event(`e${this.#put}`, this.#put % 10 === 7 ? 'seven' : this.#put));
  }

  /**
   * A run, to the end of what is there. `turns`: how many events are read between two checkpoints.
   */
  async run(blobs: Blobs, turns = 5): Promise<void> {
    const { database } = await this.graph();
    const clock = manualClock(5_000_000);
    const job = createJob({
      topology: numbers(++this.#runs),
      blobs,
      connectors: {
        ...world({ 'a/b': this.events }).connectors,
        sink: ({ sink }, { owner, name }, run): Sink =>
          sink.kind === 'table'
            ? tableSink({
                ...{
                  lake: lakeAt(this.lake),
                  table: sink.table,
                  schema: sink.schema,
                  partitionBy: [],
                  owner,
                  topology: name,
                  run,
                  clock,
                },
                ...{ fileMaxBytes: 1e9, fileMaxAgeMs: this.#fileMaxAgeMs },
              })
            : graphSink({
                database,
                model: model.definition,
                staging: this.#staging,
                folder: 'staged',
                sink: 'numbers/graph',
                run,
              }),
        rejected: ({ name }, run) =>
          rejectedSink({ lake: lakeAt(this.lake), topology: name, run, clock }),
      },
      clock,
      random: seededRandom(this.#runs),
      checkpointIntervalMs: 0,
      turnBounds: { maxRecords: turns, maxBytes: 1e6 },
    });
    await job.open();
    const running = job.run();
    await job.drain();
    await running;
    await job.close();
  }

  async seenInGraph(): Promise<readonly (readonly unknown[])[]> {
    return (await this.graph()).ask(
      'MATCH (n:Number) RETURN n.seen AS seen, count(*) AS found ORDER BY seen',
    );
  }
}

const copyOf = (blobs: Blobs): Blobs => {
  const copy = memoryBlobs();
  for (const [key, bytes] of blobs.blobs) copy.blobs.set(key, bytes);
  return copy;
};

/** As they were made before there were lineages. */
const withoutLineage = (blobs: Blobs): Blobs => {
  const old = memoryBlobs();
  for (const [key, bytes] of blobs.blobs) {
    const { lineage: _, ...rest } = JSON.parse(Buffer.from(bytes).toString()) as Record<
      string,
      unknown
    >;
    old.blobs.set(key, Buffer.from(JSON.stringify(rest)));
  }
  return old;
};

/** How many rows an event has, by how many events have so many. */
const counted = (
  rows: Rows,
  of: (row: Readonly<Record<string, unknown>>) => number = () => 1,
): Readonly<Record<string, number>> => {
  const byId = new Map<string, number>();
  for (const found of rows)
    byId.set(String(found['id']), (byId.get(String(found['id'])) ?? 0) + of(found));
  const counts: Record<string, number> = {};
  for (const times of byId.values()) counts[String(times)] = (counts[String(times)] ?? 0) + 1;
  return counts;
};
const seen = (found: Readonly<Record<string, unknown>>): number => Number(found['seen']);

function lakeTests(
  newLake: () => LakePlace,
  rowsIn: (lake: LakePlace, name: string) => Promise<Rows>,
): void {
  describe.each([
    ['that publishes at each checkpoint', 0],
    ['whose files stay open', 60_000],
  ])('a table %s', (_, fileMaxAgeMs) => {
    it('has the rows of every start without a checkpoint, and none of them is overwritten or dropped', async () => {
      const rig = new Rig(newLake(), fileMaxAgeMs);
      rig.put(20);
      await rig.run(memoryBlobs());
      expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 1: 18 });
      await rig.run(memoryBlobs());
      expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 2: 18 });
      rig.put(20);
      // Others are read between two checkpoints now.
      await rig.run(memoryBlobs(), 3);
      expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 3: 18, 1: 18 });
      // A refused event is one row, however often it comes.
      expect(counted(await rowsIn(rig.lake, 'rejected'))).toEqual({ 1: 4 });
      expect(counted(await rowsIn(rig.lake, 'rejected'), seen)).toEqual({ 3: 2, 1: 2 });
      // And the graph is written again, whole.
      expect(await rig.seenInGraph()).toEqual([[3, 36]]);
    });

    it('goes on after a start without checkpoints as after any other', async () => {
      const rig = new Rig(newLake(), fileMaxAgeMs);
      const first = memoryBlobs();
      for (let n = 0; n < 3; n++) {
        rig.put(10);
        await rig.run(first);
      }
      const second = memoryBlobs();
      for (let n = 0; n < 3; n++) {
        rig.put(10);
        await rig.run(second);
      }
      expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 2: 27, 1: 27 });
      expect(counted(await rowsIn(rig.lake, 'rejected'), seen)).toEqual({ 2: 3, 1: 3 });
      expect(await rig.seenInGraph()).toEqual([
        [4, 36],
        [5, 9],
        [6, 9],
      ]);
    });

    it.each([0, 3])(
      'has the rows after an older copy of the checkpoints again, and none fewer, with %i runs more since',
      async (later) => {
        const rig = new Rig(newLake(), fileMaxAgeMs);
        const blobs = memoryBlobs();
        rig.put(10);
        await rig.run(blobs);
        const copy = copyOf(blobs);
        rig.put(20);
        await rig.run(blobs, 4);
        for (let n = 0; n < later; n++) await rig.run(blobs);
        await rig.run(copy, 4);
        rig.put(10);
        await rig.run(copy);
        expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 1: 18, 2: 18 });
        expect(counted(await rowsIn(rig.lake, 'rejected'), seen)).toEqual({ 1: 2, 2: 2 });
        expect(await rig.seenInGraph()).toEqual([
          [1, 9],
          [later + 3, 18],
          [later + 4, 9],
        ]);
      },
    );

    it('goes on from checkpoints of before there were lineages, each row once', async () => {
      const rig = new Rig(newLake(), fileMaxAgeMs);
      const blobs = memoryBlobs();
      rig.put(10);
      await rig.run(blobs);
      const old = withoutLineage(blobs);
      for (let n = 0; n < 2; n++) {
        rig.put(10);
        await rig.run(old);
      }
      expect(counted(await rowsIn(rig.lake, 'numbers'))).toEqual({ 1: 27 });
      expect(counted(await rowsIn(rig.lake, 'rejected'), seen)).toEqual({ 1: 3 });
      expect(await rig.seenInGraph()).toEqual([
        [1, 9],
        [2, 9],
        [3, 9],
      ]);
    });
  });
}

describe('a lake in a folder', () => {
  lakeTests(
    () => join(newFolder(), 'lake'),
    (lake, name) => rowsOf(lake as string, name),
  );
});

describe.skipIf(pythonMissing() !== undefined)('a lake in a bucket', () => {
  const moto = motoRig('again');
  let lakes = 0;
  lakeTests(
    () => ({ ...moto().place, prefix: `lake-${lakes++}` }),
    async (lake, name) => {
      const { bucket, prefix } = lake as S3Place;
      const { Contents = [] } = await moto().client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/${name}/` }),
      );
      const rows: Readonly<Record<string, unknown>>[] = [];
      for (const { Key = '' } of Contents) {
        if (!Key.endsWith('.parquet')) continue;
        const { Body } = await moto().client.send(new GetObjectCommand({ Bucket: bucket, Key }));
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        rows.push(...(await parquetReadObjects({ file: new Uint8Array(bytes).buffer })));
      }
      return rows;
    },
  );
});
