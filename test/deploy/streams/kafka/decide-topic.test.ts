/**
 * What is decided for a Kafka topic, and the request that alters its settings, byte by byte.
 */
import { describe, expect, it } from 'vitest';
import {
  checkAlterAnswer,
  encodeAlterTopic,
} from '../../../../deploy/streams/kafka/alter-topic-request.ts';
import { decideTopic } from '../../../../deploy/streams/kafka/decide-topic.ts';

const found = {
  partitions: 3,
  replicas: 3,
  retentionMs: 604_800_000,
  messageMaxBytes: 1_048_588,
} as const;
const decide = (
  kafka: Parameters<typeof decideTopic>[0]['kafka'],
  of: Partial<typeof found> = {},
) => decideTopic({ kafka, order: 'none' }, { ...found, ...of });

describe('a Kafka topic', () => {
  it('is left as it is where nothing is configured, or what is found', () => {
    expect(decide({})).toEqual({ isNew: false, changes: [], refusals: [], actions: [] });
    expect(decide({ partitions: 3, replicas: 3, retentionMs: 604_800_000 }).actions).toEqual([]);
  });

  it('that keeps records forever is not told to keep them for less', () => {
    const forever = decideTopic(
      { kafka: { retentionMs: 604_800_000 }, order: 'none' },
      { ...found, retentionMs: -1 },
    );
    expect(forever).toMatchObject({ actions: [], refusals: [{ found: 'forever', wanted: '168' }] });
  });

  it('of which the brokers do not say something is not guessed at', () => {
    const unknown = decideTopic(
      { kafka: { messageMaxBytes: 8_388_608 }, order: 'none' },
      { ...found, messageMaxBytes: undefined },
    );
    expect(unknown).toMatchObject({ actions: [], refusals: [{ found: 'unknown' }] });
  });

  it('is created with the settings that are configured, and no other', () => {
    expect(decideTopic({ kafka: {}, order: 'key' }, undefined)).toMatchObject({
      isNew: true,
      actions: [{ do: 'create', partitions: 1, replicas: undefined, settings: {} }],
    });
    const kafka = { partitions: 6, replicas: 3, messageMaxBytes: 8_388_608 };
    expect(decideTopic({ kafka, order: 'key' }, undefined).actions).toEqual([
      {
        do: 'create',
        partitions: 6,
        replicas: 3,
        settings: { 'max.message.bytes': '8388608' },
      },
    ]);
  });

  it('warns of more partitions where the order of a key matters', () => {
    const note = (order: 'key' | 'none') =>
      decideTopic({ kafka: { partitions: 4 }, order }, found).changes[0]?.note;
    expect(note('none')).toBeUndefined();
    expect(note('key')).toContain('their order is not kept across the change');
  });
});

describe('the request that alters settings', () => {
  it('names the topic, and sets what is given', () => {
    const bytes = encodeAlterTopic('ab', { 'retention.ms': '1' });
    const expected = [
      ...[0, 0, 0, 1],
      ...[2, 0, 2, ...Buffer.from('ab')],
      ...[0, 0, 0, 1],
      ...[0, 12, ...Buffer.from('retention.ms'), 0, 0, 1, ...Buffer.from('1')],
      0,
    ];
    expect([...bytes]).toEqual(expected);
  });

  it('throws what the broker says', () => {
    const answer = (code: number, words: string): Buffer =>
      Buffer.from([
        ...[0, 0, 0, 0, 0, 0, 0, 1],
        ...[0, code, 0, words.length, ...Buffer.from(words)],
        ...[2, 0, 2, ...Buffer.from('ab')],
      ]);
    expect(() => checkAlterAnswer(answer(0, ''))).not.toThrow();
    expect(() => checkAlterAnswer(answer(29, ''))).toThrow('TOPIC_AUTHORIZATION_FAILED');
    expect(() => checkAlterAnswer(answer(40, 'no such setting'))).toThrow('no such setting');
  });
});
