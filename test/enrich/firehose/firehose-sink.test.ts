/**
 * The Firehose sink against moto, which puts what it is given into S3 at once: what was written
 * arrives, through partial failures and lost answers, and is there twice only where an outcome was
 * unknown.
 */
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { firehoseStream } from '../../../deploy/streams/firehose/firehose-stream.ts';
import type { FirehoseCount } from '../../../enrich/firehose/deliver-call.ts';
import { firehoseAttemptsMax } from '../../../enrich/firehose/deliver-call.ts';
import { firehoseSink } from '../../../enrich/firehose/firehose-sink.ts';
import {
  firehoseCallMaxBytes,
  firehoseRecordMaxBytes,
  firehoseRecordMaxRows,
} from '../../../enrich/firehose/pack-rows.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { DeliveryStream } from '../../../schemas/ports/delivery-stream.ts';
import type { ElementBatch, Sink } from '../../../topology/index.ts';
import { motoRig } from '../../deploy/stores/s3/support.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { Asked, Fault } from '../../servers/fault-proxy.ts';
import { pass } from '../../servers/fault-proxy.ts';
import { tableRig, typedRow, typedSchema } from '../parquet/support.ts';
import { batchOf, fasterClock, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('firehose');
const at = Date.parse('2026-01-02T03:04:05Z');
const rowsFrom = (from: number, to: number, more: object = {}): ElementBatch =>
  batchOf(
    Array.from({ length: to - from }, (_, n) => typedRow(from + n, more)),
    () => at,
  );
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, n) => n);
const isPut = ({ headers }: Asked): boolean =>
  headers['x-amz-target'] === 'Firehose_20150804.PutRecordBatch';

