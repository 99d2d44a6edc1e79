/**
 * A checkpoint's manifest: everything a job needs to go on as if it had never stopped, in one JSON document.
 *
 * Invariants:
 * 1. The positions, the operators' states and the sinks' states are of one moment between two turns.
 * 2. A manifest is never changed once it exists.
 */
import { createHash } from 'node:crypto';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Graph, GraphNode } from '../graph/graph.ts';
import { isStateful } from '../graph/graph.ts';
import { modelMeaning } from '../graph/graph-model.ts';
import type { SinkState } from '../graph/sink.ts';
import type { NodeCounts } from '../operators/operator.ts';

export const manifestVersion = 2;

export interface StatefulNode {
  readonly id: string;
  readonly kind: string;
  /** Hash of the options that give the state its meaning. */
  readonly fingerprint: string;
}

export interface Manifest {
  readonly manifestVersion: typeof manifestVersion;
  readonly topology: string;
  readonly version: number;
  readonly checkpoint: number;
  /** The run of the job that made it; a later run has a larger one. */
  readonly attempt: number;
  /** Epoch ms. */
  readonly createdAtMs: number;
  readonly stateful: readonly StatefulNode[];
  /** Only the beginning of a run: it repeats what was before, and the run has completed nothing yet. */
  readonly fence?: true;
  /** The end of a drained run: its state is given out, and the next run begins with none. */
  readonly drained?: true;
  /** By source id, then by `path split`: the last position whose element is in the state. */
  readonly positions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By node id. */
  readonly operators: Readonly<Record<string, unknown>>;
  /** By node id; the engine's own rejected table under `rejectedSinkId`. */
  readonly sinks: Readonly<Record<string, SinkState>>;
  /** By node id. */
  readonly counts: Readonly<Record<string, NodeCounts>>;
}

/** The id under which the engine keeps the rejected table's state: no author's id can start with `$`. */
export const rejectedSinkId = '$rejected';

/** The stateful nodes of a graph with the fingerprint of what their state means; functions are never in it. */
export function statefulNodes(graph: Graph): readonly StatefulNode[] {
  return graph.nodes.filter(isStateful).map((node) => ({ id: node.id, kind: node.kind, fingerprint: fingerprintOf(node) }));
}

function fingerprintOf(node: GraphNode): string {
  return createHash('sha256')
    .update(JSON.stringify(meaningOf(node)))
    .digest('hex')
    .slice(0, 16);
}

/** What a change of makes old state wrong. A longer `within` or another idleness may be changed freely: state written under the old one stays true. */
function meaningOf(node: GraphNode): readonly unknown[] {
  switch (node.kind) {
    case 'source':
      return [node.kind, node.stream];
    case 'sink':
      if (node.sink.kind === 'graph') return [node.kind, 'graph', modelMeaning(node.sink.model)];
      return node.sink.kind === 'table' ? [node.kind, 'table', node.sink.table] : [node.kind, node.sink.kind];
    case 'window':
      return [node.kind, node.window, node.mode, node.aggregates.map(({ name, agg }) => [name, agg])];
    case 'union':
      return [node.kind, node.inputs];
    case 'process':
      return [node.kind, node.state.map(({ name, type }) => [name, type])];
    case 'lookup':
    case 'intervalJoin':
    case 'eventTime':
    case 'deduplicate':
    case 'validate':
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'split':
      return [node.kind];
  }
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  return encodeManifestWith(manifest, encodeStates(manifest.operators));
}

/** Each operator's state as JSON text. Throws `SluiceError` `state-unwritable` naming the operator whose state has none. */
export function encodeStates(operators: Manifest['operators']): readonly string[] {
  return Object.entries(operators).map(([id, state]) => `${JSON.stringify(id)}:${stateText(id, state)}`);
}

/** A manifest whose operators' states are text already: they are not written a second time. */
export function encodeManifestWith(manifest: Omit<Manifest, 'operators'>, states: readonly string[]): Uint8Array {
  const { operators: _, ...rest } = manifest as Manifest;
  return Buffer.from(`${JSON.stringify(rest).slice(0, -1)},"operators":{${states.join(',')}}}`);
}

function stateText(id: string, state: unknown): string {
  try {
    return JSON.stringify(state) ?? 'null';
  } catch (cause) {
    throw new SluiceError('state-unwritable', `the state of '${id}' cannot be written as JSON: ${messageOf(cause)}`, {
      cause,
      fix: `keep only JSON in the state of '${id}': no BigInt, and no object that holds itself`,
    });
  }
}

/** Reads a manifest; throws `SluiceError` `checkpoint-corrupt` naming `key`. */
export function decodeManifest(key: string, bytes: Uint8Array): Manifest {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new SluiceError('checkpoint-corrupt', `${key} is not JSON`, {
      cause,
      fix: 'restore it from a copy, or start from an empty state with `sluice reset`',
    });
  }
  const manifest = found as Partial<Manifest> | null;
  if (manifest === null || typeof manifest !== 'object' || manifest.manifestVersion !== manifestVersion) {
    throw new SluiceError('checkpoint-corrupt', `${key} is no manifest of version ${manifestVersion}`, {
      fix: 'another version of Sluice wrote it: run that one, or start from an empty state with `sluice reset`',
    });
  }
  return manifest as Manifest;
}

/** What restoring `manifest` into `graph` would do. */
export type RestoreDecision =
  | { readonly kind: 'restore' }
  /** State of nodes that the graph has no more, or that mean something else now. */
  | { readonly kind: 'refuse'; readonly reasons: readonly string[] };

/** State is never dropped silently: a stateful node that is gone, or changed its meaning, refuses the restore unless `dropState` allows it. */
export function decideRestore(manifest: Manifest, graph: Graph, dropState: boolean): RestoreDecision {
  const reasons: string[] = [];
  if (manifest.topology !== graph.name) {
    reasons.push(`the checkpoint is of the topology '${manifest.topology}', not of '${graph.name}'`);
    return { kind: 'refuse', reasons };
  }
  const now = new Map(statefulNodes(graph).map((node) => [node.id, node]));
  for (const was of manifest.stateful) {
    const is = now.get(was.id);
    if (is === undefined) reasons.push(`the checkpoint has state of ${was.kind} '${was.id}', which the topology no longer has`);
    else if (is.fingerprint !== was.fingerprint)
      reasons.push(`'${was.id}' means something else now: its state of the checkpoint would be read wrongly`);
  }
  return reasons.length === 0 || dropState ? { kind: 'restore' } : { kind: 'refuse', reasons };
}
