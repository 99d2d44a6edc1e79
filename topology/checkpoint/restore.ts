/**
 * Which parts of a checkpoint a plan can resume from. Pure.
 *
 * Invariants:
 * 1. State is never dropped silently. The state of a node that was removed, or whose definition
 *    changed so that its state would be wrong, blocks the restore until it is dropped by name. Only
 *    named state is dropped.
 * 2. Dropping state never drops output: what a sink staged passes to the sink that writes to the
 *    same place now, or is committed by a sink that retires.
 * 3. A drained run has emitted its state: after it, only positions and sinks must fit.
 */

import type { SinkState } from '../nodes/sink.ts';
import { isStateful, kindNamed } from '../operators/kinds.ts';
import type { SinkDefinitionData } from '../operators/sink/node.ts';
import { sinkKindNamed } from '../operators/sink/sinks.ts';
import type { Plan } from '../plan/plan.ts';
import { adaptState } from './adapt-state.ts';
import type { Definition } from './definition.ts';
import { definitionsOf, partOf } from './definition.ts';
import type { Manifest, ManifestState, RetiringSink, StatefulNode } from './manifest.ts';
import { noState, rejectedSinkId, statefulNodes } from './manifest.ts';
import type { Misfit } from './restore-rules.ts';
import { misfitsOf, partId } from './restore-rules.ts';

export type CarriedState = Pick<
  Manifest,
  | 'stateful'
  | 'sinks'
  | 'retiring'
  | 'operators'
  | 'state'
  | 'positions'
  | 'marks'
  | 'counts'
  | 'keyExamples'
  | 'skips'
  | 'losses'
>;

/**
 * What `--drop-state` can name: the nodes that a checkpoint has state of, and the parts of their
 * state.
 */
export function checkpointedIds({
  stateful,
  sinks,
  retiring,
}: Pick<Manifest, 'stateful' | 'sinks' | 'retiring'>): readonly string[] {
  const nodes = stateful.filter(({ id, kind }) => kind !== 'sink' || id in sinks);
  const ids = nodes.flatMap(({ id, definition }) => [
    id,
    ...partsOf(definition).map((name) => partId(id, name)),
  ]);
  return [...new Set([...ids, ...retiring.map(({ id }) => id)])];
}

function partsOf(definition: Definition | undefined): readonly string[] {
  return Object.keys(definition?.options ?? {}).flatMap((option) => partOf(option)?.name ?? []);
}

/**
 * Why `plan` cannot resume from `manifest`; nothing when it can. `drop`: ids whose state is
 * dropped.
 */
export function restoreMisfits(
  manifest: Manifest,
  plan: Plan,
  drop: ReadonlySet<string>,
): readonly Misfit[] {
  const kinds = new Map(plan.nodes.filter(isStateful).map(({ id, kind }) => [id, kind]));
  const definitions = definitionsOf(plan);
  const sourcesDropped = manifest.stateful.some(
    ({ id, kind }) => kind === 'source' && drop.has(id),
  );
  return manifest.stateful.flatMap((was): readonly Misfit[] => {
    if (was.kind === 'sink') return sinkMisfits(was, manifest, definitions);
    if (drop.has(was.id) || (manifest.drained === true && was.kind !== 'source')) return [];
    const is = definitions.get(was.id);
    const kind = kinds.get(was.id);
    if (is === undefined) return goneMisfits(was, manifest);
    if (kind !== was.kind) {
      const change = {
        option: 'kind',
        was: was.kind,
        is: String(kind),
        why: 'its state is of the old kind',
      };
      return [{ node: was.id, kind: was.kind, ...change, drop: was.id }];
    }
    return was.definition === undefined
      ? []
      : misfitsOf(was.id, was.kind, was.definition, is, drop, sourcesDropped);
  });
}

