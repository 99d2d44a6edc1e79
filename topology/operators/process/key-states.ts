/**
 * The keys of a `process` node, live or at rest, and the table of them, an entry a key.
 *
 * Invariants:
 * 1. A key is in state while it has a value or a timer. What of it expired goes with the clock: of
 *    live keys by a walk over all of them, a few with each tick; of those at rest as soon as it
 *    expires, a few with each tick.
 * 2. What rests and wakes is no one's to notice: its timers are at the times and in the order in
 *    which they were. A key without a text stays live.
 */

import { ChangedObjects } from '../../state/changed-objects.ts';
import { DueKeys } from '../../state/due-keys.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import { never } from '../../state/entries.ts';
import { jsonOf, textOf } from '../../state/entry-text.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type {
  Domain,
  EncodedKeyState,
  KeyState,
  Now,
  StateDeclaration,
} from '../../state/key-state.ts';
import {
  decodeKeyState,
  dropExpired,
  encodeKeyState,
  expiryOf,
  isEmpty,
} from '../../state/key-state.ts';
import { liveBytes, RestRound, restLooksPerTimer } from '../../state/rest-round.ts';
import type { RestingKeysOptions } from '../../state/resting-keys.ts';
import { RestingKeys } from '../../state/resting-keys.ts';
import type { Timer } from '../../state/timer-queue.ts';
import { minTime } from '../../time/watermark.ts';
import type { Layout } from '../layouts.ts';
import { withLayout } from '../layouts.ts';
import { domains, KeyTimers } from './key-timers.ts';

export const keyTable = 'keys';

/** Keys that are looked at with one tick of the clock. */
const walkedMax = 256;
/** The times of a key at rest: its first timer of each domain, and when it expires. */
const expiry = domains.length;

export interface KeyStatesOptions extends Omit<RestingKeysOptions, 'timers'> {
  readonly node: string;
  readonly declarations: readonly StateDeclaration[];
  readonly liveMaxBytes: number;
  /** Told of a key of a checkpoint. */
  readonly restored: (state: KeyState) => void;
}

export class KeyStates implements StateTable {
  readonly name = keyTable;
  readonly deadThrough = Number.NEGATIVE_INFINITY;
  readonly timers = new KeyTimers();
  readonly #options: KeyStatesOptions;
  readonly #expires: boolean;
  /** Those that are live. */
  readonly #keys = new Map<string, KeyState>();
  readonly #changed: ChangedObjects<KeyState>;
  readonly #resting: RestingKeys;
  readonly #due: Readonly<Record<Domain, DueKeys>>;
  readonly #round: RestRound<KeyState>;
  #layouts: readonly Layout[];
  #walk: Iterator<KeyState> | undefined;
  /** The timers that fire now. */
  #firing: Domain = 'event';
  #firingAt = minTime;

