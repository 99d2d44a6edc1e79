import type { ServerResponse } from 'node:http';
import { cbor } from '@smithy/core/cbor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKinesisWriter } from '../../../../deploy/streams/kinesis/kinesis-writer.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../../../schemas/ports/record-writer.ts';
import type { StreamHarness } from '../../../contract/record-stream.ts';
import { readAll, recordStreamContract } from '../../../contract/record-stream.ts';
import { recordWriterContract } from '../../../contract/record-writer.ts';
import type { KinesisServer } from './kinesis-server.ts';
import { credentials, kinesisServer } from './kinesis-server.ts';

const region = 'eu-central-1';
const record = (key: string, text: string): OutgoingRecord => ({ key, value: [Buffer.from(text)] });
const kindsOf = (outcomes: readonly WriteOutcome[]): readonly string[] =>
  outcomes.map((outcome) =>
    outcome.kind === 'applied' ? 'applied' : `${outcome.kind} ${outcome.code}`,
  );

async function harness(): Promise<StreamHarness> {
  const server = await kinesisServer();
  const writer = createKinesisWriter({
    endpoint: server.endpoint,
    region,
    credentials,
    streams: new Map([['a/events', server.stream]]),
  });
  return {
    path: 'kinesis',
    stream: 'a/events',
    writer,
    reader: () => server.reader(),
    async close() {
      await writer.close();
      await server.close();
    },
  };
}

recordWriterContract('the Kinesis writer', harness);
describe('the Kinesis writer, read back', () => recordStreamContract(harness));

