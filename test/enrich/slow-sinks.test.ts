/**
 * A delivery stream or a table that hangs, beside a table that does not: how long that keeps the
 * other one from being published. A graph may be late
 * (test/topology/runtime/late-sinks-job.test.ts); what else is slow is waited for, for
 * `limits.checkpointSinksMaxMs` and no longer: then the run ends, and the next one begins at the
 * last checkpoint, with all rows, once what hung is back.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { beforeAll, describe, expect, it } from 'vitest';
import { firehoseStream } from '../../deploy/streams/firehose/firehose-stream.ts';
import { firehoseSink } from '../../enrich/firehose/firehose-sink.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { manualClock, systemClock } from '../../schemas/kernel/clock.ts';
import { seededRandom, systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { Job, Sink } from '../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../topology/index.ts';
import { motoRig } from '../deploy/stores/s3/support.ts';
import { pythonMissing } from '../servers/cache.ts';
import type { Asked } from '../servers/fault-proxy.ts';
import { pass } from '../servers/fault-proxy.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../topology/support.ts';
import { lakeAt, temporaryFolders } from './support.ts';

const newFolder = temporaryFolders('slow-sinks');
const idRow = schemaOf<{ readonly id: string }>({
  $id: 'https://sluice.example/test/slow-row',
  type: 'object',
  properties: { id: { type: 'string' } },
  required: ['id'],
});
const two = topology('two', { version: 1, owner: 'a/b' }, (t) => {
  const ids = t.source('events', stream('a/b')).map((e) => ({ id: e.id }));
  ids.sinkTo('prompt', table('prompt', idRow));
  ids.sinkTo('slow', table('slow', idRow));
});
const owner = { team: 'a', app: 'b' };
const waitMaxMs = 30_000;
const intervalMs = 1_000;

const places = [
  {
    what: 'a delivery stream that takes nothing',
    isHeld: ({ operation }: Asked): boolean => operation === 'PutRecordBatch',
  },
  {
    what: 'a table that S3 does not stage',
    isHeld: ({ method, path }: Asked): boolean => method === 'PUT' && path.includes('.staging'),
  },
  {
    what: 'a table that S3 does not publish',
    isHeld: ({ method, path }: Asked): boolean =>
      method === 'PUT' && path.includes('/slow/') && !path.includes('.staging'),
  },
] as const;

/** Polls until it says yes. */
async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  meanwhile: () => void = () => undefined,
): Promise<void> {
  for (const deadline = performance.now() + waitMaxMs; !(await isSo()); await wait(10)) {
    if (performance.now() > deadline) expect.fail(`not within ${waitMaxMs} ms: ${what}`);
    meanwhile();
  }
}

