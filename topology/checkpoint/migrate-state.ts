/**
 * Brings the entries of declared states and of authors' own aggregates that an earlier version of
 * their schema wrote to the version of now, by the authors' functions.
 *
 * Invariants:
 * 1. A part is migrated only where its state continues: neither dropped, nor of another type.
 * 2. What a function gives is JSON. What it throws is told with the part and the key, before
 *    anything is stored.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { KindState } from '../operators/kind-state.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindNamed } from '../operators/kinds.ts';
import type { Migrate } from '../operators/state-version.ts';
import { versionIn } from '../operators/state-version.ts';
import type { Topology } from '../plan/plan.ts';
import { textOf } from '../state/entry-text.ts';
import { requireJson } from '../state/json-safe.ts';
import { definitionsOf, partOf } from './definition.ts';
import type { Manifest } from './manifest.ts';
import type { Misfit } from './restore-rules.ts';
import { partId } from './restore-rules.ts';
import type { EntrySource, NodeEntry } from './stored-state.ts';

/** The way of one part from the version that a checkpoint has to that of now. */
interface Way {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly migrate: Migrate;
}

/** What of a node is migrated. */
interface NodeWays {
  readonly kind: string;
  readonly head: unknown;
  readonly state: KindState<never>;
  readonly ways: readonly Way[];
}

export class Migrations {
  readonly #nodes: ReadonlyMap<string, NodeWays>;

  constructor(nodes: ReadonlyMap<string, NodeWays>) {
    this.#nodes = nodes;
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  /** Whether entries of the node are written anew. */
  has(node: string): boolean {
    return this.#nodes.has(node);
  }

  /** All entries, those of parts of other versions migrated. Throws `SluiceError` `restore-refused`. */
  entries(stored: EntrySource): EntrySource {
    if (this.isEmpty) return stored;
    const all = (part: readonly NodeEntry[]): readonly NodeEntry[] =>
      part.map((entry) => this.entry(entry));
    return async function* migrated() {
      for await (const part of stored()) yield all(part);
    };
  }

  /** Throws `SluiceError` `restore-refused`. */
  entry(entry: NodeEntry): NodeEntry {
    const of = this.#nodes.get(entry.node);
    if (of === undefined || entry.value === undefined) return entry;
    const text = this.#migrated(of, entry, of.ways);
    return { ...entry, value: Buffer.from(text) };
  }

  /** What cannot be migrated, by part, with the first key of each. */
  async misfits(stored: EntrySource): Promise<readonly Misfit[]> {
    if (this.isEmpty) return [];
    const found = new Map<
      string,
      { readonly misfit: Misfit; keys: number; readonly why: string }
    >();
    for await (const part of stored())
      for (const entry of part) {
        const of = this.#nodes.get(entry.node);
        if (of === undefined || entry.value === undefined) continue;
        for (const way of of.ways) {
          const why = thrownBy(() => this.#migrated(of, entry, [way]));
          if (why === undefined) continue;
          const drop = partId(entry.node, way.name);
          const known = found.get(drop);
          if (known !== undefined) known.keys++;
          else
            found.set(drop, {
              misfit: { node: entry.node, kind: of.kind, why, drop },
              keys: 1,
              why,
            });
        }
      }
    return [...found.values()].map(({ misfit, keys, why }) => ({
      ...misfit,
      why: keys === 1 ? why : `${why}; so are ${keys - 1} other entries`,
    }));
  }

  #migrated({ state, head }: NodeWays, entry: NodeEntry, ways: readonly Way[]): string {
    const calls = new Map(
      ways.map((way) => [way.name, (old: unknown) => callOf(way, entry, old)] as const),
    );
    const text = textOf(entry.value);
    return state.migrated?.(text, head as never, calls) ?? text;
  }
}

export const noMigrations = new Migrations(new Map());

function callOf({ name, from, to, migrate }: Way, { key }: NodeEntry, old: unknown): unknown {
  try {
    return requireJson(migrate(old, from), `what migrate of '${name}' returns`);
  } catch (cause) {
    throw new SluiceError(
      'restore-refused',
      `cannot bring '${name}' of version ${from} to version ${to}: ${messageOf(cause)} (state of ${textOf(key)})`,
      { cause, fix: 'correct the function, or drop the state by name' },
    );
  }
}

function thrownBy(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** What of a checkpoint a topology has other versions of. `drop`: ids whose state is dropped. */
export function migrationsOf(
  { stateful, operators, drained }: Pick<Manifest, 'stateful' | 'operators' | 'drained'>,
  topology: Topology,
  drop: ReadonlySet<string>,
): Migrations {
  const nodes = new Map<string, NodeWays>();
  const definitions = definitionsOf(topology.plan);
  for (const { id, kind, definition: was } of drained === true ? [] : stateful) {
    const node = topology.plan.nodes.find((one) => one.id === id && one.kind === kind);
    const state = kindNamed(kind)?.state as KindState<never> | undefined;
    const is = definitions.get(id);
    const head = operators[id];
    if (node === undefined || is === undefined || head === undefined) continue;
    if (state?.migrated === undefined || drop.has(id)) continue;
    const parts = Object.keys(is.options).flatMap((option) => {
      const name = partOf(option)?.name;
      const continues = was === undefined || was.options[option] === is.options[option];
      return name === undefined || !continues || drop.has(partId(id, name)) ? [] : [name];
    });
    const ways = parts.flatMap((name): readonly Way[] => {
      const [from, to] = [versionIn(was?.options ?? {}, name), versionIn(is.options, name)];
      return from >= to ? [] : [{ name, from, to, migrate: migrateOf(topology, node, name) }];
    });
    if (ways.length > 0) nodes.set(id, { kind, head, state, ways });
  }
  return new Migrations(nodes);
}

function migrateOf(topology: Topology, node: PlanNode, name: string): Migrate {
  const slot = kindNamed(node.kind)?.state?.migrateSlot?.(name);
  const found = slot === undefined ? undefined : topology.resolve(node.id, slot);
  if (found !== undefined) return found as Migrate;
  throw new SluiceError('topology-invalid', `'${node.id}' has no function to migrate '${name}'`);
}
