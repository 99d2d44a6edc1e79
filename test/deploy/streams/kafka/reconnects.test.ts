/**
 * Brokers that do not answer, and faults that do not pass. Before, a dead broker was met by about
 * four connections a second, and each write that was not allowed was told of anew, as if it might
 * pass.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../../../deploy/streams/kafka/kafka-connection.ts';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import type { KafkaWriterOptions } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { mskIamAuth } from '../../../../deploy/streams/kafka/msk-iam.ts';
import type { ToldFailure } from '../../../../deploy/streams/told-failures.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import { namesIn, saying } from '../../../said.ts';
import { startHangingUp } from '../../../servers/hanging-up.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';

const stream = 'a/b';
const record = { key: 'k', value: [Buffer.from('x')] };
/**
 * Of what is tried all the time for that long at most so many reach a broker: at once, and after
 * 1/8, 1/4, 1/2, 1, 2, 3 s.
 */
const [triedMs, triesMax] = [6_500, 7];

describe('a broker that does not answer', () => {
  /** Whatever connects is hung up on. */
  async function hangingUp(run: (connection: KafkaConnection) => Promise<void>): Promise<number> {
    const server = await startHangingUp();
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    await run({
      brokers: [`127.0.0.1:${server.port}`],
      tls: false,
      clientId: 'test',
    });
    await server.close();
    process.off('warning', hear);
    // Such as of listeners that pile up on a socket.
    expect(warnings).toEqual([]);
    return server.connections;
  }

  async function untilTried(ask: () => Promise<unknown>): Promise<void> {
    for (
      const deadline = performance.now() + triedMs;
      performance.now() < deadline;
      await sleep(20)
    )
      await ask();
  }

  it('is tried less and less often by the readers of one connection, which fail at once meanwhile', {
    timeout: 60_000,
  }, async () => {
    const connections = await hangingUp(async (connection) => {
      const readers = ['one', 'two', 'three'].map((topic) =>
        createKafkaReader({ connection, topic }),
      );
      await untilTried(async () => {
        for (const reader of readers) {
          await expect(reader.splits()).rejects.toMatchObject({
            code: 'stream-unreachable',
            retryable: true,
          });
          await expect(reader.lag('partition-0', undefined)).rejects.toMatchObject({
            code: 'stream-unreachable',
          });
        }
      });
      for (const reader of readers) await reader.close();
    });
    expect(connections).toBeGreaterThan(1);
    expect(connections).toBeLessThanOrEqual(triesMax);
  });

  it('is tried less and less often by a writer, which says that nothing was written', {
    timeout: 60_000,
  }, async () => {
    const connections = await hangingUp(async (connection) => {
      const writer = createKafkaWriter({
        connection,
        clock: systemClock,
        topics: new Map([[stream, 'topic']]),
      });
      await untilTried(async () => {
        expect(await writer.write(stream, [record])).toMatchObject([
          { kind: 'refused', code: 'stream-unreachable', retryable: true },
        ]);
      });
      await writer.close();
    });
    expect(connections).toBeGreaterThan(1);
    // The last write goes on for `kafkaUntakenMaxMs`.
    expect(connections).toBeLessThanOrEqual(triesMax + 1);
  });
});

