/** The store of records at rest in memory. */
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import { recordStoreContract } from '../../contract/record-store.ts';

recordStoreContract('records in memory', memoryRecords, { emptyMaxBytes: mebi });
