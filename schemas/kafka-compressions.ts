/**
 * The compressions of Kafka record batches, each at its number in the protocol: the configuration
 * offers these, and the codecs implement them.
 * https://kafka.apache.org/documentation/#recordbatch (attributes 0 to 2)
 */
export const kafkaCompressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

export type KafkaCompression = (typeof kafkaCompressions)[number];
