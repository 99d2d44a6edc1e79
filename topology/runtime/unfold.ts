/**
 * A reader that gives whole events: records that hold several (KPL aggregation) are taken apart, and the data of records that only point to
 * it (claim checks) is fetched, before anything enters a turn.
 *
 * Invariants:
 * 1. The parts of one record come together, in order, under its position: a position counts as read with all of them.
 * 2. A result is within the bounds of the read also after it was unfolded, but for a single record that alone is beyond; what is left is
 *    read again next time.
 * 3. Only claims of the reader's own stream are fetched: a record cannot make the source read what belongs to another. What is fetched is what
 *    was stored, by size and SHA-256. A claim that is missing or altered stays a pointer, which is refused when it enters; a store that
 *    cannot be asked is an error of the read, which is tried again.
 */
import { createHash } from 'node:crypto';
import { decodeAggregate } from '../../schemas/kpl.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import { claimOf, claimScheme, resolveClaim } from '../../schemas/wire.ts';

/** `stream` is `team/app`. Without `claims` pointers stay what they are. */
export function unfoldingReader(reader: RecordReader, stream: string, claims: BlobStore | undefined): RecordReader {
  return {
    path: reader.path,
    splits: () => reader.splits(),
    latest: (split) => reader.latest(split),
    lag: (split, after) => reader.lag(split, after),
    close: () => reader.close(),
    async read(split, after, bounds) {
      const result = await reader.read(split, after, bounds);
      const records: IncomingRecord[] = [];
      let bytes = 0;
      for (const record of result.records) {
        const parts = reader.path === 'kinesis' ? partsOf(record) : [record];
        const whole: IncomingRecord[] = [];
        for (const part of parts) whole.push(claims === undefined ? part : await fetched(claims, stream, part));
        bytes += whole.reduce((sum, { value }) => sum + value.length, 0);
        if (records.length > 0 && (bytes > bounds.maxBytes || records.length + whole.length > bounds.maxRecords))
          return { records, ended: false };
        records.push(...whole);
      }
      return { records, ended: result.ended };
    },
  };
}

function partsOf(record: IncomingRecord): readonly IncomingRecord[] {
  const parts = decodeAggregate(record.value);
  return parts === undefined ? [record] : parts.map(({ key, value }, part) => ({ ...record, key, value, part }));
}

async function fetched(claims: BlobStore, stream: string, record: IncomingRecord): Promise<IncomingRecord> {
  const claim = claimOf(record);
  if (claim === undefined || !claim.ref.startsWith(`${claimScheme}${stream}/`)) return record;
  const data = await claims.get(claim.ref.slice(claimScheme.length));
  if (data === undefined || data.length !== claim.bytes) return record;
  if (createHash('sha256').update(data).digest('hex') !== claim.sha256) return record;
  return resolveClaim(record, data);
}
