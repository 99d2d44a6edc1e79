/**
 * Packs waiting items into the records of one write: the limits of a write and of a unit, and units
 * of several events as one record (KPL aggregation).
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Aggregation } from '../../schemas/config.ts';
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { aggregateMaxRecords, encodeAggregate } from '../../schemas/kpl.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { LaneItem, LaneUnit, TakeBounds } from './lanes.ts';

/**
 * Events of one key that leave together while an earlier one is in flight: one aggregated record.
 */
const unitMaxEvents = 100;
/**
 * Events of one aggregated record where the stream wants small ones to share it, without order,
 * and their bytes: about two PUT payload units of Kinesis, or what makes a few of them once it is
 * compressed.
 */
export const aggregateMaxEvents = 500;
export const aggregateMaxBytes = 49 * kibi;
export const aggregateGzipMaxBytes = 256 * kibi;
assert(unitMaxEvents <= aggregateMaxRecords, 'what leaves together is taken apart again');

/** An event that waits to be written. */
export interface Waiting {
  readonly record: OutgoingRecord;
  readonly sinceMs: number;
  readonly settle: (outcome: WriteOutcome) => void;
}

export type Unit = LaneUnit<Waiting>;

/** The records of a write: unit n has those from `firsts[n]` to before `firsts[n + 1]`. */
export interface Packed {
  readonly records: readonly OutgoingRecord[];
  readonly firsts: readonly number[];
  readonly bytes: number;
}

const compress = promisify(gzip);
/** Level 6 takes two and a half times as long for a fifth less (test/bench/README.md). */
const compressionLevel = 1;

const laneBounds: TakeBounds = {
  maxUnits: limits.batchMaxRecords,
  maxBytes: limits.batchMaxBytes,
  unitMaxItems: unitMaxEvents,
  unitMaxBytes: limits.unitMaxBytes,
};

/** What a write takes: events without an order may share a record, whatever their keys. */
export function boundsOf(shares: boolean, aggregate: Aggregation): TakeBounds {
  if (!shares) return laneBounds;
  return {
    ...laneBounds,
    unitMaxItems: aggregateMaxEvents,
    unitMaxBytes: aggregate === 'kpl-gzip' ? aggregateGzipMaxBytes : aggregateMaxBytes,
  };
}

/**
 * Where `aggregates`, the items of a unit are one record; else each is one, from the first on that
 * is not settled.
 */
export async function pack(
  units: readonly Unit[],
  aggregates: boolean,
  compressed: boolean,
  settledOf: (unit: Unit) => number,
): Promise<Packed> {
  const records: OutgoingRecord[] = [];
  const firsts: number[] = [];
  let bytes = 0;
  for (const unit of units) {
    const { items } = unit;
    firsts.push(records.length);
    bytes += unit.bytes;
    if (items.length > 1 && aggregates) records.push(await aggregateOf(unit, compressed));
    else
      for (let at = settledOf(unit); at < items.length; at++)
        records.push((items[at] as LaneItem<Waiting>).item.record);
  }
  return { records, firsts, bytes };
}

/** One record that holds the unit's records, in order (KPL aggregation). */
async function aggregateOf({ key, items }: Unit, compressed: boolean): Promise<OutgoingRecord> {
  const value = encodeAggregate(items.map(({ item }) => item.record));
  return compressed
    ? { key, value: [await compress(Buffer.concat(value), { level: compressionLevel })] }
    : { key, value };
}