function goneMisfits({ id, kind }: StatefulNode, { operators }: Manifest): readonly Misfit[] {
  const whenGone = kindNamed(kind)?.state?.whenGone;
  const why =
    whenGone === undefined ? 'was removed: its state would be dropped' : whenGone(operators[id]);
  return why === undefined ? [] : [{ node: id, kind, why, drop: id }];
}

/**
 * What a sink staged is committed whatever becomes of it, as far as the checkpoint says what it
 * was.
 */
function sinkMisfits(
  was: StatefulNode,
  { sinks }: Manifest,
  definitions: ReadonlyMap<string, Definition>,
): readonly Misfit[] {
  const is = definitions.get(was.id);
  if (was.definition !== undefined)
    return is?.sink === undefined
      ? []
      : misfitsOf(was.id, 'sink', was.definition, is, new Set(), false);
  if (!(was.id in sinks) || is?.sink !== undefined) return [];
  const why =
    'was removed, and the checkpoint, written by an earlier version of Sluice, does not say how to commit what the node staged: start once with the node, then without it';
  return [{ node: was.id, kind: 'sink', why }];
}

/** What is said of a restore that continues. */
export function restoreNotes(manifest: Manifest, plan: Plan): readonly string[] {
  const unknown = manifest.stateful
    .filter(({ definition, kind }) => definition === undefined && kind !== 'sink')
    .map(({ id }) => id);
  const { retiring } = sinkStates(manifest, plan);
  return [
    ...(unknown.length === 0
      ? []
      : [
          `an earlier version of Sluice, which kept no definitions, wrote the checkpoint: the state of ${unknown.join(', ')} was not checked`,
        ]),
    ...retiring.map(
      ({ id }) => `the sink '${id}' is no longer in the topology: what it staged is committed now`,
    ),
  ];
}

/** Where a sink's output goes; undefined where nothing is staged. */
export function targetOf(id: string, sink: SinkDefinitionData): string | undefined {
  return sinkKindNamed(sink.kind)?.target?.(sink, id);
}

/** The states of the sinks that the plan has, and those of the sinks that it no longer has. */
function sinkStates(previous: Manifest, plan: Plan): Pick<Manifest, 'sinks' | 'retiring'> {
  const byTarget = new Map<string, string>();
  for (const node of plan.nodes) {
    const target = node.kind === 'sink' ? targetOf(node.id, node.sink) : undefined;
    if (target !== undefined) byTarget.set(target, node.id);
  }
  const sinks: Record<string, SinkState> = {};
  const retiring: RetiringSink[] = [];
  if (rejectedSinkId in previous.sinks) sinks[rejectedSinkId] = previous.sinks[rejectedSinkId];
  for (const { id, kind, definition } of previous.stateful) {
    if (kind !== 'sink' || !(id in previous.sinks)) continue;
    const state = previous.sinks[id];
    // A checkpoint of an earlier version does not say what it wrote to; its sinks are all still
    // there.
    const to =
      definition?.sink === undefined ? id : byTarget.get(targetOf(id, definition.sink) ?? '');
    if (to !== undefined) sinks[to] = state;
    else if (definition?.sink !== undefined) retiring.push({ id, sink: definition.sink, state });
  }
  for (const left of previous.retiring) {
    const to = byTarget.get(targetOf(left.id, left.sink) ?? '');
    if (to === undefined) retiring.push(left);
    else sinks[to] ??= left.state;
  }
  return { sinks, retiring };
}