  constructor(options: KeyStatesOptions) {
    const { node, declarations, store, random } = options;
    this.#options = options;
    this.#expires = declarations.some(({ ttlMs }) => ttlMs > 0);
    this.#layouts = [declarations.map(({ name }) => name)];
    this.#changed = new ChangedObjects<KeyState>({
      group: ({ text }) => groupOfKeyText(text),
      key: ({ text }) => text,
      time: () => never,
      deadThrough: () => this.deadThrough,
      text: (state) => jsonOf(node, encodeKeyState(state, this.#layouts.length - 1)),
    });
    const resting = new RestingKeys({ store, random, timers: expiry + 1 });
    const dueOf = (timer: number, domain: Domain): DueKeys =>
      new DueKeys(resting, timer, this.timers.queues[domain], (key) => this.#wake(key));
    this.#resting = resting;
    this.#due = { event: dueOf(0, 'event'), processing: dueOf(1, 'processing') };
    this.#round = new RestRound(this.#keys, (state) => this.#look(state));
  }

  get size(): number {
    return this.#keys.size + this.#resting.size;
  }

  get changedBytes(): number {
    return this.#changed.changedBytes;
  }

  get layouts(): readonly Layout[] {
    return this.#layouts;
  }

  /** When the first timer of event time is due. */
  get next(): number | undefined {
    const [live, resting] = [this.timers.queues.event.next, this.#resting.next(0)];
    if (live === undefined || resting === undefined) return live ?? resting;
    return Math.min(live, resting);
  }

  get(text: string): KeyState | undefined {
    const known = this.#keys.get(text) ?? this.#wake(text);
    if (known !== undefined) known.isUsed = true;
    return known;
  }

  /** Before each change of one. */
  touch(state: KeyState): void {
    if (!state.isGone) this.#changed.touch(state);
  }

  /** After each change: it is in state as long as there is something of it. */
  settle(state: KeyState): void {
    if (isEmpty(state)) {
      if (state.isGone) return;
      this.#keys.delete(state.text);
      this.#changed.remove(state);
    } else if (state.isGone) {
      this.#keys.set(state.text, state);
      this.#changed.add(state);
    }
  }

  /** The next timer that is due by `until`. */
  takeDue(domain: Domain, until: number): Timer<KeyState> | undefined {
    this.#due[domain].wake(until);
    const due = this.timers.queues[domain].takeUntil(until);
    this.#firing = domain;
    this.#firingAt = this.#due[domain].firingAt(due?.at ?? minTime);
    return due;
  }

  /** Lets go of what expired, of a few keys. */
  walk(now: Now): void {
    if (!this.#expires) return;
    for (let walked = 0; walked < walkedMax; walked++) {
      this.#walk ??= this.#keys.values();
      const { value: state, done } = this.#walk.next();
      if (done === true) {
        this.#walk = undefined;
        break;
      }
      this.#dropExpired(state, now);
    }
    for (let walked = 0; walked < walkedMax; walked++) {
      if ((this.#resting.next(expiry) ?? never) > now.ms) return;
      const state = this.#wake(this.#resting.firstKey(expiry) as string);
      if (state !== undefined) this.#dropExpired(state, now);
    }
  }

  /** Where too much is live, looks at some keys. Between two calls of the author's functions. */
  rest(looks: number): void {
    this.#round.run(looks, this.#isOver);
  }

  clear(before: readonly Layout[]): void {
    const { declarations } = this.#options;
    this.#keys.clear();
    this.#resting.clear();
    this.timers.clear();
    this.#walk = undefined;
    this.#layouts = withLayout(
      before,
      declarations.map(({ name }) => name),
    );
  }

  begin(number: number, writer: EntryWriter): void {
    this.#changed.begin(number, writer);
  }

  seal(next: EntryWriter): SealedChanges {
    return this.#changed.seal(next);
  }

  restore({ key, value }: Entry): void {
    const state = this.#read(textOf(key), textOf(value));
    this.#options.restored(state);
    if (isEmpty(state)) return;
    this.#keys.set(state.text, state);
    this.#changed.restored(state);
    this.rest(restLooksPerTimer);
  }

  readonly #isOver = (): boolean =>
    liveBytes(this.#keys.size, this.#changed.meanBytes) > this.#options.liveMaxBytes;

  #dropExpired(state: KeyState, now: Now): void {
    dropExpired(state, this.#options.declarations, now, () => this.touch(state));
    this.settle(state);
  }

  #look(state: KeyState): number {
    if (state.isUsed) state.isUsed = false;
    else this.#rest(state);
    return 1;
  }

  #rest(state: KeyState): void {
    if (this.timers.first(state, this.#firing) <= this.#firingAt) return;
    let record: string;
    try {
      record = this.#changed.rest(state);
    } catch {
      // The checkpoint says why it has no text.
      return;
    }
    this.#keys.delete(state.text);
    this.#resting.add(state.text, record, [
      ...domains.map((domain) => this.timers.first(state, domain)),
      expiryOf(state, this.#options.declarations),
    ]);
    this.timers.rest(state);
  }

  #wake(key: string): KeyState | undefined {
    const [record] = this.#resting.take(key);
    if (record === undefined) return undefined;
    const state = this.#read(key, record);
    this.#keys.set(key, state);
    this.#changed.restored(state);
    return state;
  }

  /** A key with its timers. */
  #read(key: string, text: string): KeyState {
    const encoded = JSON.parse(text) as EncodedKeyState;
    const names = new Set((this.#layouts[encoded[0]] ?? []).flatMap((name) => name ?? []));
    const state = decodeKeyState(key, encoded, names);
    this.timers.wake(state, encoded);
    return state;
  }
}