describe.skipIf(pythonMissing() !== undefined)('a sink that hangs', { timeout: 120_000 }, () => {
  const rig = motoRig('slow-sinks');
  let made = 0;

  beforeAll(async () => {
    const firehose = new FirehoseClient({
      endpoint: rig().moto.endpoint,
      region: rig().moto.region,
    });
    const S3 = {
      RoleARN: 'arn:aws:iam::123456789012:role/r',
      BucketARN: 'arn:aws:s3:::slow-sinks',
      Prefix: 'delivered/',
    };
    await firehose.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName: 'slow',
        ExtendedS3DestinationConfiguration: S3,
      }),
    );
    firehose.destroy();
  });

  const objectsIn = async (Prefix: string): Promise<readonly Buffer[]> => {
    const bodies: Buffer[] = [];
    const { Contents = [] } = await rig().client.send(
      new ListObjectsV2Command({ Bucket: 'slow-sinks', Prefix }),
    );
    for (const { Key } of Contents) {
      const { Body } = await rig().client.send(new GetObjectCommand({ Bucket: 'slow-sinks', Key }));
      bodies.push(Buffer.from((await Body?.transformToByteArray()) ?? []));
    }
    return bodies;
  };

  interface Slow {
    sink(run: RunId): Sink;
    /** Ids, once each. */
    ids(): Promise<readonly string[]>;
  }

  const tableIn = (prefix: string): Slow => ({
    sink: (run) =>
      tableSink({
        lake: lakeAt({ ...rig().place, prefix }),
        ...{ table: 'slow', schema: idRow.document as JsonSchema, partitionBy: [], owner },
        ...{ topology: 'two', run, fileMaxBytes: 1e9, fileMaxAgeMs: 0, clock: systemClock },
      }),
    async ids() {
      const ids: string[] = [];
      for (const bytes of await objectsIn(`${prefix}/slow/`)) {
        const file = new Uint8Array(bytes).buffer;
        ids.push(...(await parquetReadObjects({ file })).map((row) => String(row['id'])));
      }
      return ids.toSorted();
    },
  });

  const delivered = (): Slow => ({
    sink: (run) =>
      firehoseSink({
        connect: () =>
          firehoseStream({
            ...{
              deliveryStream: 'slow',
              endpoint: rig().proxy.endpoint,
              region: rig().moto.region,
            },
            clock: systemClock,
          }),
        ...{ schema: idRow.document as JsonSchema, owner, sink: 'two/slow' },
        ...{ clock: systemClock, random: systemRandom },
        fallback: tableSink({
          lake: lakeAt(newFolder()),
          ...{ table: 'slow', schema: idRow.document as JsonSchema, partitionBy: [], owner },
          ...{ topology: 'two', run, fileMaxBytes: 1e9, fileMaxAgeMs: 0, clock: systemClock },
        }),
      }),
    async ids() {
      const lines = (await objectsIn('delivered/')).flatMap((bytes) =>
        bytes.toString().split('\n'),
      );
      const rows = lines
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
      return [
        ...new Map(rows.map((row) => [row['row_id'], String(row['id'])])).values(),
      ].toSorted();
    },
  });

  it.each(places)(
    '$what holds back no other table for longer than is declared, and nothing is lost or twice',
    async ({ what, isHeld }) => {
      const slow = what.startsWith('a delivery') ? delivered() : tableIn(`lake-${made++}`);
      const { connectors, streams, tables } = world({ 'a/b': memoryStream(['kinesis', '0']) });
      const clock = manualClock(5_000_000);
      const blobs = memoryBlobs();
      const sent: string[] = [];
      const send = (): void => {
        for (let n = 0; n < 3; n++) {
          const id = `e${sent.length}`;
          sent.push(id);
          const [to] = Object.values(streams);
          if (to !== undefined) put(to, 0, event(id, {}));
        }
      };
      const prompt = (): readonly string[] =>
        (tables['prompt']?.visible ?? [])
          .map((row) => (row as { readonly id: string }).id)
          .toSorted();
      const start = async (): Promise<{ readonly job: Job; readonly ended: Promise<unknown> }> => {
        const job = createJob({
          topology: two,
          blobs,
          connectors: {
            ...connectors,
            sink: (node, of, run) =>
              node.id === 'slow' ? slow.sink(run) : connectors.sink(node, of, run),
          },
          clock,
          random: seededRandom(1),
          checkpointIntervalMs: intervalMs,
        });
        await job.open();
        const ended = job.run().then(
          () => 'stopped',
          (thrown: unknown) => thrown,
        );
        return { job, ended };
      };
      const tick = (): void => clock.advance(50);

      const first = await start();
      send();
      const isAll = async (): Promise<boolean> =>
        prompt().length === sent.length && (await slow.ids()).length === sent.length;
      await until('the first rows', isAll, tick);

      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      let held = 0;
      rig().proxy.decide = (asked) => {
        if (!isHeld(asked)) return pass;
        held++;
        return { kind: 'held', until: released };
      };
      send();
      await until('a call that hangs', () => held > 0, tick);
      const hungAtMs = clock.monotonic();
      let outcome: unknown;
      void first.ended.then((is) => {
        outcome = is;
      });
      send();
      await until(
        'the end of the run',
        () => outcome !== undefined,
        () => {
          const passedMs = clock.monotonic() - hungAtMs;
          if (passedMs < limits.checkpointSinksMaxMs) clock.advance(10_000);
          // What it failed of ends it at its next turn.
          else if (passedMs < limits.checkpointSinksMaxMs + intervalMs) tick();
        },
      );
      expect(outcome).toMatchObject({ code: 'checkpoint-timeout', retryable: true });

      rig().proxy.decide = () => pass;
      release();
      await first.job.close();
      const next = await start();
      await until('all rows', isAll, tick);
      next.job.stop();
      await until(
        'the end',
        async () => (await Promise.race([next.ended, wait(1)])) !== undefined,
        tick,
      );
      await next.job.close();
      expect(prompt()).toEqual(sent.toSorted());
      expect(await slow.ids()).toEqual(sent.toSorted());
    },
  );
});
