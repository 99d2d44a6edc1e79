/**
 * A topic one of whose leaders is dead, on three real brokers. Before, the reader let go of its
 * connections to the living ones about once a second, and once the cluster knew of the death no
 * partition was read by a reader that was started then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { partitionOfKey } from '../../../../deploy/streams/kafka-partition.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../../../schemas/ports/record-writer.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';
import type { KafkaProxy } from '../../../servers/kafka-proxy.ts';
import { startKafkaProxy } from '../../../servers/kafka-proxy.ts';

const topic = 'one-leader-dead';
const bounds = { maxRecords: 100, maxBytes: 100_000 };
/** Longer than a cluster believes in a broker that is silent (9 s). */
const deadMs = 11_000;

describe.skipIf(javaMissing() !== undefined)('a reader of three brokers, one of them dead', () => {
  let server: KafkaServer;
  let proxy: KafkaProxy;

  beforeAll(async () => {
    proxy = await startKafkaProxy();
    const advertise = (port: number): number => {
      proxy.target = port;
      return proxy.port;
    };
    server = await startKafka({ keys: { AKIDUNUSED: 'secret' }, brokers: 3, advertise });
    await server.createReplicated(topic, 3, 1);
  }, 240_000);

  afterAll(async () => {
    await server.stop();
    await proxy.close();
  });

  const connection = () => ({
    brokers: [`127.0.0.1:${proxy.port}`, ...server.brokers.slice(1)],
    tls: false,
    clientId: 'test',
  });

  /** One record in each of the partitions. */
  async function write(writer: RecordWriter, partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      let n = 0;
      while (partitionOfKey(`k${n}`, 3) !== partition) n++;
      const record = { key: `k${n}`, value: [Buffer.from(String(partition))] };
      while ((await writer.write('a/b', [record]))[0]?.kind !== 'applied') await sleep(50);
    }
  }

  /** Reads each split from where it is, and counts what comes. */
  function following(reader: RecordReader, splits: readonly string[]) {
    const positions = new Map<string, string | undefined>();
    const counts = splits.map(() => 0);
    return {
      counts,
      async read(partition: number): Promise<void> {
        const split = splits[partition] ?? '';
        const { records } = await reader.read(split, positions.get(split), bounds);
        positions.set(split, records.at(-1)?.position ?? positions.get(split));
        counts[partition] = (counts[partition] ?? 0) + records.length;
      },
    };
  }

  const splitsOf = async (reader: RecordReader): Promise<readonly string[]> =>
    (await reader.splits()).map(({ id }) => id);

  it('keeps its connections to the others and reads on from them, a new one as well, and comes back to the dead one', {
    timeout: 120_000,
  }, async () => {
    const leaders = await server.leaders(topic);
    expect([...leaders].sort((a, b) => a - b)).toEqual([0, 1, 2]);
    const dead = leaders.indexOf(2);
    const living = [0, 1, 2].filter((partition) => partition !== dead);
    const news: string[] = [];
    const reader = createKafkaReader({
      connection: connection(),
      topic,
      tell: (each) => news.push(each),
    });
    const writer = createKafkaWriter({
      connection: connection(),
      clock: systemClock,
      topics: new Map([['a/b', topic]]),
    });
    await write(writer, [0, 1, 2]);
    const first = following(reader, await splitsOf(reader));
    for (const partition of [0, 1, 2])
      while (first.counts[partition] === 0) await first.read(partition);
    const { connections } = proxy;
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);

    await server.kill(2);
    const failures: unknown[] = [];
    for (const until = performance.now() + deadMs; performance.now() < until; await sleep(100)) {
      await first.read(dead).catch((thrown: unknown) => failures.push(thrown));
      for (const partition of living) await first.read(partition);
      // Which may ask the one that is just gone.
      await splitsOf(reader).catch((thrown: unknown) => failures.push(thrown));
    }
    expect(failures.length).toBeGreaterThan(10);
    for (const failure of failures)
      expect(failure).toMatchObject({ code: 'stream-unreachable', retryable: true });
    expect([proxy.connections, news]).toEqual([connections, []]);

    await write(writer, living);
    const later = createKafkaReader({ connection: connection(), topic });
    const second = following(later, await splitsOf(later));
    await expect(second.read(dead)).rejects.toMatchObject({ code: 'stream-unreachable' });
    for (const partition of living) {
      while ((first.counts[partition] ?? 0) < 2) await first.read(partition);
      while ((second.counts[partition] ?? 0) < 2) await second.read(partition);
    }

    await server.restart(2);
    await write(writer, [dead]);
    for (const each of [first, second])
      while ((each.counts[dead] ?? 0) < 2) await each.read(dead).catch(() => sleep(100));
    process.off('warning', hear);
    // Such as of listeners that pile up on a socket.
    expect(warnings).toEqual([]);
    await Promise.all([reader.close(), later.close(), writer.close()]);
  });
});
