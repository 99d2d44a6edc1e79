/**
 * The items that wait to be written on one route of one stream: a plain queue, or one lane per key.
 * Plain data without time: the batcher decides when to take items, writes them, and reports the
 * outcome. Adding, taking and settling cost O(1) per item, amortized.
 *
 * Invariants:
 * 1. Of one key at most one unit is in flight, and its items leave in the order in which they were
 *    added.
 * 2. A unit that failed takes everything that waits after it in its lane along: nothing overtakes
 *    it.
 * 3. An empty lane and an item that left use no memory: it is bounded by what waits and what is in
 *    flight.
 * 4. Only the unit that is in flight is settled, once: `applied` or `failed` with any other is a
 *    defect.
 */
import { assert } from '../../schemas/kernel/assert.ts';

export interface LaneItem<T> {
  readonly key: string;
  readonly bytes: number;
  readonly item: T;
}

/**
 * Items of one key, in order, that leave together. One that may be written again stays in flight
 * meanwhile.
 */
export interface LaneUnit<T> {
  readonly key: string;
  readonly bytes: number;
  readonly items: readonly LaneItem<T>[];
}

/** A first unit, and the first item of a unit, go also when they alone are beyond the bytes. */
export interface TakeBounds {
  readonly maxUnits: number;
  readonly maxBytes: number;
  readonly unitMaxItems: number;
  readonly unitMaxBytes: number;
}

export interface Lanes<T> {
  add(item: LaneItem<T>): void;
  /**
   * What may be written now, within the bounds; at least one unit when anything may. Keys take
   * turns: longest ready first.
   */
  take(bounds: TakeBounds): readonly LaneUnit<T>[];
  /** The unit is in the stream: what waits after it becomes ready. */
  applied(unit: LaneUnit<T>): void;
  /**
   * The unit failed permanently: its items and those that wait after it, in order. Its lane is
   * empty afterwards.
   */
  failed(unit: LaneUnit<T>): readonly LaneItem<T>[];
  /** Items that wait, and their bytes: what is in flight is not in them. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Keys that memory is spent on; without order there are none. */
  readonly keys: number;
}

/** A queue that is emptied from the front without moving what stays. */
class Queue<T> {
  #items: (T | undefined)[] = [];
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
    // Else what has left, with the bytes of its event, lives until the array is made again.
    this.#items[this.#head] = undefined;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 32 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/**
 * No order: each item is a unit of its own, or, where they share, as many as come one after the
 * other and fit; the first names the unit's key.
 */
export function createFifo<T>(shares = false): Lanes<T> {
  const queue = new Queue<LaneItem<T>>();
  let waitingBytes = 0;
  return {
    add(item) {
      queue.push(item);
      waitingBytes += item.bytes;
    },
    take({ maxUnits, maxBytes, unitMaxItems, unitMaxBytes }) {
      const units: LaneUnit<T>[] = [];
      let bytes = 0;
      let items: LaneItem<T>[] = [];
      let unitBytes = 0;
      const close = (): void => {
        const [first] = items;
        if (first !== undefined) units.push({ key: first.key, bytes: unitBytes, items });
        items = [];
        unitBytes = 0;
      };
      for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
        if (!shares || items.length >= unitMaxItems || unitBytes + next.bytes > unitMaxBytes)
          close();
        if (
          units.length >= maxUnits ||
          ((units.length > 0 || items.length > 0) && bytes + next.bytes > maxBytes)
        )
          break;
        queue.shift();
        bytes += next.bytes;
        unitBytes += next.bytes;
        items.push(next);
      }
      close();
      waitingBytes -= bytes;
      return units;
    },
    applied: () => undefined,
    failed: (unit) => unit.items,
    get waiting() {
      return queue.length;
    },
    get waitingBytes() {
      return waitingBytes;
    },
    keys: 0,
  };
}

interface Lane<T> {
  readonly key: string;
  readonly queue: Queue<LaneItem<T>>;
  underWay: LaneUnit<T> | undefined;
}

/** Order by key. */
export function createLanes<T>(): Lanes<T> {
  return new KeyLanes();
}

class KeyLanes<T> implements Lanes<T> {
  /** Every lane here has items that wait, or a unit in flight, or both. */
  readonly #lanes = new Map<string, Lane<T>>();
  /** Lanes that have items and nothing in flight, in the order in which they became so. */
  readonly #ready = new Queue<Lane<T>>();
  #waiting = 0;
  #waitingBytes = 0;

  get waiting(): number {
    return this.#waiting;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get keys(): number {
    return this.#lanes.size;
  }

  add(item: LaneItem<T>): void {
    let lane = this.#lanes.get(item.key);
    if (lane === undefined) {
      lane = { key: item.key, queue: new Queue(), underWay: undefined };
      this.#lanes.set(item.key, lane);
    }
    lane.queue.push(item);
    this.#waiting++;
    this.#waitingBytes += item.bytes;
    if (lane.underWay === undefined && lane.queue.length === 1) this.#ready.push(lane);
  }

  take(bounds: TakeBounds): readonly LaneUnit<T>[] {
    const units: LaneUnit<T>[] = [];
    let bytes = 0;
    for (
      let lane = this.#ready.peek();
      lane !== undefined && units.length < bounds.maxUnits;
      lane = this.#ready.peek()
    ) {
      const first = lane.queue.peek();
      assert(
        first !== undefined && lane.underWay === undefined,
        'a ready lane has items and nothing in flight',
      );
      if (units.length > 0 && bytes + first.bytes > bounds.maxBytes) break;
      this.#ready.shift();
      const unit = this.#takeUnit(lane, bounds, bounds.maxBytes - bytes);
      bytes += unit.bytes;
      units.push(unit);
    }
    return units;
  }

  applied(unit: LaneUnit<T>): void {
    const lane = this.#settled(unit);
    if (lane.queue.length > 0) this.#ready.push(lane);
    else this.#lanes.delete(unit.key);
  }

  failed(unit: LaneUnit<T>): readonly LaneItem<T>[] {
    const { queue } = this.#settled(unit);
    const items = [...unit.items];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      items.push(next);
      this.#waiting--;
      this.#waitingBytes -= next.bytes;
    }
    this.#lanes.delete(unit.key);
    return items;
  }

  #takeUnit(lane: Lane<T>, { unitMaxItems, unitMaxBytes }: TakeBounds, room: number): LaneUnit<T> {
    const most = Math.min(unitMaxBytes, room);
    const items: LaneItem<T>[] = [];
    let bytes = 0;
    for (let next = lane.queue.peek(); next !== undefined; next = lane.queue.peek()) {
      if (items.length > 0 && (items.length >= unitMaxItems || bytes + next.bytes > most)) break;
      lane.queue.shift();
      bytes += next.bytes;
      items.push(next);
    }
    this.#waiting -= items.length;
    this.#waitingBytes -= bytes;
    lane.underWay = { key: lane.key, bytes, items };
    return lane.underWay;
  }

  #settled(unit: LaneUnit<T>): Lane<T> {
    const lane = this.#lanes.get(unit.key);
    assert(
      lane !== undefined && lane.underWay === unit,
      'only the unit of a key that is in flight is settled, once',
    );
    lane.underWay = undefined;
    return lane;
  }
}
