/**
 * The partition of a key, as Kafka's own clients choose it (murmur2), by kafkajs' own partitioner:
 * what the writer sends to brokers and what the embedded log keeps agree.
 */
import { createRequire } from 'node:module';
import type { ICustomPartitioner, PartitionMetadata } from 'kafkajs';

let partitioner: ReturnType<ICustomPartitioner> | undefined;

/** The partitioner alone: the rest of kafkajs is not needed by who starts locally. */
function load(): ReturnType<ICustomPartitioner> {
  const create = createRequire(import.meta.url)(
    'kafkajs/src/producer/partitioners/default',
  ) as ICustomPartitioner;
  return create();
}

const metadata = new Map<number, PartitionMetadata[]>();

function metadataOf(partitions: number): PartitionMetadata[] {
  const known = metadata.get(partitions);
  if (known !== undefined) return known;
  const made = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  metadata.set(partitions, made);
  return made;
}

export function partitionOfKey(key: string, partitions: number): number {
  partitioner ??= load();
  return partitioner({
    topic: '',
    message: { key, value: null },
    partitionMetadata: metadataOf(partitions),
  });
}
