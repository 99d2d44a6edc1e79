/**
 * The state of a topology's nodes as a manifest of any version has it: a head each, and the entries
 * of their tables.
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { KindState, NewEntry } from '../operators/kind-state.ts';
import { kindNamed } from '../operators/kinds.ts';
import type { Plan } from '../plan/plan.ts';
import type { Entry } from '../state/entries.ts';
import { bytesOfPart } from '../state/entry-text.ts';
import { decodeTime } from '../time/watermark.ts';
import type { Manifest } from './manifest.ts';
import { readRuns } from './sorted-runs/read-runs.ts';
import type { StateFiles } from './sorted-runs/state-files.ts';

/** An entry that is not dead, with whose it is. */
export interface NodeEntry extends Entry {
  readonly node: string;
  /** Of the table. */
  readonly name: string;
}

type Files = Pick<StateFiles, 'get'>;

export type EntrySource = () => AsyncIterable<readonly NodeEntry[]>;

export interface StoredState {
  /** As it is stored, but that `operators` has heads, whatever its version. */
  readonly manifest: Manifest;
  /** Every entry once, in parts; those of one table in the order of their groups and keys. */
  readonly entries: EntrySource;
  /** Whether the entries are in no file yet. */
  readonly isWhole: boolean;
}

/** Entries of one part. */
const partMax = 4_096;

/** `plan`: what its nodes are now, which tells how to read a state of before version 4. */
export function storedState(
  manifest: Manifest,
  plan: Plan,
  files: Files,
  random: Random,
): StoredState {
  if (manifest.state === undefined) return wholeState(manifest, plan, random);
  return { manifest, entries: () => entriesOfRuns(manifest, files), isWhole: false };
}

async function* entriesOfRuns(
  { state }: Manifest,
  files: Files,
): AsyncGenerator<readonly NodeEntry[]> {
  if (state === undefined) return;
  const tables = new Map(state.tables.map((table) => [table.number, table]));
  const deadThrough = new Map(
    state.tables.map(({ number }) => [number, decodeTime(state.deadThrough[number] ?? 'min')]),
  );
  for await (const part of readRuns(state.runs, (name) => files.get(name), { deadThrough }))
    yield part.map(({ table, group, key, time, value }) => {
      const { node, name } = present(tables.get(table), 'a table that is read');
      return { node, name, table, group, key, time, value };
    });
}

/** What a manifest of before version 4 has, in parts. */
function wholeState(manifest: Manifest, plan: Plan, random: Random): StoredState {
  const { stateful, operators } = manifest;
  const heads: Record<string, unknown> = { ...operators };
  const entries: (readonly [node: string, entries: Iterable<NewEntry>])[] = [];
  for (const { id, kind } of stateful) {
    const node = plan.nodes.find((other) => other.id === id && other.kind === kind);
    const state = kindNamed(kind)?.state as KindState<never> | undefined;
    if (node === undefined || state?.fromWhole === undefined || operators[id] === undefined)
      continue;
    const parts = state.fromWhole(operators[id] as never, node as never, random);
    heads[id] = parts.head;
    entries.push([id, parts.entries]);
  }
  return {
    manifest: { ...manifest, operators: heads },
    entries: () => inParts(entries),
    isWhole: entries.length > 0,
  };
}

async function* inParts(
  all: readonly (readonly [node: string, entries: Iterable<NewEntry>])[],
): AsyncGenerator<readonly NodeEntry[]> {
  let part: NodeEntry[] = [];
  for (const [node, entries] of all)
    for (const { table: name, key, value, group, time } of entries) {
      part.push({
        node,
        name,
        table: 0,
        group,
        key: bytesOfPart(key),
        time,
        value: bytesOfPart(value),
      });
      if (part.length < partMax) continue;
      yield part;
      part = [];
    }
  yield part;
}