/** What a run of `plan` begins with, of a checkpoint that fits it. */
export function carryOver(
  previous: Manifest | undefined,
  plan: Plan,
  drop: ReadonlySet<string>,
  nowMs: number,
): CarriedState {
  const now = statefulNodes(plan);
  if (previous === undefined)
    return {
      stateful: now,
      sinks: {},
      retiring: [],
      operators: {},
      state: noState,
      positions: {},
      counts: {},
      keyExamples: {},
    };
  const before = new Map(previous.stateful.map((node) => [node.id, node]));
  const kept = new Set(
    now
      .filter(({ id, kind }) => before.get(id)?.kind === kind && !drop.has(id))
      .map(({ id }) => id),
  );
  const keep = <T>(states: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(states).filter(([id]) => kept.has(id)));
  const isStale = (id: string): boolean =>
    before.has(id) && before.get(id)?.kind !== 'sink' && !kept.has(id);
  const nodes = new Set(plan.nodes.map(({ id }) => id));
  const drained = previous.drained === true;
  return {
    stateful: now.map((node) => {
      const goesOn = kept.has(node.id) ? before.get(node.id) : undefined;
      return withEra(
        drained ? node : withSince(node, goesOn, drop, nowMs),
        drained ? undefined : goesOn,
        previous.checkpoint,
      );
    }),
    ...sinkStates(previous, plan),
    // A drained run emitted all its windows: what comes next starts with empty ones, and reads on.
    operators: drained ? {} : adapted(keep(previous.operators), before, now, drop),
    state: stateOf(previous, drained ? new Set() : kept),
    positions: keep(previous.positions),
    marks: keep(previous.marks ?? {}),
    counts: Object.fromEntries(
      Object.entries(previous.counts).filter(([id]) => nodes.has(id) && !isStale(id)),
    ),
    keyExamples: drained ? {} : keep(previous.keyExamples),
    skips: (previous.skips ?? []).filter(({ source }) => kept.has(source)),
    ...(previous.losses === undefined ? {} : { losses: previous.losses }),
  };
}

/** The entries of nodes whose state continues. Those of the others belong to none. */
function stateOf(
  { state = noState, operators }: Manifest,
  kept: ReadonlySet<string>,
): ManifestState {
  const tables = state.tables.filter(({ node }) => kept.has(node) && operators[node] !== undefined);
  return { ...state, tables, runs: tables.length === 0 ? [] : state.runs };
}

function adapted(
  states: Readonly<Record<string, unknown>>,
  before: ReadonlyMap<string, StatefulNode>,
  now: readonly StatefulNode[],
  drop: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const is = new Map(now.map((node) => [node.id, node]));
  return Object.fromEntries(
    Object.entries(states).map(([id, state]) => {
      const [old, next] = [before.get(id), is.get(id)];
      if (old?.definition === undefined || next?.definition === undefined) return [id, state];
      const dropped = new Set(partsOf(old.definition).filter((name) => drop.has(partId(id, name))));
      return [id, adaptState(next.kind, state, old.definition, next.definition, dropped)];
    }),
  );
}

/** Which beginning of its state it is. `was`: the node whose state it continues with. */
function withEra(
  node: StatefulNode,
  was: StatefulNode | undefined,
  checkpoint: number,
): StatefulNode {
  if (kindNamed(node.kind)?.state?.hasEra !== true) return node;
  const era = was === undefined ? checkpoint : was.era;
  return era === undefined ? node : { ...node, era };
}

/**
 * Since when a node, or parts of it, have state, where that is not as long as the topology. `was`:
 * the node whose state it continues with.
 */
function withSince(
  node: StatefulNode,
  was: StatefulNode | undefined,
  drop: ReadonlySet<string>,
  nowMs: number,
): StatefulNode {
  if (node.kind === 'sink' || node.kind === 'source') return node;
  if (was === undefined) return { ...node, since: nowMs };
  const parts: Record<string, number> = {};
  for (const [option, value] of Object.entries(node.definition?.options ?? {})) {
    const name = partOf(option)?.name;
    if (name === undefined) continue;
    const goesOn =
      (was.definition === undefined || was.definition.options[option] === value) &&
      !drop.has(partId(node.id, name));
    const since = goesOn ? was.parts?.[name] : nowMs;
    if (since !== undefined) parts[name] = since;
  }
  return {
    ...node,
    ...(was.since === undefined ? {} : { since: was.since }),
    ...(Object.keys(parts).length === 0 ? {} : { parts }),
  };
}
