/**
 * A reader that gives whole events: records that hold several (KPL aggregation) are taken apart, and the data of records that only point to
 * it (claim checks) is fetched, before anything enters a turn.
 *
 * Invariants:
 * 1. The parts of one record come together, in order, under its position: a position counts as read with all of them.
 * 2. A result is within the bounds of the read also after it was unfolded, but for a single record that alone is beyond. What is left of it is
 *    kept for the read that goes on there, so that nothing is asked of the stream, or fetched, twice: at most one read's records a split.
 * 3. Only claims of the reader's own stream are fetched: a record cannot make the source read what belongs to another. What is fetched is what
 *    was stored, by size and SHA-256. A claim that is missing or altered stays a pointer, which is refused when it enters; a store that
 *    cannot be asked is an error of the read, which is tried again.
 */
import { createHash } from 'node:crypto';
import { decodeAggregate } from '../../schemas/kpl.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import { claimOf, claimScheme, resolveClaim } from '../../schemas/wire.ts';

/** What a read got and did not give: the record that did not fit, unfolded, and those behind it. It is for the read after `after`. */
interface Left extends ReadResult {
  readonly after: string;
  readonly opened: readonly IncomingRecord[];
}

/** `stream` is `team/app`. Without `claims` pointers stay what they are. */
export function unfoldingReader(reader: RecordReader, stream: string, claims: BlobStore | undefined): RecordReader {
  const leftOf = new Map<string, Left>();

  const unfold = async (parts: readonly IncomingRecord[], store: BlobStore): Promise<readonly IncomingRecord[]> => {
    const whole: IncomingRecord[] = [];
    for (const part of parts) whole.push(await fetched(store, stream, part));
    return whole;
  };

  return {
    path: reader.path,
    splits: () => reader.splits(),
    latest: (split) => reader.latest(split),
    lag: (split, after) => reader.lag(split, after),
    close() {
      leftOf.clear();
      return reader.close();
    },
    async read(split, after, bounds) {
      const left = leftOf.get(split);
      leftOf.delete(split);
      const goesOn = left !== undefined && left.after === after;
      const { records: folded, ended } = goesOn ? left : await reader.read(split, after, bounds);
      const records: IncomingRecord[] = goesOn ? [...left.opened] : [];
      let bytes = bytesOf(records);
      for (const [n, record] of folded.entries()) {
        const parts = reader.path === 'kinesis' ? partsOf(record) : [record];
        // Only what points waits: no promise an event.
        const opened = claims !== undefined && parts.some((part) => claimOf(part) !== undefined) ? await unfold(parts, claims) : parts;
        bytes += bytesOf(opened);
        const last = records.at(-1);
        if (last !== undefined && (bytes > bounds.maxBytes || records.length + opened.length > bounds.maxRecords)) {
          leftOf.set(split, { after: last.position, opened, records: folded.slice(n + 1), ended });
          return { records, ended: false };
        }
        records.push(...opened);
      }
      return { records, ended };
    },
  };
}

function bytesOf(records: readonly IncomingRecord[]): number {
  let bytes = 0;
  for (const { value } of records) bytes += value.length;
  return bytes;
}

function partsOf(record: IncomingRecord): readonly IncomingRecord[] {
  const parts = decodeAggregate(record.value);
  if (parts === undefined) return [record];
  const { position, arrivedAtMs } = record;
  return parts.map(({ key, value }, part) => ({ key, value, position, part, arrivedAtMs }));
}

async function fetched(claims: BlobStore, stream: string, record: IncomingRecord): Promise<IncomingRecord> {
  const claim = claimOf(record);
  if (claim === undefined || !claim.ref.startsWith(`${claimScheme}${stream}/`)) return record;
  const data = await claims.get(claim.ref.slice(claimScheme.length));
  if (data === undefined || data.length !== claim.bytes) return record;
  if (createHash('sha256').update(data).digest('hex') !== claim.sha256) return record;
  return resolveClaim(record, data);
}
