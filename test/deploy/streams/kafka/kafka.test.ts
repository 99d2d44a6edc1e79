/**
 * The large route on a real broker: writer and reader by their contracts, on the plain listener and
 * on the one that wants tokens of MSK IAM; a broker that is killed, sessions that end, credentials
 * that change.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../../../deploy/streams/kafka/kafka-connection.ts';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { mskIamAuth } from '../../../../deploy/streams/kafka/msk-iam.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../../../schemas/ports/record-writer.ts';
import { recordReaderContract } from '../../../contract/record-reader.ts';
import type { StreamHarness } from '../../../contract/record-stream.ts';
import { readAll, readNow, recordStreamContract } from '../../../contract/record-stream.ts';
import { recordWriterContract } from '../../../contract/record-writer.ts';
import { saying } from '../../../said.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';

const keys = { AKIDFIRST: 'first-secret', AKIDSECOND: 'second-secret' } as const;
const sessionMaxMs = 4_000;
const region = 'eu-central-1';
let server: KafkaServer;
let topics = 0;

const useKey = (key: keyof typeof keys): void => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: keys[key] });
};

const iamConnection = (told: string[] = []): KafkaConnection => ({
  brokers: [server.iam],
  tls: false,
  clientId: 'test',
  auth: mskIamAuth({
    region,
    clock: systemClock,
    random: systemRandom,
    tell: (news) => told.push(news),
  }),
});
const plainConnection = (): KafkaConnection => ({
  brokers: [server.plain],
  tls: false,
  clientId: 'test',
});

interface Rig {
  readonly topic: string;
  readonly writer: RecordWriter;
  readonly reader: () => RecordReader;
  readonly told: string[];
  close(): Promise<void>;
}

async function rigOf(connection: KafkaConnection, batchMaxBytes?: number): Promise<Rig> {
  const topic = `topic-${topics++}`;
  await server.createTopic(topic, 2, batchMaxBytes);
  const told: string[] = [];
  const writer = createKafkaWriter({
    connection,
    clock: systemClock,
    topics: new Map([
      ['a/b', topic],
      ['a/gone', 'no-such-topic'],
    ]),
    tell: (_stream, { code }) => told.push(code),
  });
  const readers: RecordReader[] = [];
  return {
    topic,
    writer,
    told,
    reader: () => {
      const made = createKafkaReader({ connection, topic });
      readers.push(made);
      return made;
    },
    async close() {
      await writer.close();
      for (const reader of readers) await reader.close();
    },
  };
}

/** Without the id of the topic. */
const partitionOf = (split: string): string => split.split('-').slice(0, 2).join('-');

async function harness(connection: KafkaConnection): Promise<StreamHarness> {
  const rig = await rigOf(connection);
  return {
    path: 'kafka',
    stream: 'a/b',
    writer: rig.writer,
    reader: () => rig.reader(),
    written: partitionOf,
    close: () => rig.close(),
  };
}

async function within(
  connection: KafkaConnection,
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const rig = await rigOf(connection);
  try {
    await run(rig);
  } finally {
    await rig.close();
  }
}

const textsIn = (
  all: ReadonlyMap<string, readonly { readonly text: string }[]>,
): readonly string[] => [...all.values()].flatMap((records) => records.map(({ text }) => text));