describe.skipIf(pythonMissing() !== undefined)('the Firehose sink', { timeout: 120_000 }, () => {
  const rig = motoRig('delivered');
  let streams = 0;

  interface Made {
    readonly sink: Sink;
    readonly stream: string;
    readonly counts: Record<FirehoseCount, number>;
    /** Rows by `n`, as often as they are there. */
    readonly arrived: () => Promise<readonly Readonly<Record<string, unknown>>[]>;
    readonly table: ReturnType<typeof tableRig>;
  }

  let firehose: FirehoseClient;
  beforeAll(() => {
    firehose = new FirehoseClient({ endpoint: rig().moto.endpoint, region: rig().moto.region });
  });

  const connectTo = (deliveryStream: string, clock: Clock) => (): DeliveryStream =>
    firehoseStream({
      deliveryStream,
      endpoint: rig().proxy.endpoint,
      region: rig().moto.region,
      clock,
    });

  const make = async (stream?: string, clock: Clock = systemClock): Promise<Made> => {
    const DeliveryStreamName = stream ?? `stream-${streams++}`;
    if (stream === undefined) {
      const S3 = {
        RoleARN: 'arn:aws:iam::123456789012:role/r',
        BucketARN: 'arn:aws:s3:::delivered',
        Prefix: `${DeliveryStreamName}/`,
      };
      await firehose.send(
        new CreateDeliveryStreamCommand({
          DeliveryStreamName,
          ExtendedS3DestinationConfiguration: S3,
        }),
      );
    }
    const counts = { delivered: 0, throttled: 0, again: 0, unknown: 0, fallback: 0 };
    const table = tableRig(folder(), 0);
    const sink = firehoseSink({
      connect: connectTo(DeliveryStreamName, clock),
      schema: typedSchema,
      owner: { team: 'own', app: 'er' },
      sink: 't/typed',
      clock,
      random: systemRandom,
      fallback: table.sink(1),
      count: (what, rows) => {
        counts[what] += rows;
      },
    });
    const arrived = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => {
      const { client } = rig();
      const listed = await client.send(
        new ListObjectsV2Command({ Bucket: 'delivered', Prefix: `${DeliveryStreamName}/` }),
      );
      const texts: string[] = [];
      for (const { Key } of listed.Contents ?? []) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: 'delivered', Key }));
        texts.push((await Body?.transformToString()) ?? '');
      }
      return texts
        .join('')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .sort((a, b) => Number(a['n']) - Number(b['n']));
    };
    return { sink, stream: DeliveryStreamName, counts, arrived, table };
  };

  const numbers = (rows: readonly Readonly<Record<string, unknown>>[]): readonly number[] =>
    rows.map((row) => Number(row['n']));

  it('has delivered what a checkpoint covers before the checkpoint is complete, each row whole and once', async () => {
    const { sink, arrived, counts } = await make();
    await sink.open(undefined);
    expect(await sink.write(rowsFrom(0, 1_300))).toEqual([]);
    expect(sink.pendingRows()).toBe(1_300);
    await sink.prepare(1, false);
    expect(sink.pendingRows()).toBe(0);
    const rows = await arrived();
    expect(numbers(rows)).toEqual(upTo(1_300));
    expect(rows[5]).toMatchObject({
      ...typedRow(5),
      team: 'own',
      app: 'er',
      date: '2026-01-02',
      hour: '03',
    });
    expect(new Set(rows.map((row) => row['row_id'])).size).toBe(1_300);
    expect(counts).toEqual({ delivered: 1_300, throttled: 0, again: 0, unknown: 0, fallback: 0 });
    expect(rig().proxy.asked.filter(isPut)).toHaveLength(1);
    await sink.commit(1);
    await sink.close();
  });

  it('puts again what was not taken, and only that', async () => {
    const { sink, arrived, counts } = await make();
    await sink.open(undefined);
    const reply = {
      FailedPutCount: 1,
      RequestResponses: [
        { RecordId: '1' },
        { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'slow' },
      ],
    };
    let partial = 1;
    let refusals = 2;
    rig().proxy.decide = (asked): Fault => {
      const answer = (status: number, body: object): Fault => ({
        kind: 'answer',
        status,
        body: JSON.stringify(body),
        contentType: 'application/x-amz-json-1.1',
      });
      if (!isPut(asked)) return pass;
      if (partial-- > 0) return answer(200, reply);
      return refusals-- > 0
        ? answer(503, { __type: 'ServiceUnavailableException', message: 'slow down' })
        : pass;
    };
    await sink.write(rowsFrom(0, 700));
    await sink.prepare(1, false);
    // The first record was taken by the proxy, which kept nothing: the other 200 rows came again,
    // alone.
    expect(numbers(await arrived())).toEqual(upTo(700).slice(500));
    expect(counts).toEqual({ delivered: 700, throttled: 600, again: 0, unknown: 0, fallback: 0 });
    await sink.close();
  });

  it('has rows twice only after an unknown outcome, counts them, and gives them one identity', async () => {
    const { sink, arrived, counts } = await make();
    await sink.open(undefined);
    const faults: readonly Fault[] = [
      { kind: 'lost-reply' },
      { kind: 'reset' },
      { kind: 'late', ms: 50 },
    ];
    let nth = 0;
    rig().proxy.decide = (asked) => (isPut(asked) ? (faults[nth++] ?? pass) : pass);
    await sink.write(rowsFrom(0, 10));
    await sink.prepare(1, false);
    await sink.write(rowsFrom(10, 20));
    await sink.prepare(2, false);
    const rows = await arrived();
    expect(numbers(rows)).toEqual([...upTo(10).flatMap((n) => [n, n]), ...upTo(20).slice(10)]);
    expect(counts).toEqual({ delivered: 20, throttled: 0, again: 0, unknown: 20, fallback: 0 });
    expect(new Set(rows.map((row) => row['row_id'])).size).toBe(20);
    await sink.close();
  });

  it('gives rows that a restart writes again the identity they had', async () => {
    const first = await make();
    await first.sink.open(undefined);
    await first.sink.write(rowsFrom(0, 3));
    await first.sink.prepare(1, false);
    await first.sink.close();
    const second = await make(first.stream);
    await second.sink.open(undefined);
    await second.sink.write(rowsFrom(0, 4));
    await second.sink.prepare(1, false);
    await second.sink.close();
    const rows = await second.arrived();
    expect([rows.length, new Set(rows.map((row) => row['row_id'])).size]).toEqual([7, 4]);
  });

  it('gives a row beyond one record to its table, with the checkpoint, and goes on', async () => {
    const { sink, arrived, counts, table } = await make();
    await sink.open(undefined);
    const note = 'x'.repeat(firehoseRecordMaxBytes);
    const batch = batchOf(
      [typedRow(0), typedRow(1, { note }), { n: 'bad' }, typedRow(3)],
      () => at,
    );
    expect((await sink.write(batch)).map(({ index }) => index)).toEqual([2]);
    expect(sink.pendingRows()).toBe(3);
    const state = JSON.parse(JSON.stringify(await sink.prepare(1, false))) as unknown;
    expect(await table.numbers()).toEqual([]);
    await sink.close();
    expect(numbers(await arrived())).toEqual([0, 3]);
    expect(counts.fallback).toBe(1);
    const fallback = table.sink(2);
    const again = firehoseSinkOf(fallback);
    await again.open(state);
    expect(await table.numbers()).toEqual([1]);
    await again.close();
  });

  it('makes visible what the table had staged before it was delivered', async () => {
    const table = tableRig(folder(), 0);
    const parquet = table.sink(1);
    await parquet.open(undefined);
    await parquet.write(rowsFrom(0, 3));
    const state = await parquet.prepare(1, false);
    await parquet.close();
    expect(await table.numbers()).toEqual([]);
    const { stream } = await make();
    const delivered = firehoseSinkOf(table.sink(2), stream);
    await delivered.open(state);
    expect(await table.numbers()).toEqual([0, 1, 2]);
    await delivered.close();
  });

  const firehoseSinkOf = (fallback: Sink, deliveryStream = 'stream-0'): Sink =>
    firehoseSink({
      connect: connectTo(deliveryStream, systemClock),
      schema: typedSchema,
      owner: { team: 'own', app: 'er' },
      sink: 't/typed',
      clock: systemClock,
      random: systemRandom,
      fallback,
    });

  it('holds many rows in bounds: calls are within the limits, and no more are under way than may be', async () => {
    const { sink, arrived } = await make();
    await sink.open(undefined);
    const note = 'y'.repeat(50_000);
    for (let n = 0; n < 4; n++) await sink.write(rowsFrom(n * 100, n * 100 + 100, { note }));
    await sink.prepare(1, false);
    const puts = rig().proxy.asked.filter(isPut);
    expect(puts.length).toBeGreaterThan(5);
    for (const { body } of puts) expect(body.length).toBeLessThanOrEqual(firehoseCallMaxBytes);
    expect(numbers(await arrived())).toEqual(upTo(400));
    await sink.close();
  });

  const answering = (status: number, body: object): Fault => ({
    kind: 'answer',
    status,
    body: JSON.stringify(body),
    contentType: 'application/x-amz-json-1.1',
  });

  for (const [what, throttled] of [
    [
      'whole calls',
      answering(503, { __type: 'ServiceUnavailableException', message: 'Slow down.' }),
    ],
    [
      'each record',
      answering(200, {
        FailedPutCount: 1,
        RequestResponses: [{ ErrorCode: 'ServiceUnavailableException' }],
      }),
    ],
    [
      'calls by their rate',
      answering(400, { __type: 'ThrottlingException', message: 'Rate exceeded' }),
    ],
  ] as const) {
    it(`goes on more slowly, and fails of nothing, while the stream throttles ${what} more often than a failure is tried`, async () => {
      const { sink, arrived, counts } = await make(undefined, fasterClock(100));
      await sink.open(undefined);
      const answers = 3 * firehoseAttemptsMax;
      rig().proxy.decide = (_asked, nth) => (nth < answers ? throttled : pass);
      await sink.write(rowsFrom(0, 10));
      await sink.prepare(1, false);
      expect(numbers(await arrived())).toEqual(upTo(10));
      expect(counts).toEqual({
        delivered: 10,
        throttled: 10 * answers,
        again: 0,
        unknown: 0,
        fallback: 0,
      });
      await sink.close();
    });
  }

  it('waits for a look at the stream that is throttled, when it opens', async () => {
    const { sink } = await make(undefined, fasterClock(100));
    rig().proxy.decide = (_asked, nth) =>
      nth < 5
        ? answering(400, { __type: 'LimitExceededException', message: 'Rate exceeded' })
        : pass;
    await sink.open(undefined);
    await sink.close();
  });

  it('ends when it is closed while the stream throttles', async () => {
    const { sink } = await make(undefined, fasterClock(100));
    await sink.open(undefined);
    await sink.write(rowsFrom(0, 10));
    rig().proxy.decide = () =>
      answering(503, { __type: 'ServiceUnavailableException', message: 'Slow down.' });
    const preparing = sink.prepare(1, false);
    await Promise.all([
      expect(preparing).rejects.toMatchObject({ code: 'firehose-failed', retryable: true }),
      sink.close(),
    ]);
  });

  it('does not count failures of a call that something was taken of', async () => {
    const { sink, counts } = await make(undefined, fasterClock(100));
    await sink.open(undefined);
    const records = firehoseAttemptsMax + 3;
    await sink.write(rowsFrom(0, records * firehoseRecordMaxRows));
    // Each call takes its first record and fails of the others.
    rig().proxy.decide = ({ body }) => {
      const { Records: sent } = JSON.parse(body.toString()) as {
        readonly Records: readonly unknown[];
      };
      const outcomes = sent.map((_, n) =>
        n === 0 ? { RecordId: '1' } : { ErrorCode: 'InternalFailure' },
      );
      return answering(200, { FailedPutCount: sent.length - 1, RequestResponses: outcomes });
    };
    await sink.prepare(1, false);
    expect(counts.delivered).toBe(records * firehoseRecordMaxRows);
    await sink.close();
  });

  it('puts again what was answered without an end', async () => {
    const { sink, counts } = await make(undefined, fasterClock(100));
    await sink.open(undefined);
    await sink.write(rowsFrom(0, 10));
    rig().proxy.decide = (_asked, nth) => (nth === 0 ? { kind: 'endless-reply' } : pass);
    await sink.prepare(1, false);
    expect(counts).toMatchObject({ delivered: 10, unknown: 10 });
    await sink.close();
  });

  it('says what is missing: the delivery stream, or the right', async () => {
    const fallback = tableRig(folder(), 0).sink(1);
    await expect(firehoseSinkOf(fallback, 'none').open(undefined)).rejects.toMatchObject({
      code: 'delivery-stream-missing',
    });
    rig().proxy.decide = () => ({
      kind: 'answer',
      status: 400,
      body: JSON.stringify({
        __type: 'AccessDeniedException',
        message: 'User: arn:aws:iam::123456789012:user/x is not authorized',
      }),
      contentType: 'application/x-amz-json-1.1',
    });
    const fault = (await firehoseSinkOf(fallback)
      .open(undefined)
      .catch((thrown: unknown) => thrown)) as Error;
    expect(fault).toMatchObject({
      code: 'firehose-refused',
      fix: expect.stringContaining('firehose:DescribeDeliveryStream') as string,
    });
    expect(fault.message).not.toContain('123456789012');
  });

  it('fails for good when its tries are used up, and the checkpoint with it', async () => {
    const { sink } = await make();
    await sink.open(undefined);
    await sink.write(rowsFrom(0, 1));
    rig().proxy.decide = (asked) => (isPut(asked) ? { kind: 'reset' } : pass);
    await expect(sink.prepare(1, false)).rejects.toMatchObject({
      code: 'firehose-failed',
      retryable: true,
    });
    expect(rig().proxy.asked.filter(isPut)).toHaveLength(firehoseAttemptsMax);
    await expect(sink.write(rowsFrom(1, 2))).rejects.toMatchObject({ code: 'firehose-failed' });
    await sink.close();
  });
});
