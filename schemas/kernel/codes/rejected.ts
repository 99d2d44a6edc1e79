/** What topologies reject: each is the `code` of a row of the `rejected` table. */
import type { RejectedEntry } from './entry.ts';

export const rejectedCodes = {
  'claim-unresolved': {
    means:
      'The event points to its data in the claim store, and the data is missing, altered or of another stream.',
    fix: 'Restore the object, then replay the stream.',
  },
  'function-result': {
    means:
      'A function of the topology returned what its place does not allow: a key, a time or a row.',
    fix: 'Correct the function; the message says what it returned.',
  },
  'function-stuck': {
    means: 'A function of the topology did not return when it was given this element, twice.',
    fix: 'Look for an endless loop or a slow regular expression in the function.',
  },
  'function-threw': {
    means: 'A function of the topology threw an error.',
    fix: 'Correct the function; the message is the message of the error.',
  },
  'future-event': {
    means: 'The event time is further ahead of the clock than `future.max`.',
    fix: 'Correct the clock of the sender, or raise `future.max`.',
  },
  late: {
    means: 'The element came after its window or its state was gone.',
    fix: 'Allow more lateness, or raise `outOfOrderness`.',
  },
  'lookup-failed': {
    means: 'A look-up had no answer after all its attempts, and rejects such elements.',
    fix: "Bring the service back, or use `whenFailing: 'hold'`.",
  },
  'operator-failed': {
    means: 'An operator failed on this element twice, also when it was alone.',
    fix: 'Report it: this is a defect.',
  },
  'records-lost': {
    means:
      'Records were deleted from the stream before they were read; one row covers a range of one split.',
    fix: 'Raise the retention of the stream, or run the topology without long pauses.',
  },
  'rejected-by-topology': {
    means: 'The topology sent the element to the rejected table itself.',
    fix: 'Nothing: the author of the topology decided so.',
  },
  'row-mismatch': {
    means: 'The row does not fit the columns of its table.',
    fix: 'Correct the function that makes the row, or the schema of the table.',
  },
  'schema-unknown': {
    means: 'None of the schemas of `oneOf` is for the type and dataschema of this event.',
    fix: 'Add a schema for it, or correct the event.',
  },
  'schema-violation': {
    means: 'The data does not fit the schema of the topology.',
    fix: 'Correct the data at the pointer, or the schema.',
  },
  skipped: {
    means:
      'These positions could not be read and were skipped by command; one row covers the whole range.',
    fix: 'Nothing: somebody decided so with `sluice skip`.',
  },
  'undecodable-record': {
    means: 'The record is not an event that Sluice or CloudEvents describes.',
    fix: 'Look for another writer of the stream.',
  },
} as const satisfies Readonly<Record<string, RejectedEntry>>;
