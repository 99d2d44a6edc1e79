/**
 * Records in the memory of the process, in pages outside the heap of JavaScript: no pass of the
 * garbage collector looks at them.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { wholes } from './chunked.ts';
import type { RecordStore } from './records.ts';

const pageBytes = 256 * kibi;

interface Page {
  readonly bytes: Uint8Array;
  /** Of records that are not freed. */
  records: number;
}

export function memoryRecords(): RecordStore {
  return new MemoryRecords();
}

class MemoryRecords implements RecordStore {
  records = 0;
  bytes = 0;
  heldBytes = 0;
  readonly #pages = new Map<number, Page>();
  #lastPage = 0;
  /** Of the last page; there is none at first. */
  #end = Number.POSITIVE_INFINITY;
  // By handle: the number of its page, where it begins there, its length; of a free one the length
  // is `freed`, and the first the next free handle.
  readonly #page = wholes();
  readonly #start = wholes();
  readonly #length = wholes();
  /** 0: none. */
  #free = 0;

  constructor() {
    for (const column of [this.#page, this.#start, this.#length]) column.push(0);
  }

  add(bytes: Uint8Array): number {
    if (this.#end + bytes.length > pageBytes) this.#begin(Math.max(pageBytes, bytes.length));
    const page = present(this.#pages.get(this.#lastPage), 'the last page');
    page.bytes.set(bytes, this.#end);
    page.records++;
    const handle = this.#handle();
    this.#page.set(handle, this.#lastPage);
    this.#start.set(handle, this.#end);
    this.#length.set(handle, bytes.length);
    this.#end += bytes.length;
    this.records++;
    this.bytes += bytes.length;
    return handle;
  }

  read(handle: number): Uint8Array {
    const page = this.#pageOf(handle);
    const start = this.#start.get(handle);
    return page.bytes.subarray(start, start + this.#length.get(handle));
  }

  free(handle: number): void {
    const page = this.#pageOf(handle);
    this.records--;
    this.bytes -= this.#length.get(handle);
    page.records--;
    const number = this.#page.get(handle);
    if (page.records === 0 && number !== this.#lastPage) this.#drop(number, page);
    this.#length.set(handle, freed);
    this.#page.set(handle, this.#free);
    this.#free = handle;
  }

  close(): void {
    this.#pages.clear();
    this.heldBytes = 0;
  }

  #pageOf(handle: number): Page {
    const isThere = handle > 0 && handle < this.#length.length;
    assert(isThere && this.#length.get(handle) !== freed, 'a record that is not freed');
    return present(this.#pages.get(this.#page.get(handle)), 'the page of a record');
  }

  #begin(bytes: number): void {
    const before = this.#pages.get(this.#lastPage);
    if (before?.records === 0) this.#drop(this.#lastPage, before);
    this.#lastPage++;
    this.#pages.set(this.#lastPage, { bytes: Buffer.allocUnsafeSlow(bytes), records: 0 });
    this.heldBytes += bytes;
    this.#end = 0;
  }

  #drop(number: number, { bytes }: Page): void {
    this.#pages.delete(number);
    this.heldBytes -= bytes.length;
  }

  #handle(): number {
    if (this.#free > 0) {
      const handle = this.#free;
      this.#free = this.#page.get(handle);
      return handle;
    }
    const handle = this.#length.length;
    for (const column of [this.#page, this.#start, this.#length]) column.push(0);
    return handle;
  }
}

const freed = 0xff_ff_ff_ff;
