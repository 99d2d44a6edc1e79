/**
 * What the rows of one side hold, by slot: live objects, or bytes at rest.
 *
 * Invariants:
 * 1. Live rows take about the budget at most; those that became live first rest first. With a
 *    state that fits, all rows stay the objects that came.
 * 2. A row rests only where JSON says all of it, so that nobody can tell whether it did. One that
 *    rested and is live again keeps its record: neither its value nor its identity ever changes.
 * 3. No call rests more than `restedMax` rows: a change of what rows take stops no turn.
 */

import { small, wholes } from '../../state/chunked.ts';
import type { EntryWriter } from '../../state/entries.ts';
import { jsonOf } from '../../state/entry-text.ts';
import { isJson } from '../../state/json-safe.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { RecordStore } from '../../state/records.ts';
import type { LiveRow } from './row-record.ts';
import { encodedRow, keyOf, RowRecords, rowOf } from './row-record.ts';

const restedMax = 4;
/** What an object takes beside the bytes of its text. */
const objectBytes = 256;
/** Of so many rows the size of one is looked at. */
const sampledRows = 32;
/** The mean is of about so many. */
const meanRows = 256;
const arrivalDigits = 11;

/** Rows of one key and time sort as they arrived. */
export function rowEntryKey(key: string, arrival: number): string {
  return `${key}\n${arrival.toString(36).padStart(arrivalDigits, '0')}`;
}

/** Key and number of arrival of a row, of the key of its entry. */
export function ofRowEntryKey(text: string): readonly [key: string, arrival: number] {
  const at = text.length - arrivalDigits - 1;
  return [text.slice(0, at), Number.parseInt(text.slice(at + 1), 36)];
}

/** A row in a checkpoint, beside what it holds. */
export interface RowEntry {
  readonly table: number;
  readonly arrival: number;
  readonly time: number;
  readonly isMatched: boolean;
}

export class RowValues {
  readonly #node: string;
  readonly #records: RecordStore;
  readonly #maxBytes: number;
  readonly #live: (LiveRow | undefined)[] = [];
  readonly #handles = wholes();
  readonly #make = new RowRecords();
  /** Slots of rows that are live, or were; each once, where `#isQueued` is 1. */
  #queue: number[] = [];
  readonly #isQueued = small();
  #queueAt = 0;
  #liveRows = 0;
  #entered = 0;
  #weighed = 0;
  #meanBytes = 0;

  /** `node`: whose state it is. `maxBytes`: of live rows. */
  constructor(node: string, records: RecordStore, maxBytes: number) {
    this.#node = node;
    this.#records = records;
    this.#maxBytes = maxBytes;
  }

  /** A row comes into a slot. */
  enter(slot: number, row: LiveRow): void {
    this.#makePlace(slot);
    if (this.#entered++ % sampledRows === 0) this.#look(row);
    this.#wake(slot, row);
  }

  /** A row of a checkpoint comes into a slot; `value`: its bytes there. */
  enterAtRest(slot: number, key: string, value: Uint8Array): void {
    this.#makePlace(slot);
    this.#handles.set(slot, this.#records.add(this.#make.ofBytes(key, value)));
  }

  leave(slot: number): void {
    const handle = this.#handles.get(slot);
    if (handle > 0) this.#records.free(handle);
    this.#handles.set(slot, 0);
    if (this.#live[slot] === undefined) return;
    this.#live[slot] = undefined;
    this.#liveRows--;
  }

  /** A row that is likely to be read again. */
  read(slot: number): LiveRow {
    const live = this.#live[slot];
    if (live !== undefined) return live;
    const row = this.peek(slot);
    this.#wake(slot, row);
    return row;
  }

  /** A row that stays as it is. */
  peek(slot: number): LiveRow {
    return this.#live[slot] ?? rowOf(this.#records.read(this.#handles.get(slot)));
  }

  keyAt(slot: number): string {
    return this.#live[slot]?.key ?? keyOf(this.#records.read(this.#handles.get(slot)));
  }

  /** Throws `SluiceError` `state-unwritable`. */
  write(slot: number, writer: EntryWriter, { table, arrival, time, isMatched }: RowEntry): void {
    const put = (key: string, value: string | Uint8Array): void =>
      writer.put(table, groupOfKeyText(key), rowEntryKey(key, arrival), time, value);
    const handle = this.#handles.get(slot);
    if (handle > 0) {
      const record = this.#records.read(handle);
      put(keyOf(record), this.#make.valueBytesOf(record, isMatched));
      return;
    }
    const row = this.#live[slot] as LiveRow;
    const text = jsonOf(this.#node, encodedRow(row, isMatched));
    this.#weigh(text.length);
    put(row.key, text);
  }

  #makePlace(slot: number): void {
    while (this.#handles.length <= slot) {
      this.#handles.push(0);
      this.#isQueued.push(0);
      this.#live.push(undefined);
    }
  }

  #wake(slot: number, row: LiveRow): void {
    this.#live[slot] = row;
    this.#liveRows++;
    if (this.#isQueued.get(slot) === 0) {
      this.#isQueued.set(slot, 1);
      this.#queue.push(slot);
    }
    for (let n = 0; n < restedMax && this.#liveRows * this.#meanBytes > this.#maxBytes; n++) {
      if (this.#queueAt === this.#queue.length) return;
      this.#rest(this.#queue[this.#queueAt++] as number);
    }
    if (this.#queueAt * 2 <= this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#queueAt);
    this.#queueAt = 0;
  }

  /** The first of the queue rests, where it is live and can. */
  #rest(slot: number): void {
    this.#isQueued.set(slot, 0);
    const row = this.#live[slot];
    if (row === undefined) return;
    if (this.#handles.get(slot) === 0) {
      if (!isJson(row.value)) return;
      const text = jsonOf(this.#node, encodedRow(row, false));
      this.#weigh(text.length);
      this.#handles.set(slot, this.#records.add(this.#make.ofText(row.key, text)));
    }
    this.#live[slot] = undefined;
    this.#liveRows--;
  }

  #look({ value }: LiveRow): void {
    try {
      this.#weigh(JSON.stringify(value).length);
    } catch {
      // It has no text: a checkpoint says so.
    }
  }

  #weigh(textLength: number): void {
    this.#weighed = Math.min(this.#weighed + 1, meanRows);
    this.#meanBytes += (textLength + objectBytes - this.#meanBytes) / this.#weighed;
  }
}
