/**
 * Values in the order of their times; equal times in the order of arrival. It reads a range and
 * drops the oldest.
 *
 * Invariants:
 * 1. No chunk is longer than `chunkMax`, and none is empty but the only one: what comes out of
 *    order moves a part of one chunk. A chunk that is full is halved, so that the list of n /
 *    chunkMax chunks is moved once in chunkMax / 2 such inserts.
 * 2. What is dropped is moved over only once as much is gone from the first chunk as is left in
 *    it.
 * 3. So a row costs O(log n) comparisons to insert, and a range O(log n) and what is in it; letting
 *    go costs O(1) a row, amortized.
 */
interface Chunk<T> {
  readonly times: number[];
  readonly values: T[];
}

const chunkMax = 512;

export class TimeBuffer<T> {
  readonly #chunks: Chunk<T>[] = [{ times: [], values: [] }];
  /** Chunks that are gone, and of the first that is not the entries that are. */
  #first = 0;
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The earliest time, or undefined when there is none. */
  get next(): number | undefined {
    return this.#chunks[this.#first]?.times[this.#head];
  }

  insert(time: number, value: T): void {
    this.#size++;
    const last = this.#chunks.at(-1) as Chunk<T>;
    const latest = last.times.at(-1);
    if (latest === undefined || latest <= time) {
      if (last.times.length < chunkMax) {
        last.times.push(time);
        last.values.push(value);
      } else this.#chunks.push({ times: [time], values: [value] });
      return;
    }
    const at = this.#chunkAfter(time);
    const chunk = this.#chunks[at] as Chunk<T>;
    const index = firstAfter(chunk.times, time, at === this.#first ? this.#head : 0);
    chunk.times.splice(index, 0, time);
    chunk.values.splice(index, 0, value);
    if (chunk.times.length > chunkMax) this.#halve(at);
  }

  /** Calls `visit` for every value with from <= time <= to, in order. */
  range(from: number, to: number, visit: (time: number, value: T) => void): void {
    for (let at = this.#chunkNotBefore(from); at < this.#chunks.length; at++) {
      const { times, values } = this.#chunks[at] as Chunk<T>;
      for (
        let i = firstNotBefore(times, from, at === this.#first ? this.#head : 0);
        i < times.length;
        i++
      ) {
        if ((times[i] as number) > to) return;
        visit(times[i] as number, values[i] as T);
      }
    }
  }

  /** Takes out all with time <= `until`, in order; says how many. */
  takeUntil(until: number, give?: (time: number, value: T) => void): number {
    const before = this.#size;
    while (this.#size > 0) {
      const { times, values } = this.#chunks[this.#first] as Chunk<T>;
      const to =
        (times.at(-1) as number) <= until ? times.length : firstAfter(times, until, this.#head);
      if (give !== undefined)
        for (let i = this.#head; i < to; i++) give(times[i] as number, values[i] as T);
      this.#size -= to - this.#head;
      this.#head = to;
      if (to < times.length) break;
      this.#dropFirst();
    }
    this.#compact();
    return before - this.#size;
  }

  *entries(): Generator<readonly [time: number, value: T]> {
    for (let at = this.#first; at < this.#chunks.length; at++) {
      const { times, values } = this.#chunks[at] as Chunk<T>;
      for (let i = at === this.#first ? this.#head : 0; i < times.length; i++)
        yield [times[i] as number, values[i] as T];
    }
  }

  #halve(at: number): void {
    if (at === this.#first) this.#compactHead();
    const { times, values } = this.#chunks[at] as Chunk<T>;
    const half = times.length >> 1;
    this.#chunks.splice(at + 1, 0, { times: times.splice(half), values: values.splice(half) });
  }

  /** The first chunk has nothing left. */
  #dropFirst(): void {
    const chunk = this.#chunks[this.#first] as Chunk<T>;
    chunk.times.length = 0;
    chunk.values.length = 0;
    this.#head = 0;
    if (this.#first < this.#chunks.length - 1) this.#first++;
  }

  #compact(): void {
    const first = this.#chunks[this.#first] as Chunk<T>;
    if (this.#head * 2 >= first.times.length) this.#compactHead();
    if (this.#first * 2 < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }

  #compactHead(): void {
    if (this.#head === 0) return;
    const { times, values } = this.#chunks[this.#first] as Chunk<T>;
    times.splice(0, this.#head);
    values.splice(0, this.#head);
    this.#head = 0;
  }

  /** The first chunk whose last time is after `time`; there is one. */
  #chunkAfter(time: number): number {
    let low = this.#first;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#chunks[middle] as Chunk<T>).times.at(-1) as number) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first chunk whose last time is at or after `time`; the last one where there is none. */
  #chunkNotBefore(time: number): number {
    let low = this.#first;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#chunks[middle] as Chunk<T>).times.at(-1) as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Index of the first time at or after `time`, from `low` on. */
function firstNotBefore(times: readonly number[], time: number, from: number): number {
  let low = from;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first time after `time`, from `low` on. */
function firstAfter(times: readonly number[], time: number, from: number): number {
  let low = from;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
