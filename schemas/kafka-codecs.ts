/**
 * How batches of records of Kafka are compressed, by the numbers that its protocol has for it.
 * https://kafka.apache.org/documentation/#recordbatch (attributes 0 to 2)
 *
 * Invariants:
 * 1. What is inflated is bounded.
 */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { limits } from './limits.ts';

export interface KafkaCodec {
  readonly name: string;
  /** Rejects when the bytes are damaged, or become more than `kafkaBatchInflatedMaxBytes`. */
  readonly inflate: (bytes: Buffer) => Promise<Buffer>;
}

/** One that cannot be read, and why, as the end of a sentence. */
export interface MissingCodec {
  readonly name: string;
  readonly missing: string;
}

const gunzipped = promisify(gunzip);

const codecs: readonly KafkaCodec[] = [
  { name: 'none', inflate: (bytes) => Promise.resolve(bytes) },
  { name: 'gzip', inflate: (bytes) => gunzipped(bytes, { maxOutputLength: limits.kafkaBatchInflatedMaxBytes }) },
];

const names = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

export function kafkaCodec(codec: number): KafkaCodec | MissingCodec {
  return codecs[codec] ?? { name: names[codec] ?? `codec ${codec}`, missing: 'which is not known here' };
}
