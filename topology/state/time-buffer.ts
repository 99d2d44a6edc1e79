/**
 * Values in the order of their times; equal times in the order of arrival. Reads a range, lets go of the oldest.
 */
export class TimeBuffer<T> {
  readonly #times: number[] = [];
  readonly #values: T[] = [];

  get size(): number {
    return this.#times.length;
  }

  insert(time: number, value: T): void {
    const at = this.#after(time);
    if (at === this.#times.length) {
      this.#times.push(time);
      this.#values.push(value);
      return;
    }
    this.#times.splice(at, 0, time);
    this.#values.splice(at, 0, value);
  }

  /** Calls `visit` for every value with from <= time <= to, in order. */
  range(from: number, to: number, visit: (time: number, value: T) => void): void {
    for (let i = this.#notBefore(from); i < this.#times.length && (this.#times[i] as number) <= to; i++) {
      visit(this.#times[i] as number, this.#values[i] as T);
    }
  }

  /** Takes out all with time <= `until`, in order. */
  takeUntil(until: number): readonly (readonly [time: number, value: T])[] {
    const count = this.#after(until);
    if (count === 0) return [];
    const values = this.#values.splice(0, count);
    return this.#times.splice(0, count).map((time, index) => [time, values[index] as T] as const);
  }

  *entries(): Generator<readonly [time: number, value: T]> {
    for (let i = 0; i < this.#times.length; i++) yield [this.#times[i] as number, this.#values[i] as T];
  }

  /** Index of the first time at or after `time`. */
  #notBefore(time: number): number {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the first time after `time`. */
  #after(time: number): number {
    const last = this.#times.at(-1);
    if (last === undefined || last <= time) return this.#times.length;
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
