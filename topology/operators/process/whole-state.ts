/**
 * What manifests before version 4 have of a `process` node.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import { encodeKey } from '../../../schemas/kernel/key.ts';
import { never } from '../../state/entries.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { EncodedKeyState } from '../../state/key-state.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import type { NewEntry, WholeState } from '../kind-state.ts';
import { keyTable } from './key-states.ts';
import type { ProcessNode } from './node.ts';
import type { ProcessHead } from './operator.ts';

type WithoutLayout<T> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

interface Keys {
  readonly watermark: EncodedTime;
  readonly keys: readonly (readonly [Key, ...WithoutLayout<EncodedKeyState>])[];
}

export function processFromWhole({ watermark, keys }: Keys, { state }: ProcessNode): WholeState {
  const head: ProcessHead = { watermark, layouts: [state.map(({ name }) => name)] };
  return { head, entries: entriesOf(keys) };
}

function* entriesOf(keys: Keys['keys']): Generator<NewEntry> {
  for (const [key, ...encoded] of keys) {
    const text = encodeKey(key);
    yield {
      table: keyTable,
      group: groupOfKeyText(text),
      key: text,
      time: never,
      value: JSON.stringify([0, ...encoded]),
    };
  }
}
