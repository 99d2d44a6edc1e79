/**
 * The kinds of sinks: the one place that names all of them. A new kind is a module and a line here,
 * and its adapter a line in enrich/sinks.ts.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { Check } from '../../../schemas/shape.ts';
import { objectOf, text } from '../../../schemas/shape.ts';
import type { CollectDefinition } from './collect.ts';
import { collectKind } from './collect.ts';
import type { GraphDefinition } from './graph.ts';
import { graphKind } from './graph.ts';
import type { RejectedDefinition } from './rejected.ts';
import { rejectedKind } from './rejected.ts';
import type { SinkKind } from './sink-kind.ts';
import { tableKind } from './table.ts';
import type { TableDefinition } from './table-definition.ts';

export const sinkKinds = [graphKind, tableKind, rejectedKind, collectKind] as const;

export type SinkDefinitionData =
  | TableDefinition
  | RejectedDefinition
  | CollectDefinition
  | GraphDefinition;

/** A kind is only given definitions of its own. */
const byKind: ReadonlyMap<string, SinkKind<SinkDefinitionData>> = new Map(
  sinkKinds.map((kind) => [kind.kind, kind as unknown as SinkKind<SinkDefinitionData>]),
);

/** Undefined for what no kind is called, as in a checkpoint of another version. */
export function sinkKindNamed(name: string): SinkKind<SinkDefinitionData> | undefined {
  return byKind.get(name);
}

export function sinkKindOf({ kind }: SinkDefinitionData): SinkKind<SinkDefinitionData> {
  return present(byKind.get(kind), `the kind of sink ${kind}`);
}

const ofAnyKind = objectOf({ kind: text });

/** Whether what a checkpoint says is a sink's definition. Another version may have other kinds. */
export const sinkShape: Check = (value, at) =>
  ofAnyKind(value, at) ??
  sinkKindNamed((value as { readonly kind: string }).kind)?.shape?.(value, at);
