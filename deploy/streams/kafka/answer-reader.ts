/**
 * Reads the fields of an answer of Kafka one after the other, as its protocol writes them. Pure.
 * https://kafka.apache.org/protocol#protocol_types, KIP-482 (compact fields, tagged fields).
 */
export class AnswerReader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  /** Of the same memory. A RangeError where there are not so many. */
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

  int64(): bigint {
    return this.bytes(8).readBigInt64BE();
  }

  /** Null is empty. */
  string(): string {
    return this.bytes(Math.max(0, this.int16())).toString();
  }

  /** Null is empty. */
  array<T>(element: () => T): T[] {
    const all: T[] = [];
    for (let left = this.int32(); left > 0; left--) all.push(element());
    return all;
  }

  compactNumber(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes(1).readUInt8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  /** A text, bytes or null, which nobody asks for here. */
  skipCompactText(): void {
    this.skip(Math.max(0, this.compactNumber() - 1));
  }

  compactArray<T>(element: () => T): T[] {
    const all: T[] = [];
    for (let left = this.compactNumber() - 1; left > 0; left--) all.push(element());
    return all;
  }

  skipTags(): void {
    for (let left = this.compactNumber(); left > 0; left--) {
      this.compactNumber();
      this.skip(this.compactNumber());
    }
  }
}

/**
 * By their numbers, as kafkajs calls them. https://kafka.apache.org/protocol#protocol_error_codes
 */
const errorTypes: Readonly<Record<number, string>> = {
  1: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_FOR_PARTITION',
  9: 'REPLICA_NOT_AVAILABLE',
  17: 'INVALID_TOPIC_EXCEPTION',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  56: 'KAFKA_STORAGE_ERROR',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
};

/** An error with a `type`, as those of kafkajs have. */
export function errorOfCode(code: number): Error {
  const type = errorTypes[code] ?? `error ${code}`;
  return Object.assign(new Error(`Kafka answers ${type}`), { type });
}
