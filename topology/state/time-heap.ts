/**
 * A binary heap by time. Equal times come out in the order of their keys, so that a restored heap,
 * filled in another order, gives the same sequence. Each operation makes O(log n) comparisons;
 * `keep` O(n).
 */
export class TimeHeap<T> {
  readonly #times: number[] = [];
  readonly #keys: string[] = [];
  readonly #values: T[] = [];

  get size(): number {
    return this.#times.length;
  }

  /** The earliest time, or undefined when there is none. */
  get next(): number | undefined {
    return this.#times[0];
  }

  /** The value of the earliest time, or undefined when there is none. */
  get first(): T | undefined {
    return this.#values[0];
  }

  /** The key of the earliest time, or undefined when there is none. */
  get firstKey(): string | undefined {
    return this.#keys[0];
  }

  clear(): void {
    this.#truncate(0);
  }

  push(time: number, key: string, value: T): void {
    let at = this.#times.length;
    this.#times.push(time);
    this.#keys.push(key);
    this.#values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isAfter(parent, time, key)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, time, key, value);
  }

  /** Takes out the earliest if its time is `limit` or before. */
  popUntil(
    limit: number,
  ): { readonly time: number; readonly key: string; readonly value: T } | undefined {
    const first = this.#times[0];
    if (first === undefined || first > limit) return undefined;
    const popped = { time: first, key: this.#keys[0] as string, value: this.#values[0] as T };
    this.dropFirst();
    return popped;
  }

  /** Takes out the earliest. There is one. */
  dropFirst(): void {
    const time = this.#times.pop() as number;
    const key = this.#keys.pop() as string;
    const value = this.#values.pop() as T;
    if (this.#times.length > 0) this.#sink(0, time, key, value);
  }

  /** Drops all values that `isKept` does not want. */
  keep(isKept: (value: T) => boolean): void {
    let size = 0;
    for (let at = 0; at < this.#times.length; at++)
      if (isKept(this.#values[at] as T)) this.#move(at, size++);
    this.#truncate(size);
    for (let at = (size >> 1) - 1; at >= 0; at--)
      this.#sink(at, this.#times[at] as number, this.#keys[at] as string, this.#values[at] as T);
  }

  /** Puts an entry at `at` or below, where it belongs. */
  #sink(from: number, time: number, key: string, value: T): void {
    const size = this.#times.length;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (
        child + 1 < size &&
        this.#isAfter(child, this.#times[child + 1] as number, this.#keys[child + 1] as string)
      )
        child++;
      if (!this.#isBefore(child, time, key)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, time, key, value);
  }

  #isAfter(at: number, time: number, key: string): boolean {
    const own = this.#times[at] as number;
    return own > time || (own === time && (this.#keys[at] as string) > key);
  }

  #isBefore(at: number, time: number, key: string): boolean {
    const own = this.#times[at] as number;
    return own < time || (own === time && (this.#keys[at] as string) < key);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] as number, this.#keys[from] as string, this.#values[from] as T);
  }

  #put(at: number, time: number, key: string, value: T): void {
    this.#times[at] = time;
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  #truncate(size: number): void {
    this.#times.length = size;
    this.#keys.length = size;
    this.#values.length = size;
  }
}
