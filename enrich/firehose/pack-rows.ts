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
import { limits } from '../../schemas/limits.ts';

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
  #lines: Buffer[] = [];
  #lineBytes = 0;
  #records: PackedRecord[] = [];
  #bytes = callHeadBytes;
  #rows = 0;

  /** Rows that no call was returned for. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes a line with its line feed; returns the call that is full before it. */
  add(line: Buffer): PackedCall | undefined {
    assert(line.length <= limits.firehoseRecordMaxBytes, 'a row that is packed fits a record');
    const fits =
      this.#lineBytes + line.length <= limits.firehoseRecordMaxBytes &&
      this.#lines.length < limits.firehoseRecordMaxRows;
    let full: PackedCall | undefined;
    if (!fits) this.#endRecord();
    const grown = this.#bytes + wireBytes(this.#lineBytes + line.length);
    if (
      grown > limits.firehoseCallMaxBytes ||
      this.#records.length >= limits.firehoseCallMaxRecords
    )
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
