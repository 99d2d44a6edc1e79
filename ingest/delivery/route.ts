/**
 * Chooses the route of an event by the size of its data, which is never truncated. Pure.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord, Route } from '../../schemas/ports/record.ts';
import { encodeBinary, encodeStructured } from '../../schemas/wire.ts';

export interface RouteLimits {
  /** Data up to this size, inclusive, takes the small route. */
  readonly thresholdBytes: number;
  /** The largest record of each route. */
  readonly kinesisRecordMaxBytes: number;
  readonly kafkaRecordMaxBytes: number;
}

export interface RoutedRecord {
  readonly route: Route;
  readonly record: OutgoingRecord;
  readonly bytes: number;
}

/** A key of 256 characters has at most four bytes each. */
const keyMaxBytes = 4 * limits.partitionKeyMaxChars;

/** The event's record, or undefined when it fits neither route. */
export function decideRoute(
  attributes: EventAttributes,
  data: Uint8Array,
  bounds: RouteLimits,
): RoutedRecord | undefined {
  const small =
    data.length <= bounds.thresholdBytes ? routeTo('kinesis', attributes, data, bounds) : undefined;
  return small ?? routeTo('kafka', attributes, data, bounds);
}

/** The event's record on `route`, or undefined when it does not fit. */
export function routeTo(
  route: Route,
  attributes: EventAttributes,
  data: Uint8Array,
  bounds: RouteLimits,
): RoutedRecord | undefined {
  if (route === 'kafka') {
    const bytes = data.length + limits.recordHeadMaxBytes;
    return bytes > bounds.kafkaRecordMaxBytes
      ? undefined
      : { route, record: encodeBinary(attributes, data), bytes };
  }
  if (data.length > bounds.kinesisRecordMaxBytes) return undefined;
  const value = encodeStructured(attributes, data);
  let bytes = keyMaxBytes;
  for (const piece of value) bytes += piece.length;
  return bytes > bounds.kinesisRecordMaxBytes
    ? undefined
    : { route, record: { key: attributes.partitionkey, value }, bytes };
}
