/**
 * How batches of records of Kafka may be compressed, each at the number that its protocol has for
 * it: what the configuration offers and the codecs are made for.
 * https://kafka.apache.org/documentation/#recordbatch (attributes 0 to 2)
 */
export const kafkaCompressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

export type KafkaCompression = (typeof kafkaCompressions)[number];
