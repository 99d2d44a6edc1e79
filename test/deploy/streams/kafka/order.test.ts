/**
 * `order: key` across two requests to one partition, on a real broker behind a proxy that fails the
 * first of them. Before, a key's events that went in two requests of one write were in the topic as
 * its later half alone: the client was told to send all again, and the earlier half came behind.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { Batcher } from '../../../../ingest/delivery/batcher.ts';
import { createBreaker } from '../../../../ingest/delivery/breaker.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import type { WriteOutcome } from '../../../../schemas/ports/record-writer.ts';
import { readAll } from '../../../contract/record-stream.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';
import type { KafkaProxy, ProduceFault } from '../../../servers/kafka-proxy.ts';
import { startKafkaProxy } from '../../../servers/kafka-proxy.ts';

const stream = 'a/b';
const batchMaxBytes = 50_000;
const [notLeader, fewReplicas, fewReplicasAfter] = [6, 19, 20];
const pass: ProduceFault = { kind: 'pass' };
const error = (code: number): ProduceFault => ({ kind: 'error', code });

describe.skipIf(javaMissing() !== undefined)(
  'order of a key on Apache Kafka',
  { timeout: 60_000 },
  () => {
    let server: KafkaServer;
    let proxy: KafkaProxy;
    let topics = 0;

    beforeAll(async () => {
      proxy = await startKafkaProxy();
      const advertise = (port: number): number => {
        proxy.target = port;
        return proxy.port;
      };
      server = await startKafka({ keys: { AKIDUNUSED: 'secret' }, advertise });
    }, 240_000);

    afterAll(async () => {
      await server.stop();
      await proxy.close();
    });

    const connection = () => ({
      brokers: [`127.0.0.1:${proxy.port}`],
      tls: false,
      clientId: 'test',
    });
    const textsOf = async (topic: string): Promise<readonly string[]> => {
      const reader = createKafkaReader({ connection: connection(), topic });
      const all = [...(await readAll(reader)).values()].flat();
      await reader.close();
      return all.map(({ text }) => text.trimEnd());
    };
    /** Two of them fit a batch, and all go to one partition. */
    const recordOf = (text: string) => ({ key: 'k', value: [Buffer.from(text.padEnd(20_000))] });

    async function within(
      run: (topic: string, writer: ReturnType<typeof createKafkaWriter>) => Promise<void>,
    ): Promise<void> {
      const topic = `order-${topics++}`;
      await server.createTopic(topic, 1, batchMaxBytes);
      const writer = createKafkaWriter({
        connection: connection(),
        clock: systemClock,
        topics: new Map([[stream, topic]]),
      });
      try {
        await run(topic, writer);
      } finally {
        proxy.decide = () => pass;
        await writer.close();
      }
    }

    const texts = ['1', '2', '3', '4', '5', '6'];

    it('behind a request that the broker refused none of the same write goes', () =>
      within(async (topic, writer) => {
        proxy.decide = (nth) => (nth === 0 ? pass : error(fewReplicas));
        const outcomes = await writer.write(stream, texts.map(recordOf));
        expect(
          outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.kind)),
        ).toEqual([
          ...['applied', 'applied'],
          ...['replicas-missing', 'replicas-missing'],
          ...['order-kept', 'order-kept'],
        ]);
        expect(await textsOf(topic)).toEqual(['1', '2']);
      }));

    it('behind a half that may go again the other half of a batch does not go', () =>
      within(async (topic, writer) => {
        await writer.describe(stream);
        await server.configure(topic, 'max.message.bytes', '25000');
        // The batch of two is too large, its first half is refused for now.
        proxy.decide = (nth) => (nth === 0 ? pass : error(fewReplicas));
        const outcomes = await writer.write(stream, texts.slice(0, 2).map(recordOf));
        expect(outcomes).toMatchObject([
          { kind: 'refused', code: 'replicas-missing' },
          { kind: 'refused', code: 'order-kept', retryable: true },
        ]);
        expect(await textsOf(topic)).toEqual([]);
      }));

    const fates: readonly (readonly [string, (nth: number) => ProduceFault])[] = [
      ['refused the first request', (nth) => (nth === 0 ? error(fewReplicas) : pass)],
      ['is not the leader of the first request', (nth) => (nth === 0 ? error(notLeader) : pass)],
      [
        'may or may not keep the first request',
        (nth) => (nth === 0 ? error(fewReplicasAfter) : pass),
      ],
      [
        'ends the connection before the first request',
        (nth) => (nth === 0 ? { kind: 'reset' } : pass),
      ],
      [
        'ends the connection instead of the first answer',
        (nth) => (nth === 0 ? { kind: 'lost-reply' } : pass),
      ],
      [
        'fails the second request twice',
        (nth) => (nth === 1 || nth === 2 ? { kind: 'lost-reply' } : pass),
      ],
      ['fails every other request', (nth) => (nth % 2 === 0 ? { kind: 'lost-reply' } : pass)],
    ];

    it.each(fates)(
      'a broker that %s: the events of a key are there in order, each once, and nothing failed',
      (_what, fate) =>
        within(async (topic, writer) => {
          const breaker = createBreaker(
            { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
            systemRandom,
          );
          const batcher = new Batcher({
            ...{ writer, stream, order: 'key', aggregate: 'none', breaker },
            ...{ clock: systemClock, random: systemRandom },
          });
          const add = (text: string): Promise<WriteOutcome> =>
            new Promise((resolve) => {
              batcher.add(recordOf(text), 20_000, resolve);
            });
          proxy.decide = fate;
          const outcomes = await Promise.all(texts.map(add));
          expect(outcomes.map(({ kind }) => kind)).toEqual(texts.map(() => 'applied'));
          expect(await textsOf(topic)).toEqual(texts);
          expect(
            outcomes.map((outcome) => ('position' in outcome ? outcome.position : '')),
          ).toEqual(['0', '1', '2', '3', '4', '5']);
        }),
    );

    it('a broker that refuses the second request for long: what is there is told as there, and what is behind is not', () =>
      within(async (topic, writer) => {
        const breaker = createBreaker(
          { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
          systemRandom,
        );
        const batcher = new Batcher({
          ...{ writer, stream, order: 'key', aggregate: 'none', breaker },
          ...{ clock: systemClock, random: systemRandom },
        });
        proxy.decide = (nth) => (nth === 0 ? pass : error(fewReplicas));
        const outcomes = await Promise.all(
          texts.map(
            (text) =>
              new Promise<WriteOutcome>((resolve) => batcher.add(recordOf(text), 20_000, resolve)),
          ),
        );
        expect(outcomes.map(({ kind }) => kind)).toEqual([
          'applied',
          'applied',
          'refused',
          'refused',
          'refused',
          'refused',
        ]);
        expect(await textsOf(topic)).toEqual(['1', '2']);
      }));
  },
);
