/**
 * What a `process` function keeps of one key: declared values and lists with their last access, and
 * its timers.
 *
 * Invariants:
 * 1. An entry is expired as soon as its last access + ttl <= now; an expired one is never seen and
 *    goes with time (`dropExpired`).
 * 2. Every change puts its inverse on `undo`.
 * 3. State is values: what an author's function stores and reads are copies, so that state changes
 *    only through a handle, and equals what a checkpoint restores. The value undefined means none.
 * 4. Accesses of one entry follow each other in processing time, so that of a list the expired ones
 *    come first.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import { decodeKey } from '../../schemas/kernel/key.ts';
import type { Identity } from '../nodes/sink.ts';
import type { Tracked } from './changed-objects.ts';
import { jsonCopy } from './json-safe.ts';
import type { Used } from './rest-round.ts';
import type { Timer } from './timer-queue.ts';

/** A piece of state that a function declares, by name. */
export interface StateDeclaration {
  readonly name: string;
  readonly type: 'value' | 'list';
  /** 0: it never expires. */
  readonly ttlMs: number;
  readonly refresh: 'write' | 'readWrite';
  /** Of its schema; absent: 1. */
  readonly version?: number;
}

/** Processing time as the operator knows it, epoch ms. */
export interface Now {
  ms: number;
}

/** A value with the processing time of its last access, epoch ms. */
type Entry = readonly [value: unknown, accessedAtMs: number];

export interface KeyState extends Tracked, Used {
  readonly key: Key;
  readonly text: string;
  /** A value has at most one entry, a list any number. */
  readonly entries: Map<string, Entry[]>;
  /** Those that wait, by their times. */
  readonly timers: {
    readonly event: Map<number, Timer<KeyState>>;
    readonly processing: Map<number, Timer<KeyState>>;
  };
  /**
   * What registered those of `timers` whose time alone does not tell them from others of the key.
   * Undefined while there are none.
   */
  causes: TimerCauses | undefined;
}

export type Domain = 'event' | 'processing';
export type TimerCauses = Readonly<Record<Domain, Map<number, Identity>>>;

export type EncodedKeyState = readonly [
  layout: number,
  entries: Readonly<Record<string, readonly Entry[]>>,
  eventTimers: readonly number[],
  processingTimers: readonly number[],
  causes?: Readonly<Record<Domain, readonly (readonly [at: number, cause: Identity])[]>>,
];

export function newKeyState(key: Key, text: string): KeyState {
  return {
    changedIn: 0,
    isStored: false,
    // Until it is put into the state.
    isGone: true,
    isUsed: false,
    key,
    text,
    entries: new Map(),
    timers: { event: new Map(), processing: new Map() },
    causes: undefined,
  };
}

export function isEmpty({ entries, timers }: KeyState): boolean {
  return entries.size === 0 && timers.event.size === 0 && timers.processing.size === 0;
}

function live(entries: Entry[], { ttlMs }: StateDeclaration, nowMs: number): Entry[] {
  if (ttlMs === 0) return entries;
  const first = entries.findIndex((entry) => entry[1] + ttlMs > nowMs);
  if (first === 0) return entries;
  return first < 0 ? [] : entries.slice(first);
}