describe('the Kinesis writer and its endpoint', () => {
  let server: KinesisServer;
  let writer: RecordWriter;
  const told: string[] = [];
  const fixes: (string | undefined)[] = [];
  let counted = 0;
  beforeEach(async () => {
    told.length = 0;
    fixes.length = 0;
    counted = 0;
    server = await kinesisServer();
    writer = createKinesisWriter({
      endpoint: server.endpoint,
      region,
      credentials,
      streams: new Map([
        ['a/events', server.stream],
        ['a/gone', 'deleted-stream'],
      ]),
      tell: (stream, failure, cause) => {
        told.push(`${stream} ${failure.code} ${cause instanceof Error ? cause.name : ''}`);
        fixes.push(failure.fix);
      },
      failedForGood: () => void counted++,
    });
  });
  afterEach(async () => {
    await writer.close();
    await server.close();
  });

  const respond = (
    status: number,
    body: string,
  ): ((target: string, res: ServerResponse) => boolean) => {
    return (_target, res) => {
      res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(body);
      return true;
    };
  };

  it('makes one signed request of a full batch', async () => {
    const records = Array.from({ length: limits.batchMaxRecords }, (_, n) =>
      record(`key ${n}`, `value ${n}`),
    );
    expect(new Set(kindsOf(await writer.write('a/events', records)))).toEqual(new Set(['applied']));
    expect(server.bodies.length).toBe(1);
  });

  it.each(['ValidationException', 'InvalidArgumentException', 'SerializationException'])(
    'refuses for a %s of the call only the record that causes it, and puts the others, each once',
    async (name) => {
      server.intercept = (target, res, body) => {
        const { Records: records } = cbor.deserialize(body) as {
          readonly Records: readonly { readonly PartitionKey: string }[];
        };
        if (target !== 'PutRecords' || !records.some(({ PartitionKey: key }) => key === 'bad'))
          return false;
        const reply = cbor.serialize({ __type: name, message: '1 validation error detected' });
        res
          .writeHead(400, {
            'content-type': 'application/x-amz-cbor-1.1',
            'smithy-protocol': 'rpc-v2-cbor',
          })
          .end(reply);
        return true;
      };
      const records = Array.from({ length: 100 }, (_, n) =>
        record(n === 37 || n === 90 ? 'bad' : `k${n}`, `v${n}`),
      );
      const outcomes = await writer.write('a/events', records);
      const isBad = (n: number): boolean => n === 37 || n === 90;
      expect(kindsOf(outcomes)).toEqual(
        records.map((_, n) => (isBad(n) ? 'refused stream-refused' : 'applied')),
      );
      expect(told).toEqual([`a/events stream-refused ${name}`, `a/events stream-refused ${name}`]);
      const stored = [...(await readAll(server.reader())).values()].flat().map(({ text }) => text);
      expect([...stored].sort()).toEqual(
        records.flatMap((_, n) => (isBad(n) ? [] : [`v${n}`])).sort(),
      );
    },
  );

  it('gives refused records their own outcome and leaves the others in the stream', async () => {
    server.decide = (_key, nth) =>
      nth % 3 === 1 ? 'ProvisionedThroughputExceededException' : undefined;
    const outcomes = await writer.write('a/events', [
      record('a', '0'),
      record('b', '1'),
      record('c', '2'),
    ]);
    expect(kindsOf(outcomes)).toEqual(['applied', 'refused throughput-exceeded', 'applied']);
    const found = [...(await readAll(server.reader())).values()].flat().map(({ text }) => text);
    expect(found.sort()).toEqual(['0', '2']);
  });

  it('sends only the records that Kinesis takes, and keeps the outcomes in their places', async () => {
    const headed: OutgoingRecord = { ...record('k', 'x'), headers: { ce_id: '1' } };
    const outcomes = await writer.write('a/events', [
      headed,
      record('k', 'one'),
      record('', 'x'),
      record('k', 'two'),
    ]);
    expect(kindsOf(outcomes)).toEqual([
      'refused headers-not-supported',
      'applied',
      'refused key-invalid',
      'applied',
    ]);
    const sent = cbor.deserialize(server.bodies[0] ?? Buffer.alloc(0)) as { Records: unknown[] };
    expect(sent.Records.length).toBe(2);
  });

  it('sends nothing when Kinesis would take none', async () => {
    expect(kindsOf(await writer.write('a/events', [record('', 'x')]))).toEqual([
      'refused key-invalid',
    ]);
    expect(server.bodies).toEqual([]);
  });

  it.each([
    [
      400,
      '{"__type":"ProvisionedThroughputExceededException","message":"account 1"}',
      'refused throughput-exceeded',
    ],
    [
      400,
      '{"__type":"com.amazonaws.kinesis#AccessDeniedException","message":"user"}',
      'refused stream-denied',
    ],
    [500, '{"__type":"InternalFailure"}', 'refused stream-failed'],
    [502, '<html>bad gateway</html>', 'unknown reply-ambiguous'],
    [200, '{"FailedRecordCount":0,"Records":[]}', 'unknown reply-unreadable'],
    [200, '<html>', 'unknown reply-unreadable'],
  ])(
    'turns an answer of %i with %s into an outcome, after one request',
    async (status, body, expected) => {
      server.intercept = respond(status, body);
      expect(kindsOf(await writer.write('a/events', [record('a', '1'), record('b', '2')]))).toEqual(
        [expected, expected],
      );
      expect(server.bodies.length).toBe(1);
      expect(told.length).toBe(status === 200 ? 0 : 1);
    },
  );

  it.each([
    ['before its answer', (res: ServerResponse) => res.destroy()],
    [
      'within its answer',
      (res: ServerResponse) => {
        res.writeHead(200, { 'content-length': '100' });
        res.write('{"Records":[', () => res.destroy());
      },
    ],
  ])('leaves records unknown when the connection ends %s', async (_when, end) => {
    server.intercept = (_target, res) => {
      end(res);
      return true;
    };
    expect(kindsOf(await writer.write('a/events', [record('a', '1')]))).toEqual([
      'unknown reply-missing',
    ]);
    expect(server.bodies.length).toBe(1);
    expect(told).toEqual([expect.stringContaining('a/events reply-missing')]);
  });

  it('mixes up no bodies of overlapping writes, also after one that got no answer', async () => {
    server.intercept = (_target, res) => res.destroy() !== undefined;
    await writer.write('a/events', [record('a', 'lost')]);
    server.intercept = () => false;
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        writer.write('a/events', [record(`k${n}`, `value ${n}`.repeat(1_000))]),
      ),
    );
    const found = [...(await readAll(server.reader())).values()]
      .flat()
      .map(({ key, text }) => text === `value ${key.slice(1)}`.repeat(1_000));
    expect(found).toEqual(Array.from({ length: 12 }, () => true));
  });

  it('keeps its connection from write to write', async () => {
    for (let n = 0; n < 5; n++) await writer.write('a/events', [record('a', String(n))]);
    expect(server.connections()).toBe(1);
  });

  it('refuses records, to be tried again, while nobody listens', async () => {
    await server.close();
    expect(kindsOf(await writer.write('a/events', [record('a', '1')]))).toEqual([
      'refused stream-unreachable',
    ]);
  });

  it('refuses records under a wrong key as a fault that can be mended, and hands nothing over without one', async () => {
    const wrong = createKinesisWriter({
      endpoint: server.endpoint,
      region,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'another' },
      streams: new Map([['a/events', server.stream]]),
    });
    expect(await wrong.write('a/events', [record('a', '1')])).toMatchObject([
      { code: 'stream-denied', retryable: true },
    ]);
    await wrong.close();
    expect(server.bodies).toEqual([]);
  });

  it('refuses records for a stream that was deleted, to be tried again', async () => {
    expect(await writer.write('a/gone', [record('a', '1')])).toMatchObject([
      { kind: 'refused', code: 'stream-missing', retryable: true },
    ]);
  });

  it.each([
    ['AccessDeniedException', 'stream-denied', /^allow kinesis:PutRecords on the stream '/],
    ['UnrecognizedClientException', 'stream-denied', /^renew or correct the credentials: .*Unrec/],
    ['ExpiredTokenException', 'stream-denied', /^renew or correct the credentials: .*Expired/],
    [
      'KMSDisabledException',
      'stream-denied',
      /^enable the KMS key of the stream '.*GenerateDataKey/,
    ],
    ['ResourceNotFoundException', 'stream-missing', /^create the stream '.*kinesis_stream/],
  ])(
    'tells of a %s once with what to do, counts each, and tells anew once something was taken',
    async (name, code, fix) => {
      for (let times = 1; times <= 2; times++) {
        server.intercept = respond(400, JSON.stringify({ __type: name, message: 'no' }));
        for (let n = 0; n < 3; n++)
          expect(kindsOf(await writer.write('a/events', [record('a', '1')]))).toEqual([
            `refused ${code}`,
          ]);
        expect(told).toEqual(Array.from({ length: times }, () => `a/events ${code} ${name}`));
        expect(fixes.at(-1)).toMatch(fix);
        expect(counted).toBe(3 * times);
        server.intercept = () => false;
        expect(kindsOf(await writer.write('a/events', [record('a', '1')]))).toEqual(['applied']);
      }
    },
  );

  it('tells of what may pass each time, without a word of what to do', async () => {
    server.intercept = respond(400, JSON.stringify({ __type: 'LimitExceededException' }));
    for (let n = 0; n < 2; n++) await writer.write('a/events', [record('a', '1')]);
    expect([told.length, fixes, counted]).toEqual([2, [undefined, undefined], 0]);
  });

  it('asserts that a write fits one call, to the record and to the byte', async () => {
    const defect = expect.objectContaining({ name: 'AssertionDefect' });
    const many = Array.from({ length: limits.batchMaxRecords }, (_, n) => record(`k${n}`, 'x'));
    expect(new Set(kindsOf(await writer.write('a/events', many)))).toEqual(new Set(['applied']));
    await expect(writer.write('a/events', [...many, record('k', 'x')])).rejects.toThrow(defect);
    const parts = 10;
    const large = Array.from({ length: parts }, (_, n) => ({
      key: `k${n}`,
      value: [Buffer.alloc(limits.batchMaxBytes / parts)],
    }));
    expect(new Set(kindsOf(await writer.write('a/events', large)))).toEqual(new Set(['applied']));
    await expect(writer.write('a/events', [...large, record('k', 'x')])).rejects.toThrow(defect);
  });

  it('describes the open shards over all pages, and the size of a record', async () => {
    server.pageShards = 2;
    const splits = ['shardId-000000000000', 'shardId-000000000001', 'shardId-000000000002'];
    expect(await writer.describe('a/events')).toEqual({ recordMaxBytes: 1_048_576, splits });
    server.recordMaxKib = 2_048;
    expect(await writer.describe('a/events')).toEqual({ recordMaxBytes: 2_097_152, splits });
    const larger: OutgoingRecord = { key: 'k', value: [Buffer.alloc(2_097_151, 120)] };
    expect(kindsOf(await writer.write('a/events', [larger]))).toEqual(['applied']);
  });

  it('tells a missing stream, one that may not be asked, and one that cannot be asked now apart', async () => {
    await expect(writer.describe('a/unknown')).rejects.toMatchObject({ code: 'stream-missing' });
    await expect(writer.describe('a/gone')).rejects.toMatchObject({
      code: 'stream-missing',
      fix: expect.stringContaining('create') as string,
    });
    server.intercept = respond(400, '{"__type":"AccessDeniedException"}');
    await expect(writer.describe('a/events')).rejects.toMatchObject({
      code: 'stream-unreachable',
      retryable: false,
    });
    server.intercept = respond(503, '{"__type":"ServiceUnavailable"}');
    await expect(writer.describe('a/events')).rejects.toMatchObject({
      code: 'stream-unreachable',
      retryable: true,
    });
    await server.close();
    await expect(writer.describe('a/events')).rejects.toMatchObject({
      code: 'stream-unreachable',
      retryable: true,
    });
  });
});
