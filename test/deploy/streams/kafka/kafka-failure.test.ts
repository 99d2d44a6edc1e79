import { expect, it } from 'vitest';
import { deriveKafkaFailure } from '../../../../deploy/streams/kafka/kafka-failure.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';

const ofType = (type: string): Error => Object.assign(new Error(type), { type });

it.each([
  ['UNKNOWN_TOPIC_OR_PARTITION', 'topic-missing'],
  ['NOT_LEADER_FOR_PARTITION', 'stale'],
  ['LEADER_NOT_AVAILABLE', 'stale'],
  ['FENCED_LEADER_EPOCH', 'stale'],
  ['NOT_ENOUGH_REPLICAS', 'replicas-missing'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'replicas-lost'],
  ['MESSAGE_TOO_LARGE', 'too-large'],
  ['RECORD_LIST_TOO_LARGE', 'too-large'],
  ['INVALID_RECORD', 'not-valid'],
  ['UNSUPPORTED_COMPRESSION_TYPE', 'codec-refused'],
  ['OFFSET_OUT_OF_RANGE', 'out-of-range'],
  ['TOPIC_AUTHORIZATION_FAILED', 'denied'],
  ['REQUEST_TIMED_OUT', 'unclear'],
] as const)(
  '%s is %s, also as the cause of the error that the client ends its tries with',
  (type, failure) => {
    expect(deriveKafkaFailure(ofType(type))).toBe(failure);
    expect(
      deriveKafkaFailure(Object.assign(new Error('too many tries'), { cause: ofType(type) })),
    ).toBe(failure);
  },
);

it.each([
  ['partition-missing', 'partition-missing'],
  ['topic-replaced', 'topic-replaced'],
  ['position-missing', 'stale'],
  ['stream-unreachable', 'unclear'],
] as const)('our own error %s is %s', (code, failure) => {
  expect(deriveKafkaFailure(new SluiceError(code, 'told'))).toBe(failure);
});
