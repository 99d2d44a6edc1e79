/** The stores of records at rest in memory: plain, as small ones are, and deflated. */
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { BlockRecords } from '../../../topology/state/block-records.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import { memorySegments } from '../../../topology/state/segments.ts';
import { recordStoreContract } from '../../contract/record-store.ts';

const bounds = { emptyMaxBytes: mebi };
const deflated = (): BlockRecords => new BlockRecords(memorySegments({ plainMaxBytes: 0 }));

recordStoreContract('records in memory', memoryRecords, bounds);
recordStoreContract('deflated records in memory', deflated, bounds);
