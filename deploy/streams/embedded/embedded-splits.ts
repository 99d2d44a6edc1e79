/**
 * The splits of the Kinesis and Kafka stand-ins: their names, the positions of their records, and
 * which split a key goes to. Pure.
 *
 * Invariants:
 * 1. A position is decimal digits that rise with the offset, and gives back its offset.
 * 2. A key goes where the real service would put it, given as many splits.
 */
import { hash } from 'node:crypto';
import type { Path } from '../../../schemas/ports/record.ts';

/**
 * Sequence numbers are far above 2^53, as Kinesis' are: code that takes them for numbers breaks
 * here first.
 */
const sequencePrefix = '49650000000000000000';
const offsetDigits = 20;

export function positionOf(path: Path, offset: number): string {
  return path === 'kafka'
    ? String(offset)
    : sequencePrefix + String(offset).padStart(offsetDigits, '0');
}

export function offsetOf(path: Path, position: string): number {
  return Number(path === 'kafka' ? position : position.slice(sequencePrefix.length));
}

export function splitName(path: Path, index: number): string {
  return path === 'kinesis' ? `shardId-${String(index).padStart(12, '0')}` : `partition-${index}`;
}

/**
 * What of `names` are splits of `path`, in the order of their numbers: the order decides which keys
 * go where.
 */
export function splitsAmong(path: Path, names: readonly string[]): readonly string[] {
  const pattern = path === 'kinesis' ? /^shardId-(\d{12})$/ : /^partition-(\d+)$/;
  return names
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number)
    .map(({ name }) => name);
}

/** Kinesis: MD5 of the key over even hash ranges. Kafka: the Java client's default partitioner. */
export function splitOf(path: Path, key: string, count: number): number {
  if (path === 'kafka') return (murmur2(Buffer.from(key)) & 0x7fffffff) % count;
  return Math.floor(
    (Number.parseInt(hash('md5', key, 'hex').slice(0, 8), 16) * count) / 4_294_967_296,
  );
}

/** org.apache.kafka.common.utils.Utils.murmur2 */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = data.length & 3;
  if (rest === 3) h ^= (data[whole + 2] as number) << 16;
  if (rest >= 2) h ^= (data[whole + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (data[whole] as number), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