describe.skipIf(javaMissing() !== undefined)(
  'a fault that does not pass, on Apache Kafka',
  { timeout: 60_000 },
  () => {
    let server: KafkaServer;
    let topics = 0;
    const sign = (): Promise<{ token: string; expiryTime: number }> =>
      Promise.resolve({ token: 'bm8gdG9rZW4', expiryTime: systemClock.now() + 60_000 });
    const iam = (more: { readonly sign?: typeof sign } = {}): KafkaConnection => ({
      brokers: [server.iam],
      tls: false,
      clientId: 'test',
      auth: mskIamAuth({
        region: 'eu-central-1',
        clock: systemClock,
        random: systemRandom,
        ...more,
      }),
    });

    beforeAll(async () => {
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: 'AKIDFIRST',
        AWS_SECRET_ACCESS_KEY: 'first-secret',
      });
      server = await startKafka({ keys: { AKIDFIRST: 'first-secret' } });
    }, 240_000);

    afterAll(() => server.stop());

    interface Rig {
      readonly told: ToldFailure[];
      readonly counted: () => number;
      /** One record's outcome. */
      readonly write: () => Promise<object | undefined>;
    }

    async function writing(
      topic: string,
      connection: KafkaConnection,
      run: (rig: Rig) => Promise<void>,
    ): Promise<void> {
      const told: ToldFailure[] = [];
      let counted = 0;
      const options: KafkaWriterOptions = {
        connection,
        clock: systemClock,
        topics: new Map([[stream, topic]]),
        tell: (_stream, failure) => told.push(failure),
        failedForGood: () => counted++,
      };
      const writer = createKafkaWriter(options);
      try {
        await run({
          told,
          counted: () => counted,
          write: async () => (await writer.write(stream, [record]))[0],
        });
      } finally {
        await writer.close();
      }
    }

    it('a topic that may not be written to: refused, told once with what to do, counted, and told anew when it comes back', async () => {
      const topic = `permanent-${topics++}`;
      await server.createTopic(topic, 1);
      await writing(topic, iam(), async ({ told, counted, write }) => {
        expect(await write()).toMatchObject({ kind: 'applied' });
        for (let times = 1; times <= 2; times++) {
          await server.allowWriting(topic, false);
          while ((await write()) === undefined || told.length < times) await sleep(20);
          for (let n = 0; n < 3; n++)
            expect(await write()).toMatchObject({
              kind: 'refused',
              code: 'stream-denied',
              retryable: true,
            });
          expect(told).toHaveLength(times);
          expect(namesIn(told.at(-1)?.fix)).toEqual([topic]);
          expect(told.at(-1)?.fix).toContain('WriteDataIdempotently');
          expect(counted()).toBe(times * 4);
          await server.allowWriting(topic, true);
          for (
            let outcome = await write();
            outcome !== undefined && 'code' in outcome;
            outcome = await write()
          )
            await sleep(20);
        }
      });
    });

    it('a topic that is not there: told once with what to do, and counted each time', async () => {
      const topic = `permanent-${topics++}`;
      await writing(topic, iam(), async ({ told, counted, write }) => {
        for (let n = 0; n < 3; n++)
          expect(await write()).toMatchObject({
            kind: 'refused',
            code: 'stream-missing',
            retryable: true,
          });
        expect(told).toMatchObject([{ code: 'stream-missing', fix: saying({ names: [topic] }) }]);
        expect(counted()).toBe(3);
        await server.createTopic(topic, 1);
        expect(await write()).toMatchObject({ kind: 'applied' });
      });
    });

    it('credentials that are not let in: told once by writer and reader, with what to do', async () => {
      const topic = `permanent-${topics++}`;
      await server.createTopic(topic, 1);
      await writing(topic, iam({ sign }), async ({ told, write }) => {
        for (let n = 0; n < 3; n++)
          expect(await write()).toMatchObject({
            kind: 'refused',
            code: 'stream-denied',
            retryable: true,
          });
        expect(told).toMatchObject([
          { code: 'stream-denied', fix: expect.stringContaining('WriteData') as string },
        ]);
      });
      const news: string[] = [];
      const reader = createKafkaReader({
        connection: iam({ sign }),
        topic,
        tell: (each) => news.push(each),
      });
      for (let n = 0; n < 20; n++) {
        await expect(reader.splits()).rejects.toMatchObject({
          code: 'stream-denied',
          fix: expect.stringContaining('ReadData') as string,
        });
      }
      await reader.close();
      expect(news.filter((each) => each === 'permanent-failure')).toHaveLength(1);
      expect(news.filter((each) => each === 'reconnected').length).toBeLessThan(20);
    });
  },
);
