/**
 * A topic that is deleted and created again under a running writer, on a real broker. The client
 * answered for a partition that the new topic does not have without asking anybody, as if all had
 * gone well, and what the topic had been was remembered for good: events were acknowledged that
 * were in no topic.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import type { RecordWriter, WriteOutcome } from '../../../../schemas/ports/record-writer.ts';
import { readAll } from '../../../contract/record-stream.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';

let server: KafkaServer;
let topics = 0;

const connection = () => ({ brokers: [server.plain], tls: false, clientId: 'test' });
const stream = 'a/b';

interface Rig {
  readonly topic: string;
  readonly writer: RecordWriter;
  /** Failures that were told of. */
  readonly told: string[];
}

async function within(partitions: number, run: (rig: Rig) => Promise<void>): Promise<void> {
  const topic = `again-${topics++}`;
  await server.createTopic(topic, partitions);
  const told: string[] = [];
  const writer = createKafkaWriter({
    connection: connection(),
    clock: systemClock,
    topics: new Map([[stream, topic]]),
    tell: (_stream, { code }) => told.push(code),
  });
  try {
    await run({ topic, writer, told });
  } finally {
    await writer.close();
  }
}

async function recreate(topic: string, partitions: number, batchMaxBytes?: number): Promise<void> {
  await server.deleteTopic(topic);
  await server.createTopic(topic, partitions, batchMaxBytes);
}

/** Each record by itself, again while it is refused or unknown; the place that each was given. */
async function writeEach(
  writer: RecordWriter,
  texts: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  for (const text of texts) {
    for (;;) {
      const [outcome] = await writer.write(stream, [{ key: text, value: [Buffer.from(text)] }]);
      if (outcome?.kind === 'applied') {
        places.set(text, `${outcome.split} ${outcome.position}`);
        break;
      }
      await sleep(50);
    }
  }
  return places;
}

/** Where the topic has each text now. */
async function stored(topic: string): Promise<ReadonlyMap<string, string>> {
  const reader = createKafkaReader({ connection: connection(), topic });
  const all = [...(await readAll(reader))].flatMap(([split, records]) =>
    records.map(
      ({ text, position }) =>
        [text, `${split.split('-').slice(0, 2).join('-')} ${position}`] as const,
    ),
  );
  await reader.close();
  expect(new Set(all.map(([text]) => text)).size).toBe(all.length);
  return new Map(all);
}

const named = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${name}-${n}`);
const kindsOf = (outcomes: readonly WriteOutcome[]): readonly string[] => [
  ...new Set(outcomes.map(({ kind }) => kind)),
];

describe.skipIf(javaMissing() !== undefined)(
  'a topic of Apache Kafka that is created again',
  () => {
    beforeAll(async () => {
      server = await startKafka({ keys: { AKIDUNUSED: 'secret' } });
    }, 240_000);

    afterAll(() => server.stop());

    for (const [before, after] of [
      [4, 1],
      [4, 3],
      [3, 3],
      [1, 4],
    ] as const) {
      it(
        `with ${after} partitions in place of ${before}: what is applied is stored at its place, and all of it is in the end`,
        () =>
          within(before, async ({ topic, writer }) => {
            await writeEach(writer, named('old', 20));
            await recreate(topic, after);
            expect(await writeEach(writer, named('new', 20))).toEqual(await stored(topic));
          }),
        60_000,
      );
    }

    it(
      'with fewer partitions: the first write is refused as one to send again, the second is stored',
      () =>
        within(4, async ({ topic, writer, told }) => {
          const records = named('k', 40).map((text) => ({ key: text, value: [Buffer.from(text)] }));
          expect(kindsOf(await writer.write(stream, records))).toEqual(['applied']);
          await recreate(topic, 1);
          const outcomes = await writer.write(stream, records);
          const missed = outcomes.filter(({ kind }) => kind !== 'applied');
          expect(missed.length).toBeGreaterThan(0);
          for (const outcome of missed)
            expect(outcome).toMatchObject({
              kind: 'refused',
              code: 'stream-changed',
              retryable: true,
            });
          expect(told).toContain('stream-changed');
          const applied = outcomes.length - missed.length;
          expect((await stored(topic)).size).toBe(applied);
          expect(kindsOf(await writer.write(stream, records))).toEqual(['applied']);
        }),
      60_000,
    );

    it(
      'while it is gone nothing is applied, and what comes once it is there again is',
      () =>
        within(2, async ({ topic, writer }) => {
          await writeEach(writer, named('old', 5));
          await server.deleteTopic(topic);
          for (const text of named('gone', 2)) {
            expect(
              kindsOf(await writer.write(stream, [{ key: text, value: [Buffer.from(text)] }])),
            ).not.toContain('applied');
          }
          await server.createTopic(topic, 1);
          expect(await writeEach(writer, named('new', 5))).toEqual(await stored(topic));
        }),
      90_000,
    );

    it(
      'under a writer that writes all the time: every record that is applied after it is in the new topic',
      () =>
        within(6, async ({ topic, writer }) => {
          let stop = false;
          let round = 0;
          const lasting = new Map<string, string>();
          let isNew = false;
          const writing = (async () => {
            while (!stop) {
              const began = isNew;
              const texts = named(`round-${round++}`, 12);
              const outcomes = await writer.write(
                stream,
                texts.map((text) => ({ key: text, value: [Buffer.from(text)] })),
              );
              for (const [n, outcome] of outcomes.entries()) {
                if (began && outcome.kind === 'applied')
                  lasting.set(texts[n] ?? '', `${outcome.split} ${outcome.position}`);
              }
            }
          })();
          await sleep(300);
          await recreate(topic, 2);
          isNew = true;
          while (lasting.size < 100) await sleep(20);
          stop = true;
          await writing;
          const found = await stored(topic);
          for (const [text, place] of lasting)
            expect([text, found.get(text)]).toEqual([text, place]);
        }),
      90_000,
    );
  },
);
