/**
 * What happens to Kafka.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { runSluice } from '../../../tools/service-process.ts';
import { together } from '../../clients.ts';
import type { Checks } from '../../run-scenarios.ts';
import { bodyOf, largeBodyOf, smallestLargeBodyOf } from '../events.ts';
import { transactionsBy } from '../other-producer.ts';
import type { Own, Scenarios } from './judged.ts';
import { lossesOf, readOf, scenarioOn, under, until } from './judged.ts';

/** With bodies that are large by this threshold, all events go by Kafka. */
const byKafka: Own = { routing: 'large_message_threshold_kb: 1' };
const large = { bodyOf: largeBodyOf };
const isHuge = (n: number): boolean => n % 50 === 0;
/** Of a second load in the same scenario. */
const later = (k: number): number => k + 1_010_000;

export const kafkaScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
    scenario(
      'broker-killed',
      'the Kafka broker is killed with SIGKILL and started again',
      async (rig, scale) => ({
        sent: await under(rig, 20 * scale, async () => {
          await wait(5_000 * scale);
          await rig.cloud.kafka.kill();
          await wait(3_000 * scale);
          await rig.cloud.kafka.restart();
        }),
      }),
    ),
    scenario(
      'topic-created-again',
      'the topic is deleted and created again with fewer partitions, under load',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        const before = await rig.load(8_000 * scale, large);
        // What a topic had that was not read is gone with it.
        const read = await until(async () => (await readOf(rig)) >= before.sent);
        await kafka.deleteTopic(rig.stream);
        const after = await under(
          rig,
          12 * scale,
          async () => {
            await wait(2_000 * scale);
            await kafka.createTopic(rig.stream, 1);
          },
          { ...large, numberOf: later },
        );
        return { sent: together(before, after), checks: [['all was read before', read]] };
      },
      byKafka,
    ),
    scenario(
      'transactions',
      'another producer writes to the topic in transactions, every second of which is aborted',
      async (rig, scale) => {
        const [sent, others] = await Promise.all([
          rig.load(15_000 * scale, large),
          transactionsBy(rig.cloud.kafka.plain, rig.stream, Math.ceil(40 * scale)),
        ]);
        return {
          sent: together(sent, others),
          checks: [[`transactions were committed (${others.sent} events)`, others.sent > 0]],
        };
      },
      byKafka,
    ),
    scenario(
      'compressed',
      'batches are stored in gzip, snappy, lz4 and zstd, one after the other',
      async (rig, scale) => ({
        sent: await under(
          rig,
          16 * scale,
          async () => {
            for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
              await wait(3_000 * scale);
              // The broker compresses what comes plain.
              await rig.cloud.kafka.configure(rig.stream, 'compression.type', codec);
            }
          },
          large,
        ),
      }),
      byKafka,
    ),
    scenario(
      'records-deleted',
      'records of a partition are deleted before they were read, and skipped by hand',
      async (rig, scale) => {
        const { cloud, enrich, stream } = rig;
        const before = await rig.load(8_000 * scale, large);
        await until(async () => (await readOf(rig)) >= before.sent);
        await enrich.end('SIGTERM');
        const during = await rig.load(5_000 * scale, { ...large, numberOf: later });
        await cloud.kafka.deleteRecords(stream, 0, -1);
        await enrich.start();
        const found = await until(async () => (await lossesOf(rig)).total > 0);
        const { records: told, last } = await lossesOf(rig);
        const split = `events kafka ${last[0]?.split}`;
        const skipped = await runSluice([
          '--dir',
          enrich.dir,
          'skip',
          'drill',
          split,
          '--to',
          'oldest',
        ]);
        const checks: Checks = [
          [`what is gone is told with its range (${told} records)`, found && told > 0],
          [`it is skipped by hand: ${skipped.said.trim()}`, skipped.code === 0],
        ];
        return { sent: together(before, during), told, checks };
      },
      byKafka,
    ),
    scenario(
      'limit-lowered',
      'the largest batch of the topic is lowered below what batches have, and below some events',
      async (rig, scale) => ({
        sent: await under(
          rig,
          15 * scale,
          async () => {
            await wait(3_000 * scale);
            await rig.cloud.kafka.configure(rig.stream, 'max.message.bytes', '8000');
          },
          // Those beyond the limit may be refused; all others have to get through.
          { bodyOf: (n) => (isHuge(n) ? bodyOf(n) : smallestLargeBodyOf(n)), mayBeRefused: isHuge },
        ),
      }),
      byKafka,
    ),
  ];
};
