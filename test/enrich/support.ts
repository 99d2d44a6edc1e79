/**
 * Batches for sinks.
 */
import type { ElementBatch } from '../../topology/index.ts';

export function batchOf(values: readonly unknown[], timestampOf: (value: unknown, index: number) => number): ElementBatch {
  return { length: values.length, values, timestamps: values.map(timestampOf), origins: values.map(() => undefined) };
}
