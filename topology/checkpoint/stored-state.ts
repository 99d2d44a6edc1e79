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
import { bytesOfText } from '../state/entry-text.ts';
import { decodeTime } from '../time/watermark.ts';
import type { Manifest } from './manifest.ts';
import { readRuns } from './runs/read-runs.ts';

/** An entry that is not dead, with whose it is. */
export interface NodeEntry extends Entry {
  readonly node: string;
  /** Of the table. */
  readonly name: string;
}

export type EntrySource = () => AsyncIterable<readonly NodeEntry[]>;

export interface StoredState {
  /** By node id. */
  readonly heads: Readonly<Record<string, unknown>>;
  /** Every entry once, in parts; those of one table in the order of their groups and keys. */
  readonly entries: EntrySource;
  /** Whether the entries are in no file yet. */
  readonly isWhole: boolean;
}

/** Of what has no entries. */
export async function* noEntries(): AsyncGenerator<readonly NodeEntry[]> {
  // There is none.
}

/** Entries of one part. */
const partMax = 4_096;

/**
 * `get` gives the bytes of a file. `plan`: what its nodes are now, which tells how to read a state
 * of before version 4.
 */
export function storedState(
  manifest: Manifest,
  plan: Plan,
  get: (name: string) => Promise<Uint8Array>,
  random: Random,
): StoredState {
  return manifest.state === undefined
    ? wholeState(manifest, plan, random)
    : {
        heads: manifest.operators,
        entries: () => entriesOfRuns(manifest, get),
        isWhole: false,
      };
}

async function* entriesOfRuns(
  { state }: Manifest,
  get: (name: string) => Promise<Uint8Array>,
): AsyncGenerator<readonly NodeEntry[]> {
  if (state === undefined) return;
  const tables = new Map(state.tables.map((table) => [table.number, table]));
  const deadThrough = new Map(
    state.tables.map(({ number }) => [number, decodeTime(state.deadThrough[number] ?? 'min')]),
  );
  for await (const part of readRuns(state.runs, get, { deadThrough }))
    yield part.map(({ table, group, key, time, value }) => {
      const { node, name } = present(tables.get(table), 'a table that is read');
      return { node, name, table, group, key, time, value };
    });
}

/** What a manifest of before version 4 has, in parts. */
function wholeState({ stateful, operators }: Manifest, plan: Plan, random: Random): StoredState {
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
  return { heads, entries: () => inParts(entries), isWhole: entries.length > 0 };
}

async function* inParts(
  all: readonly (readonly [node: string, entries: Iterable<NewEntry>])[],
): AsyncGenerator<readonly NodeEntry[]> {
  let part: NodeEntry[] = [];
  for (const [node, entries] of all)
    for (const { table: name, key, value, group, time } of entries) {
      part.push({ node, name, table: 0, group, key: bytesOf(key), time, value: bytesOf(value) });
      if (part.length < partMax) continue;
      yield part;
      part = [];
    }
  yield part;
}

const bytesOf = (of: string | Uint8Array): Uint8Array =>
  typeof of === 'string' ? bytesOfText(of) : of;
