/**
 * What Kafka says of a topic with its id: Metadata, version 10, whose answers kafkajs does not know. Pure; kafka-fetcher.ts sends it.
 * https://kafka.apache.org/protocol#The_Messages_Metadata, KIP-516 (ids of topics), KIP-482 (compact fields, tagged fields).
 *
 * Invariants:
 * 1. An id is given to a topic when it is created, and to no other: one that was deleted and created again under its name has another one.
 * 2. Brokers that know no ids (before 2.8, or whose topics are older) give none.
 */

export const metadataKey = 3;
export const metadataVersion = 10;

export interface TopicIdentity {
  /** As Kafka's own tools print it; undefined where topics have none. */
  readonly id: string | undefined;
  readonly partitions: readonly number[];
}

/** By their numbers, as kafkajs calls them. https://kafka.apache.org/protocol#protocol_error_codes */
const errorTypes: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  17: 'INVALID_TOPIC_EXCEPTION',
  29: 'TOPIC_AUTHORIZATION_FAILED',
};

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

/** Throws an error with a `type`, as kafkajs' have, when the topic cannot be told of. */
export function decodeTopicAnswer(payload: Buffer): TopicIdentity {
  const read = new Reader(payload);
  read.tags();
  read.skip(4);
  read.array(() => {
    read.skip(4);
    read.text();
    read.skip(4);
    read.text();
    read.tags();
  });
  read.text();
  read.skip(4);
  const [topic] = read.array(() => topicOf(read));
  const { errorCode, id, partitions } = topic ?? { errorCode: 3, id: undefined, partitions: [] };
  if (errorCode === 0) return { id, partitions };
  const type = errorTypes[errorCode] ?? `error ${errorCode}`;
  throw Object.assign(new Error(`Kafka answers ${type} for the topic`), { type });
}

function topicOf(read: Reader): TopicIdentity & { readonly errorCode: number } {
  const errorCode = read.int16();
  read.text();
  const bytes = read.bytes(idBytes);
  const id = bytes.every((byte) => byte === 0) ? undefined : bytes.toString('base64url');
  // Whether it is one of Kafka's own.
  read.skip(1);
  const partitions = read.array(() => {
    read.skip(2);
    const partition = read.int32();
    read.skip(8);
    for (let lists = 0; lists < 3; lists++) read.array(() => read.skip(4));
    read.tags();
    return partition;
  });
  read.skip(4);
  read.tags();
  return { errorCode, id, partitions: partitions.sort((a, b) => a - b) };
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128);
  return Buffer.of(...bytes, left);
}

/** Reads on behind what was read last; a RangeError where there is nothing. */
class Reader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  bytes(count: number): Buffer {
    this.#at += count;
    if (this.#at > this.#from.length) throw new RangeError('the answer ends too soon');
    return this.#from.subarray(this.#at - count, this.#at);
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes(1).readUInt8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  /** A text, bytes or null, which nobody asks for here. */
  text(): void {
    this.skip(Math.max(0, this.unsigned() - 1));
  }

  array<T>(element: () => T): T[] {
    const all: T[] = [];
    for (let left = this.unsigned() - 1; left > 0; left--) all.push(element());
    return all;
  }

  tags(): void {
    for (let left = this.unsigned(); left > 0; left--) {
      this.unsigned();
      this.skip(this.unsigned());
    }
  }
}
