/**
 * The entries that tables write, interval after interval, as a restore would read them.
 */
import type { Entry, EntryWriter } from '../../../topology/state/entries.ts';
import { bytesOfPart } from '../../../topology/state/entry-text.ts';

type Kept = Entry & { readonly value: Uint8Array };

const copyOf = (part: string | Uint8Array): Uint8Array => Uint8Array.from(bytesOfPart(part));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

class IntervalWriter implements EntryWriter {
  bytes = 0;
  entries = 0;
  readonly written: ((kept: Map<string, Kept>) => void)[] = [];

  put(
    table: number,
    group: number,
    key: string | Uint8Array,
    time: number,
    value: string | Uint8Array,
  ): void {
    const entry = { table, group, key: copyOf(key), time, value: copyOf(value) };
    this.entries++;
    this.bytes += 28 + entry.value.length;
    const at = `${table} ${hexOf(entry.key)}`;
    this.written.push((kept) => void kept.set(at, entry));
  }

  remove(table: number, _group: number, key: string | Uint8Array): void {
    const at = `${table} ${hexOf(bytesOfPart(key))}`;
    this.entries++;
    this.bytes += 12;
    this.written.push((kept) => void kept.delete(at));
  }
}

export class EntryLog {
  #kept = new Map<string, Kept>();
  #writers: IntervalWriter[] = [];

  /** Of the next interval. */
  writer(): EntryWriter {
    const writer = new IntervalWriter();
    this.#writers.push(writer);
    return writer;
  }

  /** The first interval that is not finished is written whole. */
  finish(): void {
    for (const apply of this.#writers.shift()?.written ?? []) apply(this.#kept);
  }

  /** What a crash leaves: the finished intervals. */
  forgetUnfinished(): void {
    this.#writers = [];
  }

  /** The latest of each key that is not dead, by group and key. */
  entries(deadThrough: number): readonly Kept[] {
    return [...this.#kept.values()]
      .filter(({ time }) => time > deadThrough)
      .sort((a, b) => a.group - b.group || Buffer.compare(a.key, b.key));
  }
}
