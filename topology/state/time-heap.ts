/**
 * Timers: a binary heap that gives back, in order of time, all that are due. Equal times come out in the order of their keys, so that a restored
 * heap, filled in another order, gives the same sequence.
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

  clear(): void {
    this.#times.length = 0;
    this.#keys.length = 0;
    this.#values.length = 0;
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
    this.#times[at] = time;
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  /** Takes out the earliest if its time is `limit` or before. */
  popUntil(limit: number): { readonly time: number; readonly key: string; readonly value: T } | undefined {
    const first = this.#times[0];
    if (first === undefined || first > limit) return undefined;
    const popped = { time: first, key: this.#keys[0] as string, value: this.#values[0] as T };
    const time = this.#times.pop() as number;
    const key = this.#keys.pop() as string;
    const value = this.#values.pop() as T;
    const size = this.#times.length;
    if (size === 0) return popped;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isAfter(child, this.#times[child + 1] as number, this.#keys[child + 1] as string)) child++;
      if (!this.#isBefore(child, time, key)) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = time;
    this.#keys[at] = key;
    this.#values[at] = value;
    return popped;
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
    this.#times[to] = this.#times[from] as number;
    this.#keys[to] = this.#keys[from] as string;
    this.#values[to] = this.#values[from] as T;
  }
}
