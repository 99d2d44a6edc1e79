/**
 * What a failure of Kafka is answered as: refused only what is not in the topic for sure.
 */
import { expect, it } from 'vitest';
import { outcomeOf } from '../../../../deploy/streams/kafka/kafka-outcomes.ts';
import { isUntaken } from '../../../../deploy/streams/kafka/kafka-producer.ts';
import {
  decideTriesUntil,
  kafkaUntakenMaxMs,
} from '../../../../deploy/streams/kafka/kafka-sender.ts';
import { kafkaWriteMaxMs } from '../../../../deploy/streams/kafka/kafka-writer.ts';

it.each([
  ['replicas-missing', 'refused', 'replicas-missing'],
  ['too-large', 'refused', 'record-too-large'],
  ['not-valid', 'refused', 'stream-refused'],
  ['denied', 'refused', 'stream-denied'],
  ['topic-missing', 'refused', 'stream-missing'],
  ['not-connected', 'refused', 'stream-unreachable'],
] as const)(
  '%s of a request that took nothing is %s as %s, and unknown once a try may have been carried out',
  (failure, kind, code) => {
    expect(outcomeOf({ failure, mayHold: false })).toMatchObject({ kind, code });
    expect(outcomeOf({ failure, mayHold: true }).kind).toBe('unknown');
  },
);

it('too few replicas are named also where a try before may have been carried out', () => {
  for (const failure of ['replicas-missing', 'replicas-lost'] as const) {
    expect(outcomeOf({ failure, mayHold: true })).toMatchObject({
      kind: 'unknown',
      code: 'replicas-missing',
    });
  }
});

it('what an earlier topic of the name may have had is no reason to call a record unknown', () => {
  expect(outcomeOf({ failure: 'partition-missing', mayHold: true })).toMatchObject({
    kind: 'refused',
    code: 'stream-changed',
  });
});

it('a denial that the client met after something else does not say that nothing was taken', () => {
  const denial = Object.assign(new Error('Not authorized'), {
    name: 'KafkaJSProtocolError',
    type: 'TOPIC_AUTHORIZATION_FAILED',
  });
  expect(isUntaken(denial)).toBe(true);
  expect(
    isUntaken(
      Object.assign(new Error('Not authorized', { cause: denial }), {
        name: 'KafkaJSNonRetriableError',
      }),
    ),
  ).toBe(false);
});

it.each([
  ['NOT_ENOUGH_REPLICAS', true],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', false],
  ['NOT_LEADER_FOR_PARTITION', false],
  ['REQUEST_TIMED_OUT', false],
  ['MESSAGE_TOO_LARGE', true],
])('a broker that says %s took nothing: %s', (type, expected) => {
  const thrown = Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });
  expect(
    isUntaken(
      Object.assign(new Error('too many tries', { cause: thrown }), {
        name: 'KafkaJSNumberOfRetriesExceeded',
      }),
    ),
  ).toBe(expected);
});

const time = { startedMs: 1_000, untilMs: 1_000 + kafkaWriteMaxMs };
const soonMs = 1_000 + kafkaUntakenMaxMs;

it.each([
  [
    'what may be in the topic already is tried to the end',
    { failure: 'replicas-missing', mayHold: true, connected: true },
    time.untilMs,
  ],
  [
    'a leader that is gone is waited for',
    { failure: 'not-connected', mayHold: false, connected: true },
    time.untilMs,
  ],
  [
    'a topic between two leaders is waited for',
    { failure: 'stale', mayHold: false, connected: false },
    time.untilMs,
  ],
  [
    'too few replicas are answered soon',
    { failure: 'replicas-missing', mayHold: false, connected: true },
    soonMs,
  ],
  [
    'a cluster that cannot be reached is answered soon',
    { failure: 'not-connected', mayHold: false, connected: false },
    soonMs,
  ],
  [
    'a denial is answered at once',
    { failure: 'denied', mayHold: true, connected: true },
    undefined,
  ],
  [
    'a principal that changed takes a new producer',
    { failure: 'principal-changed', mayHold: false, connected: true },
    time.untilMs,
  ],
  [
    'a principal that changed ends what needs the old one',
    { failure: 'principal-changed', mayHold: true, connected: true },
    undefined,
  ],
] as const)('%s', (_what, tries, expected) => {
  expect(decideTriesUntil(tries, time)).toBe(expected);
});
