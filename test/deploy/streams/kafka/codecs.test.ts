/**
 * Compressed batches on a real broker, whose own libraries compress what comes plain
 * (`compression.type` of a topic) and take apart what does not: snappy, lz4 and zstd could not be
 * read, and a split that had them said forever that its stream was unreachable.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../../../deploy/streams/kafka/kafka-connection.ts';
import { createKafkaFetcher } from '../../../../deploy/streams/kafka/kafka-fetcher.ts';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { batchesIn } from '../../../../deploy/streams/kafka/record-batches.ts';
import type { KafkaCompression } from '../../../../schemas/kafka-compressions.ts';
import { kafkaCompressions } from '../../../../schemas/kafka-compressions.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import { readAll } from '../../../contract/record-stream.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';

let server: KafkaServer;
let topics = 0;

const connection = (): KafkaConnection => ({
  brokers: [server.plain],
  tls: false,
  clientId: 'test',
});

const json = (count: number): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, n) => ({ n, name: `name ${n % 97}`, at: 1_000 + n * 7 })),
  );

function noise(bytes: number): string {
  const random = seededRandom(bytes);
  return Array.from({ length: bytes }, () =>
    String.fromCharCode(33 + Math.floor(random.next() * 90)),
  ).join('');
}

/** What batches of events look like: small, many, large and alike, not to be compressed. */
const loads: readonly (readonly [name: string, texts: readonly string[]])[] = [
  ['one small record', ['x']],
  ['an empty value and a short one', ['', 'y']],
  ['a thousand events', Array.from({ length: 1_000 }, (_, n) => json(1 + (n % 5)))],
  ['a large event', [json(15_000)]],
  ['zeros', ['0'.repeat(900_000)]],
  ['noise', [noise(300_000), noise(70_000)]],
];

interface Stored {
  readonly texts: readonly string[];
  /** Of all batches in the log, by their names. */
  readonly codecs: ReadonlySet<string | undefined>;
}

async function stored(topic: string): Promise<Stored> {
  const reader = createKafkaReader({ connection: connection(), topic });
  const fetcher = await createKafkaFetcher(connection(), topic);
  try {
    const texts = [...(await readAll(reader)).values()].flat().map(({ text }) => text);
    const codecs = new Set<string | undefined>();
    for (let offset = 0n; ; ) {
      const { batches, highWatermark } = await fetcher.fetch(
        { partition: 0, topicId: undefined },
        offset,
        1_000_000,
      );
      for (const { codec, last } of batchesIn(batches)) {
        codecs.add(kafkaCompressions[codec]);
        offset = last + 1n;
      }
      if (offset >= highWatermark) return { texts, codecs };
    }
  } finally {
    await reader.close();
    await fetcher.close();
  }
}

async function written(
  topic: string,
  compression: KafkaCompression,
  texts: readonly string[],
): Promise<void> {
  const writer = createKafkaWriter({
    connection: connection(),
    clock: systemClock,
    topics: new Map([['a/b', topic]]),
    compression,
  });
  try {
    await writer.describe('a/b');
    const outcomes = await writer.write(
      'a/b',
      texts.map((text) => ({ key: 'k', value: [Buffer.from(text)] })),
    );
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['applied']));
  } finally {
    await writer.close();
  }
}

async function made(type: string): Promise<string> {
  const topic = `codecs-${topics++}`;
  await server.createTopic(topic, 1);
  await server.configure(topic, 'compression.type', type);
  return topic;
}

describe.skipIf(javaMissing() !== undefined)('compressed batches of Apache Kafka', () => {
  beforeAll(async () => {
    server = await startKafka({ keys: { AKIDUNUSED: 'secret' } });
  }, 240_000);

  afterAll(() => server.stop());

  for (const codec of kafkaCompressions) {
    it(`of ${codec} are read as the broker's own library makes them`, async () => {
      const topic = await made(codec === 'none' ? 'uncompressed' : codec);
      const all: string[] = [];
      for (const [, texts] of loads) {
        await written(topic, 'none', texts);
        all.push(...texts);
      }
      const { texts, codecs } = await stored(topic);
      expect(texts).toEqual(all);
      expect(codecs).toEqual(new Set([codec]));
    }, 60_000);

    it(`of ${codec} are written as asked, and are read by the broker's own library and by ours`, async () => {
      const kept = await made('producer');
      const opened = await made(codec === 'gzip' ? 'uncompressed' : 'gzip');
      for (const [, texts] of loads) {
        await written(kept, codec, texts);
        await written(opened, codec, texts);
      }
      const all = loads.flatMap(([, texts]) => texts);
      expect(await stored(kept)).toEqual({ texts: all, codecs: new Set([codec]) });
      expect(await stored(opened)).toEqual({
        texts: all,
        codecs: new Set([codec === 'gzip' ? 'none' : 'gzip']),
      });
    }, 60_000);
  }

  it('of all kinds in one partition are read in order, in reads of any size', async () => {
    const topic = await made('producer');
    const all: string[] = [];
    for (let round = 0; round < 3; round++) {
      for (const codec of kafkaCompressions) {
        const texts = Array.from({ length: 20 }, (_, n) => `${codec} ${round} ${json(n)}`);
        await written(topic, codec, texts);
        all.push(...texts);
      }
    }
    expect((await stored(topic)).codecs).toEqual(new Set(kafkaCompressions));
    for (const maxRecords of [1, 7, 1_000]) {
      const reader = createKafkaReader({ connection: connection(), topic });
      expect(
        [...(await readAll(reader, maxRecords)).values()].flat().map(({ text }) => text),
      ).toEqual(all);
      await reader.close();
    }
  }, 60_000);
});
