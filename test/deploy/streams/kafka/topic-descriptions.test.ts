/**
 * What the Kafka writer knows of its topics was asked once and never again: a topic that was
 * created anew stayed as it had been until a restart.
 */
import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  createTopicDescriptions,
  kafkaDescriptionMaxAgeMs,
} from '../../../../deploy/streams/kafka/topic-descriptions.ts';
import { manualClock } from '../../../../schemas/kernel/clock.ts';

function rig(): {
  readonly descriptions: ReturnType<typeof createTopicDescriptions>;
  readonly clock: ReturnType<typeof manualClock>;
  readonly topic: { partitions: number; failure?: Error };
  readonly asked: () => number;
} {
  const clock = manualClock(0);
  const topic: { partitions: number; failure?: Error } = { partitions: 4 };
  let asked = 0;
  const descriptions = createTopicDescriptions(async () => {
    asked++;
    const { failure, partitions } = topic;
    await nextRound();
    if (failure !== undefined) throw failure;
    return { partitions, batchMaxBytes: 1_000 };
  }, clock);
  return { descriptions, clock, topic, asked: () => asked };
}

it('is asked once for all that want to know at the same time, and then not again', async () => {
  const { descriptions, asked } = rig();
  const found = await Promise.all([
    descriptions.of('t'),
    descriptions.of('t'),
    descriptions.of('t'),
  ]);
  expect(found.map(({ partitions }) => partitions)).toEqual([4, 4, 4]);
  await descriptions.of('t');
  expect(asked()).toBe(1);
});

it('is asked anew when it is old, beside the writes, and the next one knows', async () => {
  const { descriptions, clock, topic, asked } = rig();
  await descriptions.of('t');
  topic.partitions = 1;
  clock.advance(kafkaDescriptionMaxAgeMs - 1);
  expect((await descriptions.of('t')).partitions).toBe(4);
  expect(asked()).toBe(1);
  clock.advance(1);
  expect((await descriptions.of('t')).partitions).toBe(4);
  await nextRound();
  await nextRound();
  expect((await descriptions.of('t')).partitions).toBe(1);
  expect(asked()).toBe(2);
});

it('stays as it was while the topic cannot be asked, and is forgotten when there is none', async () => {
  const { descriptions, clock, topic, asked } = rig();
  await descriptions.of('t');
  topic.failure = new Error('no broker');
  clock.advance(kafkaDescriptionMaxAgeMs);
  for (let n = 0; n < 3; n++) {
    expect((await descriptions.of('t')).partitions).toBe(4);
    await nextRound();
    await nextRound();
  }
  expect(asked()).toBe(2);
  topic.failure = Object.assign(new Error('gone'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
  clock.advance(kafkaDescriptionMaxAgeMs);
  await descriptions.of('t');
  await nextRound();
  await nextRound();
  await expect(descriptions.of('t')).rejects.toThrow('gone');
});

it('is not what an answer says that was asked for before it was forgotten', async () => {
  const { descriptions, topic } = rig();
  const before = descriptions.of('t');
  topic.partitions = 1;
  descriptions.forget('t');
  expect((await before).partitions).toBe(4);
  expect((await descriptions.of('t')).partitions).toBe(1);
});

it('is asked anew once for each number of partitions that the producer sees and it does not have', async () => {
  const { descriptions, topic, asked } = rig();
  await descriptions.of('t');
  descriptions.saw('t', 4);
  await descriptions.of('t');
  expect(asked()).toBe(1);
  topic.partitions = 6;
  descriptions.saw('t', 6);
  expect((await descriptions.of('t')).partitions).toBe(6);
  for (let n = 0; n < 3; n++) {
    descriptions.saw('t', 4);
    await descriptions.of('t');
  }
  expect(asked()).toBe(3);
});
