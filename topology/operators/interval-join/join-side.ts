/**
 * The rows of one input of a join, by key, each until the watermark has passed all that it could
 * join.
 *
 * Invariants:
 * 1. A row stays until W >= timestamp + `staysMs`. Rows leave in the order of their times, at equal
 *    times in the order of keys, then of arrival.
 * 2. A key has one timer, of its earliest row: it moves when an earlier row comes, and when rows
 *    have left.
 * 3. A row of the watermark's own time is not late: where rows do not stay, it may come after
 *    others of its time have left. So no row of that time is dead by its time, and those that leave
 *    are removed from the checkpoints one by one.
 */
import type { Identity } from '../../nodes/sink.ts';
import type { Tracked } from '../../state/changed-objects.ts';
import { ChangedObjects } from '../../state/changed-objects.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import { jsonOf, textOf } from '../../state/entry-text.ts';
import { freeze } from '../../state/freeze.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import { TimeBuffer } from '../../state/time-buffer.ts';
import type { Timer } from '../../state/timer-queue.ts';
import { TimerQueue } from '../../state/timer-queue.ts';

/** An element that waits for others. */
export interface JoinRow extends Tracked {
  readonly key: string;
  readonly time: number;
  /** Of equal times the one with the smaller number came first. */
  readonly arrival: number;
  readonly value: unknown;
  /** Undefined out of checkpoints of before it was kept. */
  readonly identity: Identity | undefined;
  matched: boolean;
}

export type EncodedRow = readonly [matched: 0 | 1, value: unknown, identity?: Identity];

const arrivalDigits = 11;

/** Rows of one key and time sort as they arrived. */
export function rowEntryKey(key: string, arrival: number): string {
  return `${key}\n${arrival.toString(36).padStart(arrivalDigits, '0')}`;
}

function rowOf(
  key: string,
  time: number,
  arrival: number,
  value: unknown,
  identity: Identity | undefined,
  matched: boolean,
): JoinRow {
  return {
    key,
    time,
    arrival,
    value,
    identity,
    matched,
    changedIn: 0,
    isStored: false,
    isGone: false,
  };
}

interface KeyRows {
  readonly key: string;
  readonly rows: TimeBuffer<JoinRow>;
  timer: Timer<KeyRows> | undefined;
}

export class JoinSide implements StateTable {
  readonly name: string;
  deadThrough = Number.NEGATIVE_INFINITY;
  /** Of the next row. */
  arrivals = 0;
  readonly #staysMs: number;
  readonly #keys = new Map<string, KeyRows>();
  readonly #timers = new TimerQueue<KeyRows>();
  readonly #changed: ChangedObjects<JoinRow>;
  #size = 0;

  /** `node`: whose state it is. */
  constructor(node: string, name: string, staysMs: number) {
    this.name = name;
    this.#staysMs = staysMs;
    this.#changed = new ChangedObjects<JoinRow>({
      group: ({ key }) => groupOfKeyText(key),
      key: ({ key, arrival }) => rowEntryKey(key, arrival),
      time: ({ time }) => time,
      deadThrough: () => this.deadThrough,
      text: ({ matched, value, identity }) => {
        const [flag, by] = [matched ? 1 : 0, identity === undefined ? [] : [identity]];
        return jsonOf(node, [flag, value, ...by]);
      },
    });
  }

  get size(): number {
    return this.#size;
  }

  get changedBytes(): number {
    return this.#changed.changedBytes;
  }

  /** The watermark at which a row leaves next; undefined when there is none. */
  get next(): number | undefined {
    return this.#timers.next;
  }

  clear(): void {
    this.#keys.clear();
    this.#timers.clear();
    this.#size = 0;
  }

  /** `value` is frozen. */
  insert(key: string, time: number, value: unknown, identity: Identity | undefined): JoinRow {
    const arrival = this.arrivals++;
    const row = rowOf(key, time, arrival, value, identity, false);
    this.#changed.add(row);
    this.#enter(row);
    return row;
  }

  /** The row joined another one. */
  match(row: JoinRow): void {
    if (row.matched) return;
    this.#changed.touch(row);
    row.matched = true;
  }

  begin(number: number, writer: EntryWriter): void {
    this.#changed.begin(number, writer);
  }

  seal(next: EntryWriter): SealedChanges {
    return this.#changed.seal(next);
  }

  restore({ key: entryKey, time, value: bytes }: Entry): void {
    const text = textOf(entryKey);
    const at = text.length - arrivalDigits - 1;
    const [matched, value, identity] = JSON.parse(textOf(bytes)) as EncodedRow;
    const arrival = Number.parseInt(text.slice(at + 1), 36);
    const row = rowOf(text.slice(0, at), time, arrival, freeze(value), identity, matched === 1);
    this.#changed.restored(row);
    this.#enter(row);
  }

  #enter(row: JoinRow): void {
    const { key, time } = row;
    let of = this.#keys.get(key);
    if (of === undefined) {
      of = { key, rows: new TimeBuffer(), timer: undefined };
      this.#keys.set(key, of);
    }
    of.rows.insert(time, row);
    this.#size++;
    const at = time + this.#staysMs;
    if (of.timer !== undefined && of.timer.at <= at) return;
    this.#timers.cancel(of.timer);
    of.timer = this.#timers.set(at, key, of);
  }

  /** Calls `visit` for every row of the key with from <= time <= to, in order. */
  range(key: string, from: number, to: number, visit: (time: number, row: JoinRow) => void): void {
    this.#keys.get(key)?.rows.range(from, to, visit);
  }

  /** Drops what no row that comes now can join. */
  advance(watermark: number): void {
    this.#moveTo(watermark);
    const leave = this.#staysMs === 0 ? this.#leave : undefined;
    for (
      let due = this.#timers.takeUntil(watermark);
      due !== undefined;
      due = this.#timers.takeUntil(watermark)
    ) {
      this.#size -= due.value.rows.takeUntil(watermark - this.#staysMs, leave);
      this.#settle(due.value);
    }
  }

  /** The same, and gives each row as it leaves. */
  advanceGiving(watermark: number, give: (row: JoinRow) => void): void {
    this.#moveTo(watermark);
    const leave = (time: number, row: JoinRow): void => {
      this.#leave(time, row);
      give(row);
    };
    for (
      let due = this.#timers.takeUntil(watermark);
      due !== undefined;
      due = this.#timers.takeUntil(watermark)
    ) {
      this.#size -= due.value.rows.takeUntil(due.at - this.#staysMs, leave);
      this.#settle(due.value);
    }
  }

  #moveTo(watermark: number): void {
    this.deadThrough = Math.min(watermark - this.#staysMs, watermark - 1);
  }

  readonly #leave = (time: number, row: JoinRow): void => {
    if (time > this.deadThrough) this.#changed.remove(row);
  };

  #settle(of: KeyRows): void {
    const { next } = of.rows;
    of.timer = next === undefined ? undefined : this.#timers.set(next + this.#staysMs, of.key, of);
    if (next === undefined) this.#keys.delete(of.key);
  }
}
