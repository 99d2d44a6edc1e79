/**
 * The windows of an operator as entries of a table, one a window.
 *
 * Invariants:
 * 1. A window dies when `removedThrough` reaches its last time, so that nobody writes that one was
 *    removed; but for a session that became part of another.
 * 2. An entry says under which layout, of those in the head, its accumulators were written: the
 *    aggregates in their order.
 */
import { ChangedObjects } from '../../state/changed-objects.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import { jsonOf, textOf } from '../../state/entry-text.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import type { Layout } from '../layouts.ts';
import { withLayout } from '../layouts.ts';
import type { Aggregates, OpenWindow } from './window-state.ts';
import type { WindowTimes } from './window-times.ts';

export interface WindowHead {
  readonly watermark: EncodedTime;
  /** Windows whose last time is not after this are removed. */
  readonly removedThrough: EncodedTime;
  readonly layouts: readonly Layout[];
}

export type EncodedWindow = readonly [
  layout: number,
  start: number,
  end: number,
  fired: number,
  changed: 0 | 1,
  early: number | null,
  /** Null: none, after a discarding firing. */
  accumulators: readonly unknown[] | null,
];

export const windowTable = 'windows';

/** `id`: by which its key's windows are told apart. */
export function windowEntryKey(id: number, key: string): string {
  return `${id}\n${key}`;
}

/** A window's entry, whose accumulators are not decoded yet. */
export interface WindowEntry
  extends Pick<OpenWindow, 'id' | 'start' | 'end' | 'fired' | 'changed' | 'early'> {
  readonly layout: number;
  readonly encoded: readonly unknown[] | null;
  /** All of it. */
  readonly text: string;
}

export interface WindowTableOptions {
  readonly node: string;
  readonly aggregates: Aggregates;
  readonly times: WindowTimes;
  /** Takes a window of a checkpoint, of the key with this text. */
  readonly restored: (key: string, entry: WindowEntry) => void;
}

export class WindowTable implements StateTable {
  readonly name = windowTable;
  size = 0;
  readonly #options: WindowTableOptions;
  readonly #changed: ChangedObjects<OpenWindow>;
  #layouts: readonly Layout[];
  /** Of each layout, where the accumulator of each aggregate is; -1: nowhere. */
  #places: readonly (readonly number[])[];

  constructor(options: WindowTableOptions) {
    this.#options = options;
    const now = options.aggregates.map(({ name }) => name);
    this.#layouts = [now];
    this.#places = [now.map((_, index) => index)];
    this.#changed = new ChangedObjects<OpenWindow>({
      group: ({ owner }) => groupOfKeyText(owner.text),
      key: ({ id, owner }) => windowEntryKey(id, owner.text),
      time: ({ end }) => end - 1,
      deadThrough: () => this.deadThrough,
      text: (window) => this.#textOf(window),
    });
  }

  get deadThrough(): number {
    return this.#options.times.removedThrough;
  }

  get changedBytes(): number {
    return this.#changed.changedBytes;
  }

  /** Those that entries were written under; the last is the one of now. */
  get layouts(): readonly Layout[] {
    return this.#layouts;
  }

  restoreLayouts(before: readonly Layout[]): void {
    const { aggregates } = this.#options;
    const now = aggregates.map(({ name }) => name);
    this.#layouts = withLayout(before, now);
    this.#places = this.#layouts.map((names) => now.map((name) => names.indexOf(name)));
    this.size = 0;
  }

  add(window: OpenWindow): void {
    this.size++;
    this.#changed.add(window);
  }

  /** One that is in state is about to change. */
  touch(window: OpenWindow): void {
    this.#changed.touch(window);
  }

  /** The time of some is over. */
  expire(windows = 1): void {
    this.size -= windows;
  }

  /** It became part of another session. */
  remove(window: OpenWindow): void {
    this.size--;
    this.#changed.remove(window);
  }

  begin(number: number, writer: EntryWriter): void {
    this.#changed.begin(number, writer);
  }

  seal(next: EntryWriter): SealedChanges {
    return this.#changed.seal(next);
  }

  restore({ key, value }: Entry): void {
    const text = textOf(key);
    const at = text.indexOf('\n');
    this.#options.restored(text.slice(at + 1), entryOf(Number(text.slice(0, at)), textOf(value)));
  }

  /** A window of a checkpoint comes into the state. */
  count(): void {
    this.size++;
  }

  /** One of an entry is live. */
  keep(window: OpenWindow): void {
    this.#changed.restored(window);
  }

  /** About what an entry takes. */
  get entryBytes(): number {
    return this.#changed.meanBytes;
  }

  /**
   * What a window is at rest, whose timer of its end or its removal is at `at`. Throws where it has
   * no text.
   */
  rest(window: OpenWindow, at: number): string {
    return recordOf(window.id, at, this.#changed.rest(window));
  }

  accumulatorsOf({ layout, encoded }: WindowEntry): unknown[] | undefined {
    if (encoded === null) return undefined;
    return this.#options.aggregates.map(({ aggregator }, index) => {
      const at = this.#places[layout]?.[index] ?? -1;
      return at < 0 ? aggregator.create() : aggregator.decode(encoded[at]);
    });
  }

  #textOf({ start, end, fired, changed, early, accumulators }: OpenWindow): string {
    const { node, aggregates } = this.#options;
    const encoded: EncodedWindow = [
      this.#layouts.length - 1,
      start,
      end,
      fired,
      changed ? 1 : 0,
      early ?? null,
      accumulators?.map((accumulator, index) =>
        aggregates[index]?.aggregator.encode(accumulator),
      ) ?? null,
    ];
    return jsonOf(node, encoded);
  }
}

function entryOf(id: number, text: string): WindowEntry {
  const [layout, start, end, fired, changed, early, encoded] = JSON.parse(text) as EncodedWindow;
  return {
    id,
    start,
    end,
    fired,
    changed: changed === 1,
    early: early ?? undefined,
    layout,
    encoded,
    text,
  };
}

/** A window at rest whose timer of its end or its removal is at `at`. */
export function recordOf(id: number, at: number, text: string): string {
  return `${id} ${at}\n${text}`;
}

export function readRecord(record: string): readonly [entry: WindowEntry, at: number] {
  const line = record.indexOf('\n');
  const [id, at] = record.slice(0, line).split(' ').map(Number) as [number, number];
  return [entryOf(id, record.slice(line + 1)), at];
}
