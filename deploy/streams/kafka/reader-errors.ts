/**
 * What a reader says of a failure of Kafka: one error a failure, with what to do. Pure.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { KafkaFailure } from './kafka-failure.ts';

/**
 * `of` names the topic, `position` the offset that was asked for. Codes: `stream-missing`,
 * `split-gone`, `stream-denied`, `position-trimmed`, `codec-unreadable`, `stream-unreachable`.
 */
export function readerError(
  of: string,
  failure: KafkaFailure,
  cause: unknown,
  position = '',
): SluiceError {
  switch (failure) {
    case 'topic-missing':
      return new SluiceError('stream-missing', `${of}: it does not exist`, {
        cause,
        fix: 'create it, or correct kafka_topic',
      });
    case 'partition-missing':
    case 'topic-replaced':
      return new SluiceError(
        'split-gone',
        `${of}: it was deleted and created again, and the records of this split are gone`,
        {
          cause,
          fix: 'nothing to do: its partitions are read from their first records as new splits',
        },
      );
    case 'denied':
      return new SluiceError('stream-denied', `${of}: these credentials may not read it`, {
        cause,
        fix: 'allow kafka-cluster:Connect, DescribeTopic and ReadData',
        retryable: true,
      });
    case 'out-of-range':
      return new SluiceError(
        'position-trimmed',
        `${of}: the offset ${position} is no longer kept`,
        { cause },
      );
    case 'codec-refused':
      return new SluiceError(
        'codec-unreadable',
        `${of}: the records at ${position} are compressed with zstd, which brokers before 2.3 do not give`,
        {
          cause,
          fix: 'set another `compression.type` on the topic, or continue after them with `sluice skip TOPOLOGY SPLIT --to POSITION`',
        },
      );
    case 'stale':
    case 'replicas-missing':
    case 'replicas-lost':
    case 'principal-changed':
    case 'too-large':
    case 'not-valid':
    case 'not-connected':
    case 'unclear':
      return new SluiceError('stream-unreachable', `${of}: the brokers cannot be asked`, {
        cause,
        retryable: true,
      });
  }
}
