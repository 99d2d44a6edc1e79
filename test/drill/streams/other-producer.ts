/**
 * Another program that writes events to the drill's topic beside the ingress, as producers of other
 * languages do: in transactions, in compressed batches.
 */
import { createRequire } from 'node:module';
import { encodeBinary } from '../../../schemas/wire.ts';
import type { Sent } from '../clients.ts';
import { idOf } from '../clients.ts';
import { largeBodyOf } from './events.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

/** Numbers from here on are its own; the load's are below. */
const firstNumber = 10_100_000;
const perTransaction = 10;

/**
 * As a drained event of it would be: `times` transactions, every second of which is aborted. Only
 * committed events are told.
 */
export async function transactionsBy(brokers: string, topic: string, times: number): Promise<Sent> {
  const client = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const producer = client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    transactionalId: `${topic}-other`,
  });
  await producer.connect();
  const committed: number[] = [];
  try {
    for (let nth = 0; nth < times; nth++) {
      const numbers = Array.from(
        { length: perTransaction },
        (_, index) => firstNumber + nth * perTransaction + index,
      );
      const transaction = await producer.transaction();
      await transaction.send({ topic, acks: -1, messages: numbers.map(messageOf) });
      if (nth % 2 === 0) {
        await transaction.commit();
        committed.push(...numbers);
      } else await transaction.abort();
    }
  } finally {
    await producer.disconnect();
  }
  return acknowledgedBy(committed);
}

function messageOf(n: number) {
  const now = new Date().toISOString();
  const { key, headers, value } = encodeBinary(
    {
      id: idOf(n),
      source: '/d/events',
      type: 'd.events',
      time: now,
      receivedtime: now,
      datacontenttype: 'application/json',
      team: 'd',
      app: 'events',
      partitionkey: idOf(n),
    },
    Buffer.from(largeBodyOf(n)),
  );
  return { key, headers: { ...headers }, value: Buffer.concat(value) };
}

const acknowledgedBy = (numbers: readonly number[]): Sent => ({
  sent: numbers.length,
  acknowledged: new Map(numbers.map((n) => [idOf(n), 'committed'])),
  refused: new Set(),
  statuses: {},
  slowestMs: 0,
});
