/**
 * What a failure of Kafka means to a record, and to whoever starts the ingress. Pure.
 *
 * Invariants:
 * 1. `refused` is said only of what is not in the topic for sure; whatever may be there is
 *    `unknown`.
 * 2. Messages name no broker and no principal.
 */
import type { RefusedCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { TopicDescription } from './kafka-producer.ts';

export type Failure = Exclude<WriteOutcome, { kind: 'applied' }>;

/** A request that failed after all its tries. */
export interface FailedRequest {
  readonly kind: 'failed';
  /** Of its last try. */
  readonly failure: KafkaFailure;
  /** Whether one of its tries may have put its records into the topic. */
  readonly mayHold: boolean;
  /** kafkajs' error: it may name principals. */
  readonly cause: unknown;
}

export function refused(
  code: RefusedCode,
  message: string,
  retryable: boolean,
): Extract<Failure, { kind: 'refused' }> {
  return { kind: 'refused', code, message, retryable };
}

const fewReplicas = 'the stream has fewer replicas in sync than its min.insync.replicas';

export function outcomeOf({
  failure,
  mayHold,
}: Pick<FailedRequest, 'failure' | 'mayHold'>): Failure {
  // What an earlier try may have put there is gone with the topic that had it.
  if (failure === 'partition-missing')
    return refused('stream-changed', 'the stream was created again with fewer partitions', true);
  if (mayHold) {
    return failure === 'replicas-missing' || failure === 'replicas-lost'
      ? {
          kind: 'unknown',
          code: 'replicas-missing',
          message: `${fewReplicas}; whether it holds the record is not known`,
        }
      : {
          kind: 'unknown',
          code: 'reply-missing',
          message: 'the stream did not say what became of the record',
        };
  }
  switch (failure) {
    case 'too-large':
      return refused('record-too-large', 'the stream does not take a record of that size', false);
    case 'not-valid':
      return refused('stream-refused', 'the stream does not take this record', false);
    case 'codec-refused':
      return refused(
        'stream-refused',
        'the stream does not take records that are compressed as `kafka.compression` says',
        true,
      );
    case 'replicas-missing':
      return refused('replicas-missing', `${fewReplicas}; it took nothing`, true);
    case 'denied':
    case 'principal-changed':
      return refused('stream-denied', 'the credentials may not write to the stream now', true);
    case 'topic-missing':
      return refused('stream-missing', 'the stream does not exist', true);
    case 'topic-replaced':
    case 'replicas-lost':
    case 'stale':
    case 'not-connected':
    case 'out-of-range':
    case 'unclear':
      return refused('stream-unreachable', 'the stream cannot be reached', true);
  }
}

/** What to do about a failure that does not pass by itself; undefined: it may pass. */
export function fixOf(failure: KafkaFailure, topic: string): string | undefined {
  switch (failure) {
    case 'denied':
      return `allow kafka-cluster:Connect, DescribeTopic, DescribeTopicDynamicConfiguration, WriteData and WriteDataIdempotently for topic '${topic}'`;
    case 'topic-missing':
      return `create the topic '${topic}', or correct kafka_topic`;
    case 'codec-refused':
      return `choose another kafka.compression, or another compression.type of topic '${topic}'`;
    default:
      return undefined;
  }
}

const compactedWhat = (topic: string): string =>
  `Kafka topic '${topic}': its cleanup.policy has compact, which drops all events of a key but the newest`;

export function compactedError(topic: string): SluiceError {
  return new SluiceError('topic-compacted', compactedWhat(topic), {
    fix: 'set its cleanup.policy to delete, or kafka.compacted_topics: accept in the configuration if you mean it',
  });
}

/** What is not as it should be with a topic that is written to all the same. */
export const warningsOf = (topic: string, { compacted }: TopicDescription): readonly string[] =>
  compacted
    ? [`${compactedWhat(topic)}: events that were answered as stored may be in no table`]
    : [];

/** Why a topic cannot be described. */
export function describeError(topic: string, thrown: unknown): SluiceError {
  const of = `Kafka topic '${topic}'`;
  switch (deriveKafkaFailure(thrown)) {
    case 'denied':
    case 'principal-changed':
      return new SluiceError(
        'stream-denied',
        `${of}: its description is not allowed to these credentials`,
        {
          cause: thrown,
          fix: 'allow kafka-cluster:Connect, DescribeTopic, DescribeTopicDynamicConfiguration, WriteData and WriteDataIdempotently',
        },
      );
    case 'topic-missing':
      return new SluiceError('stream-missing', `${of}: it does not exist`, {
        cause: thrown,
        fix: 'create it, or correct kafka_topic',
      });
    case 'partition-missing':
    case 'topic-replaced':
    case 'stale':
    case 'replicas-missing':
    case 'replicas-lost':
    case 'too-large':
    case 'not-valid':
    case 'out-of-range':
    case 'codec-refused':
    case 'not-connected':
    case 'unclear':
      return new SluiceError('stream-unreachable', `${of}: the brokers cannot be asked`, {
        cause: thrown,
        retryable: true,
      });
  }
}
