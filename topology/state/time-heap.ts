/**
 * Keys by time: a binary heap that gives back, in order of time, all that are due. Equal times come out in any order.
 */
export class TimeHeap {
  readonly #times: number[] = [];
  readonly #keys: string[] = [];

  get size(): number {
    return this.#times.length;
  }

  clear(): void {
    this.#times.length = 0;
    this.#keys.length = 0;
  }

  push(time: number, key: string): void {
    let at = this.#times.length;
    this.#times.push(time);
    this.#keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#times[parent] as number) <= time) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#times[at] = time;
    this.#keys[at] = key;
  }

  /** Takes out the earliest key if its time is `limit` or before. */
  popUntil(limit: number): string | undefined {
    const first = this.#times[0];
    if (first === undefined || first > limit) return undefined;
    const key = this.#keys[0];
    const time = this.#times.pop() as number;
    const moved = this.#keys.pop() as string;
    const size = this.#times.length;
    if (size === 0) return key;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (this.#times[child + 1] as number) < (this.#times[child] as number)) child++;
      if ((this.#times[child] as number) >= time) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = time;
    this.#keys[at] = moved;
    return key;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#keys[to] = this.#keys[from] as string;
  }
}