/** The author's handles on the declared state of one key. */
export function handlesOf(
  state: KeyState,
  declarations: readonly StateDeclaration[],
  now: Now,
  undo: (() => void)[],
): Readonly<Record<string, unknown>> {
  const handles: Record<string, unknown> = {};
  for (const declared of declarations) {
    const { name } = declared;
    const put = (entries: Entry[]): void => {
      const before = state.entries.get(name);
      undo.push(() => restoreEntries(state, name, before));
      restoreEntries(state, name, entries);
    };
    const read = (): readonly Entry[] => {
      const stored = state.entries.get(name);
      if (stored === undefined) return [];
      const entries = live(stored, declared, now.ms);
      if (declared.refresh === 'readWrite' && entries.length > 0)
        put(entries.map(([value]) => [value, now.ms]));
      return entries;
    };
    const clear = (): void => put([]);
    const entryOf = (value: unknown): Entry => [jsonCopy(value, `the state '${name}'`), now.ms];
    const valueOf = ([value]: Entry): unknown => jsonCopy(value, name);
    handles[name] =
      declared.type === 'value'
        ? {
            get: () => read().map(valueOf)[0],
            set: (value: unknown) => put(value === undefined ? [] : [entryOf(value)]),
            clear,
          }
        : {
            get: () => read().map(valueOf),
            add: (value: unknown) => {
              const added = entryOf(value);
              const stored = state.entries.get(name);
              const entries = live(stored ?? [], declared, now.ms);
              if (stored === undefined || entries !== stored) {
                put([...entries, added]);
                return;
              }
              stored.push(added);
              undo.push(() => stored.pop());
            },
            set: (values: readonly unknown[]) => put(values.map(entryOf)),
            clear,
          };
  }
  return handles;
}

function restoreEntries(state: KeyState, name: string, entries: Entry[] | undefined): void {
  if (entries === undefined || entries.length === 0) state.entries.delete(name);
  else state.entries.set(name, entries);
}

/** Drops what is expired. `before` is called before something changes. */
export function dropExpired(
  state: KeyState,
  declarations: readonly StateDeclaration[],
  now: Now,
  before: () => void,
): void {
  for (const declared of declarations) {
    const stored = state.entries.get(declared.name);
    const entries = stored === undefined ? stored : live(stored, declared, now.ms);
    if (entries === stored) continue;
    before();
    restoreEntries(state, declared.name, entries);
  }
}

/** When something of it expires next. */
export function expiryOf({ entries }: KeyState, declarations: readonly StateDeclaration[]): number {
  let expiry = Number.POSITIVE_INFINITY;
  for (const { name, ttlMs } of declarations) {
    const first = ttlMs === 0 ? undefined : entries.get(name)?.[0];
    if (first !== undefined) expiry = Math.min(expiry, first[1] + ttlMs);
  }
  return expiry;
}

/** `layout`: the number of the declarations under which it is written. */
export function encodeKeyState(
  { entries, timers, causes }: KeyState,
  layout: number,
): EncodedKeyState {
  const encoded = [
    layout,
    Object.fromEntries(entries),
    [...timers.event.keys()],
    [...timers.processing.keys()],
  ] as const;
  return causes === undefined
    ? encoded
    : [...encoded, { event: [...causes.event], processing: [...causes.processing] }];
}

/** What calls give in place of values, by the name of their declaration; each keeps its access. */
export function migratedKeyState(
  [layout, entries, ...others]: EncodedKeyState,
  callOf: (name: string) => ((old: unknown) => unknown) | undefined,
): EncodedKeyState {
  const migrated = Object.entries(entries).map(([name, list]) => {
    const call = callOf(name);
    return [
      name,
      call === undefined ? list : list.map(([value, at]): Entry => [call(value), at]),
    ] as const;
  });
  return [layout, Object.fromEntries(migrated), ...others];
}

/** The latest access of any entry, epoch ms. */
export function lastAccessOf({ entries }: KeyState): number {
  let last = 0;
  for (const list of entries.values()) last = Math.max(last, list.at(-1)?.[1] ?? 0);
  return last;
}

/**
 * Without its timers, which are registered again. `names`: of the entries that are still declared.
 */
export function decodeKeyState(
  text: string,
  [, entries, , , causes]: EncodedKeyState,
  names: ReadonlySet<string>,
): KeyState {
  const state = newKeyState(decodeKey(text), text);
  if (causes !== undefined)
    state.causes = { event: new Map(causes.event), processing: new Map(causes.processing) };
  for (const [name, list] of Object.entries(entries))
    if (names.has(name)) state.entries.set(name, [...list]);
  return state;
}
