/**
 * What a failure of Kafka means, from the error's name and code, as its client and its protocol
 * call them. Pure. Codes: https://kafka.apache.org/protocol.html#protocol_error_codes
 */
import { principalChanged } from './kafka-connection.ts';
import { notTriedYet } from './kafka-sockets.ts';

export type KafkaFailure =
  | 'principal-changed'
  | 'denied'
  | 'topic-missing'
  /** The topic has fewer partitions now: it was deleted and created again. */
  | 'partition-missing'
  /** Under the topic's name there is another topic now. */
  | 'topic-replaced'
  /**
   * What was known of the topic's leaders is not so any more. What was asked may have been done.
   */
  | 'stale'
  /** Fewer replicas are in sync than `min.insync.replicas`: the broker took nothing. */
  | 'replicas-missing'
  /** The same, found after the leader had it: it may stay or not. */
  | 'replicas-lost'
  | 'too-large'
  /** What the topic's rules do not let in, such as a record without a key where it is compacted. */
  | 'not-valid'
  /**
   * The broker has no part in how the records are compressed: it takes none, or gives none to who
   * asks as we do.
   */
  | 'codec-refused'
  /** The offset is not in the partition. */
  | 'out-of-range'
  /** The connection could not be made: nothing was sent. */
  | 'not-connected'
  /** Whatever else: what was asked may have been done. */
  | 'unclear';

interface ErrorLike {
  readonly name?: string;
  /** Of our own errors. */
  readonly code?: unknown;
  readonly message?: string;
  readonly type?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

const denied = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'ILLEGAL_SASL_STATE',
]);
const stale = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
]);
const staleNames = new Set([
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSBrokerNotFound',
  'KafkaJSStaleTopicMetadataAssignment',
]);
const deniedNames = new Set(['KafkaJSSASLAuthenticationError', 'KafkaJSSASLMetadataError']);

const unconnected = new RegExp(`ECONNREFUSED|ENOTFOUND|Connection timeout|${notTriedYet}`);

export function deriveKafkaFailure(thrown: unknown): KafkaFailure {
  for (
    let error = thrown as ErrorLike | undefined, depth = 0;
    error !== undefined && error !== null && depth < 8;
    depth++
  ) {
    const { name = '', type = '', message = '', code } = error;
    if (message.includes(principalChanged)) return 'principal-changed';
    if (code === 'partition-missing' || code === 'topic-replaced') return code;
    if (denied.has(type) || deniedNames.has(name)) return 'denied';
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'INVALID_TOPIC_EXCEPTION')
      return 'topic-missing';
    if (type === 'NOT_ENOUGH_REPLICAS') return 'replicas-missing';
    if (type === 'NOT_ENOUGH_REPLICAS_AFTER_APPEND') return 'replicas-lost';
    if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') return 'too-large';
    if (type === 'INVALID_RECORD') return 'not-valid';
    if (type === 'UNSUPPORTED_COMPRESSION_TYPE') return 'codec-refused';
    if (code === 'position-missing' || stale.has(type) || staleNames.has(name)) return 'stale';
    if (type === 'OFFSET_OUT_OF_RANGE') return 'out-of-range';
    if (name === 'KafkaJSConnectionError' || name === 'KafkaJSConnectionTimeout')
      return unconnected.test(message) ? 'not-connected' : 'unclear';
    error = (error.errors?.[0] ?? error.cause) as ErrorLike | undefined;
  }
  return 'unclear';
}

/**
 * What does not pass until somebody does something: no right, no topic. It is reported once, with
 * what to do.
 */
export function isPermanent(failure: KafkaFailure): boolean {
  return failure === 'denied' || failure === 'topic-missing' || failure === 'codec-refused';
}
