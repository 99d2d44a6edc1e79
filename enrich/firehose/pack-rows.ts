/**
 * Rows packed into Firehose's records and calls. Pure.
 *
 * Firehose bills a record as 5 KiB at least, so a record holds many rows: JSON lines, each with its
 * line feed. A call counts its records as base64.
 *
 * Invariants:
 * 1. No record is beyond `firehoseRecordMaxBytes` or `firehoseRecordMaxRows`, no call beyond
 *    `firehoseCallMaxRecords` or `firehoseCallMaxBytes`.
 * 2. Every row is in exactly one record, in the order it came.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi, mebi } from '../../schemas/kernel/bytes.ts';

/**
 * A record before base64,
 * https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
 */
export const firehoseRecordMaxBytes = 1_000 * kibi;
/**
 * Records and bytes of one call, counted as base64, so that every reading of the limit holds,
 * https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
 */
export const firehoseCallMaxRecords = 500;
export const firehoseCallMaxBytes = 4 * mebi;
/**
 * Firehose: rows of one record; what takes records apart again for partitioning takes 500,
 * https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
 */
export const firehoseRecordMaxRows = 500;

export interface PackedRecord {
  readonly data: Buffer;
  readonly rows: number;
}

export interface PackedCall {
  readonly records: readonly PackedRecord[];
  readonly rows: number;
}

/** What stands around a record's data in a call: `{"Data":""},`. */
const recordHeadBytes = 12;
/** The name of the delivery stream (64 characters at most) and what stands around it. */
const callHeadBytes = 128;

export const wireBytes = (dataBytes: number): number =>
  4 * Math.ceil(dataBytes / 3) + recordHeadBytes;

export class RowPacker {
  readonly #rowsPerRecord: number;
  #lines: Buffer[] = [];
  #lineBytes = 0;
  #records: PackedRecord[] = [];
  #bytes = callHeadBytes;
  #rows = 0;

  /** Default: as many as a record takes. */
  constructor(rowsPerRecord: number = firehoseRecordMaxRows) {
    this.#rowsPerRecord = rowsPerRecord;
  }

  /** Rows that no call was returned for. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes a line with its line feed; returns the call that is full before it. */
  add(line: Buffer): PackedCall | undefined {
    assert(line.length <= firehoseRecordMaxBytes, 'a row that is packed fits a record');
    const fits =
      this.#lineBytes + line.length <= firehoseRecordMaxBytes &&
      this.#lines.length < this.#rowsPerRecord;
    let full: PackedCall | undefined;
    if (!fits) this.#endRecord();
    const grown = this.#bytes + wireBytes(this.#lineBytes + line.length);
    if (grown > firehoseCallMaxBytes || this.#records.length >= firehoseCallMaxRecords)
      full = this.flush();
    this.#lines.push(line);
    this.#lineBytes += line.length;
    this.#rows++;
    return full;
  }

  /** All rows that are left. */
  flush(): PackedCall | undefined {
    this.#endRecord();
    if (this.#records.length === 0) return undefined;
    const call: PackedCall = { records: this.#records, rows: this.#rows };
    this.#records = [];
    this.#bytes = callHeadBytes;
    this.#rows = 0;
    return call;
  }

  #endRecord(): void {
    if (this.#lines.length === 0) return;
    this.#records.push({ data: Buffer.concat(this.#lines), rows: this.#lines.length });
    this.#bytes += wireBytes(this.#lineBytes);
    this.#lines = [];
    this.#lineBytes = 0;
  }
}
