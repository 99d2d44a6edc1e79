/**
 * What waits to be written on one path of one stream: a plain queue, or a lane a key.
 *
 * Invariants:
 * 1. Of one key at most one unit is under way, and its items leave in the order in which they were added.
 * 2. A unit that failed takes everything that waits behind it in its lane along: nothing overtakes it.
 * 3. A lane that is empty leaves nothing behind, so memory is bounded by what waits.
 */

export interface LaneItem<T> {
  readonly key: string;
  readonly bytes: number;
  readonly item: T;
}

/** Items of one key, in order, that leave together. */
export interface LaneUnit<T> {
  readonly key: string;
  readonly bytes: number;
  readonly items: readonly LaneItem<T>[];
}

export interface TakeBounds {
  readonly maxUnits: number;
  readonly maxBytes: number;
  readonly unitMaxItems: number;
  readonly unitMaxBytes: number;
}

export interface Lanes<T> {
  add(item: LaneItem<T>): void;
  /** What may be written now, within the bounds, longest waiting first; at least one unit when anything may. */
  take(bounds: TakeBounds): readonly LaneUnit<T>[];
  /** The unit is in the stream: what waits behind it becomes ready. */
  applied(unit: LaneUnit<T>): void;
  /** The unit failed for good: its items and those that wait behind it, in order. Its lane is empty afterwards. */
  failed(unit: LaneUnit<T>): readonly LaneItem<T>[];
  /** Items that wait. */
  readonly waiting: number;
}

/** A queue that is emptied from the front without moving what stays. */
class Queue<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** No order: each item is a unit of its own. */
export function createFifo<T>(): Lanes<T> {
  const queue = new Queue<LaneItem<T>>();
  return {
    add: (item) => queue.push(item),
    take({ maxUnits, maxBytes }) {
      const units: LaneUnit<T>[] = [];
      let bytes = 0;
      for (let next = queue.peek(); next !== undefined && units.length < maxUnits; next = queue.peek()) {
        if (units.length > 0 && bytes + next.bytes > maxBytes) break;
        queue.shift();
        bytes += next.bytes;
        units.push({ key: next.key, bytes: next.bytes, items: [next] });
      }
      return units;
    },
    applied: () => undefined,
    failed: (unit) => unit.items,
    get waiting() {
      return queue.length;
    },
  };
}

interface Lane<T> {
  readonly key: string;
  readonly queue: Queue<LaneItem<T>>;
  underWay: boolean;
}

/** Order by key. */
export function createLanes<T>(): Lanes<T> {
  const lanes = new Map<string, Lane<T>>();
  /** Lanes that have items and nothing under way, in the order in which they became so. */
  const ready = new Queue<Lane<T>>();
  let waiting = 0;

  const takeUnit = (lane: Lane<T>, bounds: TakeBounds, room: number): LaneUnit<T> => {
    const items: LaneItem<T>[] = [];
    let bytes = 0;
    for (let next = lane.queue.peek(); next !== undefined && items.length < bounds.unitMaxItems; next = lane.queue.peek()) {
      if (items.length > 0 && bytes + next.bytes > Math.min(bounds.unitMaxBytes, room)) break;
      lane.queue.shift();
      bytes += next.bytes;
      items.push(next);
    }
    waiting -= items.length;
    lane.underWay = true;
    return { key: lane.key, bytes, items };
  };

  return {
    add(item) {
      let lane = lanes.get(item.key);
      if (lane === undefined) {
        lane = { key: item.key, queue: new Queue(), underWay: false };
        lanes.set(item.key, lane);
      }
      lane.queue.push(item);
      waiting++;
      if (!lane.underWay && lane.queue.length === 1) ready.push(lane);
    },
    take(bounds) {
      const units: LaneUnit<T>[] = [];
      let bytes = 0;
      for (let lane = ready.peek(); lane !== undefined && units.length < bounds.maxUnits; lane = ready.peek()) {
        const first = lane.queue.peek();
        if (units.length > 0 && first !== undefined && bytes + first.bytes > bounds.maxBytes) break;
        ready.shift();
        const unit = takeUnit(lane, bounds, Math.max(bounds.maxBytes - bytes, first?.bytes ?? 0));
        bytes += unit.bytes;
        units.push(unit);
      }
      return units;
    },
    applied(unit) {
      const lane = lanes.get(unit.key);
      if (lane === undefined) return;
      lane.underWay = false;
      if (lane.queue.length > 0) ready.push(lane);
      else lanes.delete(unit.key);
    },
    failed(unit) {
      const lane = lanes.get(unit.key);
      const items = [...unit.items];
      for (let next = lane?.queue.shift(); next !== undefined; next = lane?.queue.shift()) {
        items.push(next);
        waiting--;
      }
      lanes.delete(unit.key);
      return items;
    },
    get waiting() {
      return waiting;
    },
  };
}
