/**
 * What manifests before version 4 have of windows.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import { encodeKey } from '../../../schemas/kernel/key.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import type { NewEntry, WholeState } from '../kind-state.ts';
import type { WindowNode } from './node.ts';
import type { EncodedWindow, WindowHead } from './window-table.ts';
import { windowEntryKey, windowTable } from './window-table.ts';

type WholeWindow = readonly [
  start: number,
  end: number,
  fired: number,
  changed: 0 | 1,
  early: number | null,
  accumulators: readonly unknown[] | null,
];

interface Windows {
  readonly watermark: EncodedTime;
  /** Not there before version 3. */
  readonly removedThrough?: EncodedTime;
  /** In the order of the accumulators; before version 3 that is the topology's. */
  readonly aggregates?: readonly string[];
  readonly keys: readonly (readonly [Key, readonly WholeWindow[]])[];
}

export function windowsFromWhole(
  { watermark, removedThrough = 'min', aggregates, keys }: Windows,
  node: WindowNode,
): WholeState {
  const layout = aggregates ?? node.aggregates.map(({ name }) => name);
  const head: WindowHead = { watermark, removedThrough, layouts: [layout] };
  return { head, entries: entriesOf(keys) };
}

function* entriesOf(keys: Windows['keys']): Generator<NewEntry> {
  for (const [key, windows] of keys) {
    const text = encodeKey(key);
    const group = groupOfKeyText(text);
    for (const window of windows) {
      const [start, end] = window;
      const encoded: EncodedWindow = [0, ...window];
      yield {
        table: windowTable,
        group,
        key: windowEntryKey(start, text),
        time: end - 1,
        value: JSON.stringify(encoded),
      };
    }
  }
}
