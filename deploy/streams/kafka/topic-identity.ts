/**
 * What Kafka says of a topic with its id: Metadata, version 10, whose answers kafkajs does not
 * know. Pure; kafka-fetcher.ts sends it. https://kafka.apache.org/protocol#The_Messages_Metadata,
 * KIP-516 (ids of topics), KIP-482 (compact fields, tagged fields).
 *
 * Invariants:
 * 1. An id is given to a topic when it is created, and to no other: one that was deleted and
 *    created again under its name has another one.
 * 2. Brokers that know no ids (before 2.8, or whose topics are older) give none.
 */
import { AnswerReader, errorOfCode } from './answer-reader.ts';

export const metadataKey = 3;
export const metadataVersion = 10;

export interface TopicIdentity {
  /** As Kafka's own tools print it; undefined where topics have none. */
  readonly id: string | undefined;
  readonly partitions: readonly number[];
}

const idBytes = 16;

/** The body, with the end of the head that this version has and kafkajs does not write. */
export function encodeTopicRequest(topic: string): Buffer {
  const name = Buffer.from(topic);
  return Buffer.concat([
    // The head's tagged fields; one topic, of the id zero: by its name.
    Buffer.of(0, 2),
    Buffer.alloc(idBytes),
    unsigned(name.length + 1),
    name,
    // The topic's tagged fields; no creation, no operations of cluster and topic; tagged fields.
    Buffer.of(0, 0, 0, 0, 0),
  ]);
}

/** Throws an error with a `type`, as kafkajs' have, when the topic is not known. */
export function decodeTopicAnswer(payload: Buffer): TopicIdentity {
  const read = new AnswerReader(payload);
  read.skipTags();
  read.skip(4);
  read.compactArray(() => {
    read.skip(4);
    read.skipCompactText();
    read.skip(4);
    read.skipCompactText();
    read.skipTags();
  });
  read.skipCompactText();
  read.skip(4);
  const [topic] = read.compactArray(() => topicOf(read));
  const { errorCode, id, partitions } = topic ?? { errorCode: 3, id: undefined, partitions: [] };
  if (errorCode === 0) return { id, partitions };
  throw errorOfCode(errorCode);
}

function topicOf(read: AnswerReader): TopicIdentity & { readonly errorCode: number } {
  const errorCode = read.int16();
  read.skipCompactText();
  const bytes = read.bytes(idBytes);
  const id = bytes.every((byte) => byte === 0) ? undefined : bytes.toString('base64url');
  // Whether it is one of Kafka's own.
  read.skip(1);
  const partitions = read.compactArray(() => {
    read.skip(2);
    const partition = read.int32();
    read.skip(8);
    for (let lists = 0; lists < 3; lists++) read.compactArray(() => read.skip(4));
    read.skipTags();
    return partition;
  });
  read.skip(4);
  read.skipTags();
  return { errorCode, id, partitions: partitions.sort((a, b) => a - b) };
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128);
  return Buffer.of(...bytes, left);
}
