/**
 * Which way an event takes: by the size of its data, never truncated. Pure.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord, Path } from '../../schemas/ports/record.ts';
import { encodeBinary, encodeStructured } from '../../schemas/wire.ts';
import type { Refusal } from '../protocol/refusal.ts';

export interface RouteLimits {
  /** Data up to this size, inclusive, takes the small path. */
  readonly thresholdBytes: number;
  /** The largest record of each path. */
  readonly kinesisRecordMaxBytes: number;
  readonly kafkaRecordMaxBytes: number;
}

export interface RoutedRecord {
  readonly route: Path;
  readonly record: OutgoingRecord;
  readonly bytes: number;
}

export function decideRoute(attributes: EventAttributes, data: Uint8Array, bounds: RouteLimits): RoutedRecord | Refusal {
  if (data.length <= bounds.thresholdBytes) {
    const value = encodeStructured(attributes, data);
    const bytes = value.reduce((sum, piece) => sum + piece.length, 0);
    if (bytes + keyMaxBytes <= bounds.kinesisRecordMaxBytes)
      return { route: 'kinesis', record: { key: attributes.partitionkey, value }, bytes };
  }
  if (data.length + limits.recordHeadMaxBytes > bounds.kafkaRecordMaxBytes) {
    const most = bounds.kafkaRecordMaxBytes - limits.recordHeadMaxBytes;
    return {
      status: 413,
      code: 'event-too-large',
      message: `the data has ${data.length} bytes`,
      expected: `at most ${most} bytes, the largest configured route`,
    };
  }
  const record = encodeBinary(attributes, data);
  return { route: 'kafka', record, bytes: data.length + limits.recordHeadMaxBytes };
}

/** A key of 256 characters has at most four bytes each. */
const keyMaxBytes = 4 * limits.partitionKeyMaxChars;
