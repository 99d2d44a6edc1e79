/**
 * What manifests before version 4 have of an interval join.
 */
import type { Identity } from '../../nodes/sink.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { MergeSnapshot } from '../../time/merge.ts';
import type { NewEntry, WholeState } from '../kind-state.ts';
import type { IntervalJoinHead } from './operator.ts';
import { sideNames } from './operator.ts';
import { rowEntryKey } from './row-values.ts';

interface Rows {
  readonly merge: MergeSnapshot;
  readonly keys: readonly (readonly [
    key: string,
    left: readonly (readonly [time: number, matched: 0 | 1, value: unknown, identity?: Identity])[],
    right: readonly (readonly [time: number, value: unknown, identity?: Identity])[],
  ])[];
}

export function joinFromWhole({ merge, keys }: Rows): WholeState {
  const count = (side: 1 | 2): number => keys.reduce((sum, of) => sum + of[side].length, 0);
  const head: IntervalJoinHead = { merge, arrivals: [count(1), count(2)] };
  return { head, entries: entriesOf(keys) };
}

function* entriesOf(keys: Rows['keys']): Generator<NewEntry> {
  const arrivals = [0, 0] as [number, number];
  for (const [key, lefts, rights] of keys) {
    const group = groupOfKeyText(key);
    const entry = (side: 0 | 1, time: number, value: readonly unknown[]): NewEntry => ({
      table: sideNames[side],
      group,
      key: rowEntryKey(key, arrivals[side]++),
      time,
      value: JSON.stringify(value),
    });
    for (const [time, ...row] of lefts) yield entry(0, time, row);
    for (const [time, ...row] of rights) yield entry(1, time, [0, ...row]);
  }
}
