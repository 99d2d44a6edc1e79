/**
 * A topic of one partition, and producers that write to it in transactions, as kafkajs' are.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, Producer, Transaction } from 'kafkajs';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

let topics = 0;

export interface Rig {
  readonly topic: string;
  readonly split: string;
  readonly admin: Admin;
  readonly reader: () => RecordReader;
  readonly producer: (isTransactional: boolean) => Promise<Producer>;
  readonly transaction: () => Promise<Transaction>;
}

export async function withinTransactions(
  server: KafkaServer,
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const topic = `transactions-${topics++}`;
  await server.createTopic(topic, 1);
  const client = new Kafka({ brokers: [server.plain], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  const producers: Producer[] = [];
  const readers: RecordReader[] = [];
  const reader = (): RecordReader => {
    const made = createKafkaReader({
      connection: { brokers: [server.plain], tls: false, clientId: 'test' },
      topic,
    });
    readers.push(made);
    return made;
  };
  const producer = async (isTransactional: boolean): Promise<Producer> => {
    const own = isTransactional
      ? { transactionalId: `${topic}-${producers.length}`, transactionTimeout: 600_000 }
      : {};
    const made = client.producer({ idempotent: true, maxInFlightRequests: 1, ...own });
    producers.push(made);
    await made.connect();
    return made;
  };
  try {
    await admin.connect();
    const [split] = await reader().splits();
    await run({
      topic,
      split: split?.id ?? '',
      admin,
      reader,
      producer,
      transaction: async () => (await producer(true)).transaction(),
    });
  } finally {
    for (const made of readers) await made.close();
    for (const made of producers) await made.disconnect();
    await admin.disconnect();
  }
}

type Sender = Pick<Producer, 'send'>;

export const send = (topic: string, by: Sender, texts: readonly string[]): Promise<unknown> =>
  by.send({ topic, acks: -1, messages: texts.map((value) => ({ key: 'k', value, partition: 0 })) });

/** How much is in the log, markers among it. */
export const highOf = async ({ topic, admin }: Rig): Promise<number> =>
  Number((await admin.fetchTopicOffsets(topic))[0]?.high);

/** The broker answers before the marker is in the log. */
export async function end(rig: Rig, open: Transaction, how: 'commit' | 'abort'): Promise<void> {
  const before = await highOf(rig);
  await open[how]();
  while ((await highOf(rig)) === before) await sleep(5);
}

/** One transaction of these texts, begun and ended. */
export async function transact(
  rig: Rig,
  by: Producer,
  texts: readonly string[],
  how: 'commit' | 'abort',
): Promise<void> {
  const open = await by.transaction();
  await send(rig.topic, open, texts);
  await end(rig, open, how);
}
