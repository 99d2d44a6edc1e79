/**
 * Records in the memory of the process: no pass of the garbage collector looks at them.
 */
import { BlockRecords } from './block-records.ts';
import type { RecordStore } from './records.ts';
import { memorySegments } from './segments.ts';

export function memoryRecords(): RecordStore {
  return new BlockRecords(memorySegments());
}