describe.skipIf(javaMissing() !== undefined)('on Apache Kafka', () => {
  beforeAll(async () => {
    useKey('AKIDFIRST');
    server = await startKafka({ keys, sessionMaxMs });
  }, 240_000);

  afterAll(() => server.stop());

  recordWriterContract('the Kafka writer', () => harness(plainConnection()));
  recordReaderContract('the Kafka reader', () => harness(plainConnection()));
  describe('Kafka, written and read back', () =>
    recordStreamContract(() => harness(plainConnection())));
  describe('Kafka, written and read back with tokens of MSK IAM', () =>
    recordStreamContract(() => harness(iamConnection())));

  /** Writes one record after the other until each is applied; what was acknowledged. */
  async function writeUntil(
    writer: RecordWriter,
    count: number,
    pauseMs: number,
  ): Promise<readonly string[]> {
    const acknowledged: string[] = [];
    for (let n = 0; n < count; n++) {
      for (;;) {
        const [outcome] = await writer.write('a/b', [
          { key: `k${n % 5}`, value: [Buffer.from(`e${n}`)] },
        ]);
        if (outcome?.kind === 'applied') break;
        await sleep(50);
      }
      acknowledged.push(`e${n}`);
      await sleep(pauseMs);
    }
    return acknowledged;
  }

  describe('faults', () => {
    it(
      'a broker that is killed and started again: nothing that was applied is lost, and reading goes on',
      () =>
        within(iamConnection(), async ({ writer, reader }) => {
          const asked = reader();
          const [{ id } = { id: '' }] = await asked.splits();
          await readNow(asked, id, undefined, { maxRecords: 10, maxBytes: 10_000 });
          const writing = writeUntil(writer, 60, 20);
          await sleep(300);
          await server.kill();
          await expect(
            readNow(asked, id, undefined, { maxRecords: 10, maxBytes: 10_000 }),
          ).rejects.toMatchObject({ retryable: true });
          await server.restart();
          const acknowledged = await writing;
          const found = new Set(textsIn(await readAll(asked)));
          expect(acknowledged.filter((text) => !found.has(text))).toEqual([]);
        }),
      90_000,
    );

    it(
      'sessions that end are renewed under the connection, and no write fails',
      () =>
        within(iamConnection(), async ({ writer, reader, told }) => {
          const acknowledged = await writeUntil(writer, 60, sessionMaxMs / 25);
          expect(told).toEqual([]);
          expect([...textsIn(await readAll(reader()))].sort()).toEqual([...acknowledged].sort());
        }),
      60_000,
    );

    it('credentials of another principal get connections of their own, and no write fails', () => {
      const told: string[] = [];
      let key: keyof typeof keys = 'AKIDFIRST';
      let signed = 0;
      const auth = mskIamAuth({
        region,
        clock: systemClock,
        random: systemRandom,
        tell: (news) => told.push(news),
        sign: async () => {
          useKey(key);
          const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
          signed++;
          const { token } = await generateAuthToken({ region });
          // As if it lived for a second.
          return { token, expiryTime: systemClock.now() + 1_000 };
        },
      });
      return within(
        { brokers: [server.iam], tls: false, clientId: 'test', auth },
        async ({ writer, reader, told: failures }) => {
          const asked = reader();
          await writeUntil(writer, 10, 10);
          expect(textsIn(await readAll(asked))).toHaveLength(10);
          key = 'AKIDSECOND';
          await writeUntil(writer, 30, 100);
          useKey('AKIDFIRST');
          expect(failures).toEqual([]);
          expect(signed).toBeGreaterThan(2);
          expect(told).toContain('principal-changed');
        },
      );
    }, 60_000);

    it('a token that the broker does not take is a refusal that can be tried again, and says so at the start', async () => {
      const auth = mskIamAuth({
        region,
        clock: systemClock,
        random: systemRandom,
        sign: () =>
          Promise.resolve({ token: 'bm8gdG9rZW4', expiryTime: systemClock.now() + 60_000 }),
      });
      await within(
        { brokers: [server.iam], tls: false, clientId: 'test', auth },
        async ({ writer, reader }) => {
          await expect(writer.describe('a/b')).rejects.toMatchObject({ code: 'stream-denied' });
          expect(
            await writer.write('a/b', [{ key: 'k', value: [Buffer.from('x')] }]),
          ).toMatchObject([{ kind: 'refused', code: 'stream-denied', retryable: true }]);
          await expect(reader().splits()).rejects.toMatchObject({ code: 'stream-denied' });
        },
      );
    }, 60_000);
  });

  it('reads the real limit of a topic, and takes a record of that size', async () => {
    const rig = await rigOf(plainConnection(), 200_000);
    try {
      const { recordMaxBytes, splits } = await rig.writer.describe('a/b');
      expect(recordMaxBytes).toBeLessThan(200_000);
      expect(splits).toEqual(['partition-0', 'partition-1']);
      const sized = (bytes: number) => ({ key: 'k', value: [Buffer.alloc(bytes - 1, 120)] });
      const outcomes = await rig.writer.write('a/b', [
        sized(recordMaxBytes),
        sized(recordMaxBytes),
        sized(recordMaxBytes + 1),
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied', 'refused']);
      expect(textsIn(await readAll(rig.reader()))).toHaveLength(2);
    } finally {
      await rig.close();
    }
  });

  it(
    'a topic that takes less than it did refuses only what is too large, and has the rest of its batch in order',
    () =>
      within(plainConnection(), async ({ topic, writer, reader, told }) => {
        await writer.describe('a/b');
        await server.configure(topic, 'max.message.bytes', '5000');
        const isLarge = (n: number): boolean => n === 3 || n === 20;
        const texts = Array.from({ length: 40 }, (_, n) =>
          `${n} `.padEnd(isLarge(n) ? 6_000 : 500, 'x'),
        );
        const outcomes = await writer.write(
          'a/b',
          texts.map((text) => ({ key: 'k', value: [Buffer.from(text)] })),
        );
        expect(
          outcomes.map((outcome) =>
            outcome.kind === 'refused' ? [outcome.code, outcome.retryable] : outcome.kind,
          ),
        ).toEqual(texts.map((_, n) => (isLarge(n) ? ['record-too-large', false] : 'applied')));
        expect(textsIn(await readAll(reader()))).toEqual(texts.filter((_, n) => !isLarge(n)));
        expect(told).toEqual(['record-too-large', 'record-too-large']);
        const { recordMaxBytes } = await writer.describe('a/b');
        expect(recordMaxBytes).toBeLessThan(5_000);
      }),
    60_000,
  );

  it('a topic that is not there is named', async () => {
    await within(plainConnection(), async ({ writer }) => {
      await expect(writer.describe('a/gone')).rejects.toMatchObject({
        code: 'stream-missing',
        message: saying({ names: ['no-such-topic'] }),
      });
      const gone = createKafkaReader({ connection: plainConnection(), topic: 'no-such-topic' });
      await expect(gone.splits()).rejects.toMatchObject({ code: 'stream-missing' });
      await gone.close();
    });
  }, 30_000);

  it('a reader that is closed makes no connection any more', () =>
    within(plainConnection(), async ({ reader }) => {
      const asked = reader();
      expect(await asked.lag('partition-0', undefined)).toBe(0);
      await asked.close();
      await expect(asked.lag('partition-0', undefined)).rejects.toMatchObject({
        code: 'reader-closed',
        retryable: true,
      });
    }));

  it('partitions that are added are found', () =>
    within(plainConnection(), async ({ topic, reader }) => {
      const asked = reader();
      expect((await asked.splits()).map(({ id }) => partitionOf(id))).toEqual([
        'partition-0',
        'partition-1',
      ]);
      await server.createPartitions(topic, 3);
      expect((await asked.splits()).map(({ id }) => partitionOf(id))).toEqual([
        'partition-0',
        'partition-1',
        'partition-2',
      ]);
    }));
});
