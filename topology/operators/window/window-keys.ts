/**
 * The windows of a window operator by their keys: those that are live, and those at rest.
 *
 * Invariants:
 * 1. A window is live or at rest. Each of fixed length for itself: of a key that is in use most may
 *    wait for the watermark. Sessions with all of their key, as an element may touch any.
 * 2. What rests and wakes is no one's to notice: the window is as it was, its timers at the times
 *    and in the order in which they were.
 * 3. A window without a text, or whose author's accumulator is no JSON, stays live.
 */
import { present } from '../../../schemas/kernel/assert.ts';
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
import { timerKey } from './window-times.ts';

export interface WindowKeysOptions extends Omit<RestingKeysOptions, 'timers'> {
  readonly node: string;
  /** Whether a key rests with all of its windows. */
  readonly restsWhole: boolean;
  readonly aggregates: WindowAggregates;
  readonly times: WindowTimes;
  readonly liveMaxBytes: number;
}

/** A window has one time at rest: that of its first timer. */
const timer = 0;

export class WindowKeys {
  readonly table: WindowTable;
  readonly #restsWhole: boolean;
  readonly #aggregates: WindowAggregates;
  readonly #times: WindowTimes;
  readonly #liveMaxBytes: number;
  readonly #live = new Map<string, KeyWindows>();
  readonly #resting: RestingKeys;
  readonly #due: DueKeys;
  readonly #round: RestRound<KeyWindows>;
  /** Of the timers that fire now. */
  #firingAt = minTime;

  constructor(options: WindowKeysOptions) {
    const { node, restsWhole, aggregates, times, liveMaxBytes, store, random } = options;
    this.#restsWhole = restsWhole;
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
    this.#due = new DueKeys(this.#resting, timer, times.timers, (key) => this.#wake(key));
    this.#round = new RestRound(this.#live, (owner) => this.#look(owner));
  }

  /** When a timer comes due next. */
  get next(): number | undefined {
    const [live, resting] = [this.#times.timers.next, this.#resting.next(timer)];
    if (live === undefined || resting === undefined) return live ?? resting;
    return Math.min(live, resting);
  }

  /** A key of which something is live, or comes to life by this. */
  find(text: string): KeyWindows | undefined {
    let known = this.#live.get(text);
    if (known === undefined && this.#restsWhole) known = this.#wake(this.#restingKey(text, 0));
    if (known !== undefined) known.isUsed = true;
    return known;
  }

  /** The window of a fixed length with this start. */
  windowAt(owner: KeyWindows, start: number): OpenWindow | undefined {
    let known = owner.windows.find(start);
    if (known === undefined) {
      if (this.#resting.size === 0) return undefined;
      if (this.#wake(this.#restingKey(owner.text, start), owner) === undefined) return undefined;
      known = present(owner.windows.find(start), 'the window that came to life');
    }
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

  #look(owner: KeyWindows): number {
    const windows = owner.windows.all();
    if (!this.#restsWhole) {
      for (const window of windows) {
        if (!this.#isOver()) break;
        if (window.isUsed) window.isUsed = false;
        else this.#rest(owner, [window]);
      }
      return windows.length;
    }
    if (owner.isUsed) owner.isUsed = false;
    else this.#rest(owner, windows);
    return 1;
  }

  /** All of them or none. */
  #rest(owner: KeyWindows, windows: readonly OpenWindow[]): void {
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
    for (const [index, window] of windows.entries()) {
      owner.windows.remove(window);
      this.#keep(owner.text, window, timerOf(window), records[index] as string);
      this.#times.cancel(window);
    }
    if (owner.windows.isEmpty) this.#live.delete(owner.text);
  }

  /** What rests together has one. It is what the key of its timers begins with. */
  #restingKey(text: string, start: number): string {
    return this.#restsWhole ? `${text}\n` : timerKey(text, start);
  }

  #keep(
    text: string,
    window: Pick<OpenWindow, 'early' | 'start' | 'end'>,
    at: number,
    record: string,
  ): void {
    const key = this.#restingKey(text, window.start);
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

  /** `of`: the key's windows, where they are at hand. */
  #wake(restingKey: string, of?: KeyWindows): KeyWindows | undefined {
    const records = this.#resting.take(restingKey);
    if (records.length === 0) return undefined;
    const owner = of ?? this.#ownerOf(restingKey.slice(0, restingKey.lastIndexOf('\n')));
    for (const record of records) {
      const [entry, at] = readRecord(record);
      const window = this.#windowOf(owner, entry);
      owner.windows.insert(window);
      this.#times.planAt(window, at);
    }
    this.#live.set(owner.text, owner);
    return owner;
  }

  #ownerOf(text: string): KeyWindows {
    return this.#live.get(text) ?? newKeyWindows(decodeKey(text), text);
  }

  /**
   * A window of a checkpoint. Where too much is live, or others with which it rests do, it rests at
   * once.
   */
  #restored(text: string, entry: WindowEntry): void {
    const owner = this.#ownerOf(text);
    const early = this.#times.earlyAfterRestore(entry);
    this.table.count();
    const rests = this.#restsRestored(text);
    const at = this.#times.nextOf(entry);
    if (rests && early === entry.early) {
      this.#keep(text, entry, at, recordOf(entry.id, at, entry.text));
      return;
    }
    const window = this.#windowOf(owner, { ...entry, early });
    if (rests) {
      this.#keep(text, window, at, this.table.rest(window, at));
      return;
    }
    this.#live.set(text, owner);
    owner.windows.insert(window);
    this.#times.plan(window);
  }

  #restsRestored(text: string): boolean {
    if (!this.#restsWhole) return this.#isOver();
    if (this.#live.has(text)) return false;
    return this.#resting.has(this.#restingKey(text, 0)) || this.#isOver();
  }
}

const timerOf = ({ timer: of }: OpenWindow): number => of?.at ?? Number.POSITIVE_INFINITY;
