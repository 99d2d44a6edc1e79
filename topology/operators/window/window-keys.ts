/**
 * The keys of a window operator: those whose windows are live, and those at rest.
 *
 * Invariants:
 * 1. A key is live or at rest, with all of its windows.
 * 2. What rests and wakes is no one's to notice: the window is as it was, its timers at the times
 *    and in the order in which they were.
 * 3. A window without a text, or whose author's accumulator is no JSON, stays live.
 */
import { decodeKey } from '../../../schemas/kernel/key.ts';
import { DueKeys } from '../../state/due-keys.ts';
import { liveBytes, RestRound } from '../../state/rest-round.ts';
import type { RestingKeysOptions } from '../../state/resting-keys.ts';
import { RestingKeys } from '../../state/resting-keys.ts';
import type { Timer } from '../../state/timer-queue.ts';
import { minTime } from '../../time/watermark.ts';
import type { WindowAggregates } from './window-aggregates.ts';
import type { KeyWindows, OpenWindow } from './window-state.ts';
import { newKeyWindows, newWindow } from './window-state.ts';
import type { WindowEntry } from './window-table.ts';
import { readRecord, recordOf, WindowTable } from './window-table.ts';
import type { WindowTimes } from './window-times.ts';

export interface WindowKeysOptions extends Omit<RestingKeysOptions, 'timers'> {
  readonly node: string;
  readonly aggregates: WindowAggregates;
  readonly times: WindowTimes;
  readonly liveMaxBytes: number;
}

/** A window has one time at rest: that of its first timer. */
const timer = 0;

export class WindowKeys {
  readonly table: WindowTable;
  readonly #aggregates: WindowAggregates;
  readonly #times: WindowTimes;
  readonly #liveMaxBytes: number;
  readonly #live = new Map<string, KeyWindows>();
  readonly #resting: RestingKeys;
  readonly #due: DueKeys;
  readonly #round: RestRound<KeyWindows>;
  /** Of the timers that fire now. */
  #firingAt = minTime;

  constructor({ node, aggregates, times, liveMaxBytes, store, random }: WindowKeysOptions) {
    this.#aggregates = aggregates;
    this.#times = times;
    this.#liveMaxBytes = liveMaxBytes;
    this.table = new WindowTable({
      node,
      aggregates: aggregates.all,
      times,
      restored: (key, entry) => this.#restored(key, entry),
    });
    this.#resting = new RestingKeys({ store, random, timers: 1 });
    this.#due = new DueKeys(this.#resting, timer, times.timers, '\n', (key) => this.#wake(key));
    this.#round = new RestRound(this.#live, (owner) => this.#rest(owner));
  }

  /** When a timer comes due next. */
  get next(): number | undefined {
    const [live, resting] = [this.#times.timers.next, this.#resting.next(timer)];
    if (live === undefined || resting === undefined) return live ?? resting;
    return Math.min(live, resting);
  }

  find(text: string): KeyWindows | undefined {
    const known = this.#live.get(text);
    if (known === undefined) return this.#wake(text);
    known.isUsed = true;
    return known;
  }

  /** A new key. */
  add(owner: KeyWindows): void {
    this.#live.set(owner.text, owner);
  }

  /** One that has no window any more. */
  delete(owner: KeyWindows): void {
    this.#live.delete(owner.text);
  }

  /** The next timer that the watermark has reached. */
  takeDue(): Timer<OpenWindow> | undefined {
    this.#due.wake(this.#times.watermark);
    const due = this.#times.takeDue();
    this.#firingAt = this.#due.firingAt(due?.at ?? minTime);
    return due;
  }

  /** Where too much is live, looks at some keys. Between two elements or timers. */
  rest(looks: number): void {
    this.#round.run(looks, this.#isOver);
  }

  /** All windows that are live; those at rest are gone. */
  takeAll(): readonly OpenWindow[] {
    this.table.expire(this.#resting.size);
    this.#resting.clear();
    return [...this.#live.values()].flatMap(({ windows }) => windows.all());
  }

  clear(): void {
    this.#live.clear();
    this.#resting.clear();
  }

  readonly #isOver = (): boolean => {
    const live = this.table.size - this.#resting.size;
    return liveBytes(live, this.table.entryBytes) > this.#liveMaxBytes;
  };

  #rest(owner: KeyWindows): void {
    const windows = owner.windows.all();
    const records: string[] = [];
    try {
      for (const window of windows) {
        const at = timerOf(window);
        const isDue = this.#times.firstOf(window, at) <= this.#firingAt;
        if (isDue || !this.#aggregates.isWhole(window)) return;
        records.push(this.table.rest(window, at));
      }
    } catch {
      // The checkpoint says why it has no text.
      return;
    }
    this.#live.delete(owner.text);
    for (const [index, window] of windows.entries()) {
      this.#keep(owner.text, window, timerOf(window), records[index] as string);
      this.#times.cancel(window);
    }
  }

  #keep(key: string, window: Pick<OpenWindow, 'early' | 'end'>, at: number, record: string): void {
    this.#resting.add(key, record, [this.#times.firstOf(window, at)]);
  }

  #windowOf(owner: KeyWindows, entry: WindowEntry): OpenWindow {
    const { id, start, end, fired, changed, early } = entry;
    const accumulators = this.table.accumulatorsOf(entry);
    const made = newWindow(owner, start, end);
    const window = { ...made, id, fired, changed, early, accumulators, entered: true };
    this.table.keep(window);
    return window;
  }

  #wake(key: string): KeyWindows | undefined {
    const records = this.#resting.take(key);
    if (records.length === 0) return undefined;
    const owner = newKeyWindows(decodeKey(key), key);
    for (const record of records) {
      const [entry, at] = readRecord(record);
      const window = this.#windowOf(owner, entry);
      owner.windows.insert(window);
      this.#times.planAt(window, at);
    }
    this.#live.set(key, owner);
    return owner;
  }

  /** A window of a checkpoint. Where its key is at rest, or too much is live, it rests at once. */
  #restored(key: string, entry: WindowEntry): void {
    const live = this.#live.get(key);
    const owner = live ?? newKeyWindows(decodeKey(key), key);
    const early = this.#times.earlyAfterRestore(entry);
    this.table.count();
    const rests = live === undefined && (this.#resting.has(key) || this.#isOver());
    const at = this.#times.nextOf(entry);
    if (rests && early === entry.early) {
      this.#keep(key, entry, at, recordOf(entry.id, at, entry.text));
      return;
    }
    const window = this.#windowOf(owner, { ...entry, early });
    if (rests) {
      this.#keep(key, window, at, this.table.rest(window, at));
      return;
    }
    this.#live.set(key, owner);
    owner.windows.insert(window);
    this.#times.plan(window);
  }
}

const timerOf = ({ timer: of }: OpenWindow): number => of?.at ?? Number.POSITIVE_INFINITY;
