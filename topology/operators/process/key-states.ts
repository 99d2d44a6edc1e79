/**
 * The keys of a `process` node, and the table of them, an entry a key.
 *
 * Invariants:
 * 1. A key is in state while it has a value or a timer. What of it expired is let go of by a walk
 *    over all keys, a few with each tick of the clock.
 */
import { ChangedObjects } from '../../state/changed-objects.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import { never } from '../../state/entries.ts';
import { jsonOf, textOf } from '../../state/entry-text.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { EncodedKeyState, KeyState, Now, StateDeclaration } from '../../state/key-state.ts';
import { decodeKeyState, dropExpired, encodeKeyState, isEmpty } from '../../state/key-state.ts';
import type { Layout } from '../layouts.ts';
import { withLayout } from '../layouts.ts';

export const keyTable = 'keys';

/** Keys that are looked at with one tick of the clock. */
const walkedMax = 256;

export class KeyStates implements StateTable {
  readonly name = keyTable;
  readonly deadThrough = Number.NEGATIVE_INFINITY;
  readonly #declarations: readonly StateDeclaration[];
  readonly #expires: boolean;
  readonly #keys = new Map<string, KeyState>();
  readonly #changed: ChangedObjects<KeyState>;
  readonly #restored: (state: KeyState, encoded: EncodedKeyState) => void;
  #layouts: readonly Layout[];
  #walk: Iterator<KeyState> | undefined;

  /** `restored` takes a key of a checkpoint. */
  constructor(
    node: string,
    declarations: readonly StateDeclaration[],
    restored: (state: KeyState, encoded: EncodedKeyState) => void,
  ) {
    this.#declarations = declarations;
    this.#restored = restored;
    this.#expires = declarations.some(({ ttlMs }) => ttlMs > 0);
    this.#layouts = [declarations.map(({ name }) => name)];
    this.#changed = new ChangedObjects<KeyState>({
      group: ({ text }) => groupOfKeyText(text),
      key: ({ text }) => text,
      time: () => never,
      deadThrough: () => this.deadThrough,
      text: (state) => jsonOf(node, encodeKeyState(state, this.#layouts.length - 1)),
    });
  }

  get size(): number {
    return this.#keys.size;
  }

  get changedBytes(): number {
    return this.#changed.changedBytes;
  }

  get layouts(): readonly Layout[] {
    return this.#layouts;
  }

  get(text: string): KeyState | undefined {
    return this.#keys.get(text);
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

  /** Lets go of what expired, of a few keys. */
  walk(now: Now): void {
    if (!this.#expires) return;
    for (let walked = 0; walked < walkedMax; walked++) {
      this.#walk ??= this.#keys.values();
      const { value: state, done } = this.#walk.next();
      if (done === true) {
        this.#walk = undefined;
        return;
      }
      dropExpired(state, this.#declarations, now, () => this.touch(state));
      this.settle(state);
    }
  }

  clear(before: readonly Layout[]): void {
    this.#keys.clear();
    this.#walk = undefined;
    this.#layouts = withLayout(
      before,
      this.#declarations.map(({ name }) => name),
    );
  }

  begin(number: number, writer: EntryWriter): void {
    this.#changed.begin(number, writer);
  }

  seal(next: EntryWriter): SealedChanges {
    return this.#changed.seal(next);
  }

  restore({ key, value }: Entry): void {
    const encoded = JSON.parse(textOf(value)) as EncodedKeyState;
    const names = new Set((this.#layouts[encoded[0]] ?? []).flatMap((name) => name ?? []));
    const state = decodeKeyState(textOf(key), encoded, names);
    this.#restored(state, encoded);
    if (isEmpty(state)) return;
    this.#keys.set(state.text, state);
    this.#changed.restored(state);
  }
}
