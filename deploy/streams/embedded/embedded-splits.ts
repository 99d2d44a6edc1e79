/**
 * The splits of the Kinesis and Kafka stand-ins: their names, the positions of their records, and
 * which split a key goes to. Pure.
 *
 * Invariants:
 * 1. A position is decimal digits that rise with the offset, and gives back its offset.
 * 2. A key goes where the real service would put it, given as many splits.
 */
import { hash } from 'node:crypto';
import type { Route } from '../../../schemas/ports/record.ts';
import { partitionOfKey } from '../kafka-partition.ts';

/**
 * Sequence numbers are far above 2^53, as Kinesis' are: code that takes them for numbers breaks
 * here first.
 */
const sequencePrefix = '49650000000000000000';
const offsetDigits = 20;

export function positionOf(route: Route, offset: number): string {
  return route === 'kafka'
    ? String(offset)
    : sequencePrefix + String(offset).padStart(offsetDigits, '0');
}

export function offsetOf(route: Route, position: string): number {
  return Number(route === 'kafka' ? position : position.slice(sequencePrefix.length));
}

export function splitName(route: Route, index: number): string {
  return route === 'kinesis' ? `shardId-${String(index).padStart(12, '0')}` : `partition-${index}`;
}

/**
 * What of `names` are splits of `route`, in the order of their numbers: the order decides which
 * keys go where.
 */
export function splitsAmong(route: Route, names: readonly string[]): readonly string[] {
  const pattern = route === 'kinesis' ? /^shardId-(\d{12})$/ : /^partition-(\d+)$/;
  return names
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number)
    .map(({ name }) => name);
}

/** Kinesis: MD5 of the key over even hash ranges. Kafka: the Java client's default partitioner. */
export function splitOf(route: Route, key: string, count: number): number {
  if (route === 'kafka') return partitionOfKey(key, count);
  return Math.floor(
    (Number.parseInt(hash('md5', key, 'hex').slice(0, 8), 16) * count) / 4_294_967_296,
  );
}
