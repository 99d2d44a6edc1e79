/**
 * The kinds of nodes: the one place that names all of them. A new kind is a module and a line here.
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { AnyNode } from '../nodes/node.ts';
import { branchKind } from './branch/kind.ts';
import { deduplicateKind } from './deduplicate/kind.ts';
import { eventTimeKind } from './event-time/kind.ts';
import { filterKind } from './filter/kind.ts';
import { flatMapKind } from './flat-map/kind.ts';
import { intervalJoinKind } from './interval-join/kind.ts';
import type { Kind } from './kind.ts';
import { lookupKind } from './lookup/kind.ts';
import { mapKind } from './map/kind.ts';
import { processKind } from './process/kind.ts';
import { sinkKind } from './sink/kind.ts';
import { sourceKind } from './source/kind.ts';
import { unionKind } from './union/kind.ts';
import { validateKind } from './validate/kind.ts';
import { windowKind } from './window/kind.ts';

const kinds = [
  sourceKind,
  validateKind,
  eventTimeKind,
  mapKind,
  filterKind,
  flatMapKind,
  branchKind,
  deduplicateKind,
  windowKind,
  intervalJoinKind,
  unionKind,
  lookupKind,
  processKind,
  sinkKind,
] as const;

type NodeOf<K> = K extends Kind<infer N> ? N : never;

/** A node of any kind. */
export type PlanNode = NodeOf<(typeof kinds)[number]>;

/** A kind is only given nodes of its own. */
export const allKinds = kinds as unknown as readonly Kind<AnyNode>[];

const byName: ReadonlyMap<string, Kind<AnyNode>> = new Map(
  allKinds.flatMap((kind) =>
    [kind.name, kind.oldName].flatMap((name) =>
      name === undefined ? [] : [[name, kind] as const],
    ),
  ),
);

/** Undefined for what no kind is called, as in a checkpoint of another version. */
export function kindNamed(name: string): Kind<AnyNode> | undefined {
  return byName.get(name);
}

export function kindOf({ kind }: AnyNode): Kind<AnyNode> {
  return present(byName.get(kind), `the kind ${kind}`);
}

/** Whether a node keeps state that a checkpoint holds: these need an author's id that stays. */
export function isStateful(node: AnyNode): boolean {
  const { state } = kindOf(node);
  return state !== undefined && (state.isKept?.(node) ?? true);
}

/** The slots that a node resolves. */
export function slotsOf(node: AnyNode): readonly string[] {
  return kindOf(node).slots?.(node) ?? [];
}
