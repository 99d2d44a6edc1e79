/**
 * A checkpoint's manifest: everything a job needs to continue as if it had never stopped, in one
 * JSON document, and the names of the files that have the operators' entries.
 *
 * Invariants:
 * 1. The positions, the operators' states and the sinks' states are of one moment between two
 *    turns.
 * 2. A manifest is never changed once it exists.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { SinkState } from '../nodes/sink.ts';
import { isStateful } from '../operators/kinds.ts';
import type { NodeCounts } from '../operators/operator.ts';
import type { SinkDefinitionData } from '../operators/sink/node.ts';
import type { Plan } from '../plan/plan.ts';
import { keyGroups } from '../state/entries.ts';
import { jsonOf } from '../state/entry-text.ts';
import type { EncodedTime } from '../time/watermark.ts';
import type { Definition } from './definition.ts';
import { definitionsOf } from './definition.ts';
import type { Isolation } from './isolation.ts';
import type { Losses } from './losses.ts';
import { manifestProblem, version2Problem } from './manifest-shape.ts';
import type { StateRuns } from './sorted-runs/sorted-run.ts';
import { noRuns } from './sorted-runs/sorted-run.ts';

/**
 * Version 3 had the whole states of the operators in the manifest. Version 2 had hashes instead of
 * definitions, and neither retiring sinks nor examples of keys.
 */
export const manifestVersion = 4;
const wholeStatesVersion = 3;

/** The entries of the operators' tables: where they are, and which of them are dead. */
export interface ManifestState extends StateRuns {
  /** By the number of a table: entries with a time not after it are dead. */
  readonly deadThrough: Readonly<Record<string, EncodedTime>>;
}

export const noState: ManifestState = { ...noRuns(keyGroups), deadThrough: {} };

export interface StatefulNode {
  readonly id: string;
  readonly kind: string;
  /** What its state was made under; not there in checkpoints of version 2. */
  readonly definition?: Definition;
  /** Epoch ms: when it came to a topology that had run before, or its state was dropped. */
  readonly since?: number;
  /**
   * The checkpoint after which its state began empty, though the topology had run before: it was
   * drained, dropped, or new. Absent where it resumes from the topology's first.
   */
  readonly era?: number;
  /** Epoch ms, by name: when an aggregate or a declared state came to it. */
  readonly parts?: Readonly<Record<string, number>>;
}

/** A sink that the topology has no more, until what it staged is visible. */
export interface RetiringSink {
  readonly id: string;
  readonly sink: SinkDefinitionData;
  readonly state: SinkState;
}

/** What a key function gave of an element, so that another function is noticed. */
export interface KeyExample {
  readonly slot: string;
  readonly value: unknown;
  /** As `encodeKey` writes it. */
  readonly key: string;
}

export interface Manifest {
  readonly manifestVersion: typeof manifestVersion | typeof wholeStatesVersion;
  readonly topology: string;
  readonly version: number;
  readonly checkpoint: number;
  /** The run of the job that made it; a later run has a larger one. */
  readonly attempt: number;
  /**
   * Which line of runs, each restored from the one before: random; absent in checkpoints from
   * before there was one.
   */
  readonly lineage?: string;
  /** Epoch ms. */
  readonly createdAtMs: number;
  readonly stateful: readonly StatefulNode[];
  /**
   * Only the beginning of a run: it repeats what was before, and the run has completed nothing yet.
   */
  readonly fence?: true;
  /** The end of a drained run: its state is given out, and the next run begins with none. */
  readonly drained?: true;
  /** All that its sinks staged is visible: nobody ran it when it was made (settle-staged.ts). */
  readonly settled?: true;
  /** What is known of elements on which operators failed; absent where nothing ever was. */
  readonly isolation?: Isolation;
  /** By source id, then by `path split`: the last position whose element is in the state. */
  readonly positions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By node id: what is not in entries. */
  readonly operators: Readonly<Record<string, unknown>>;
  /** Absent before version 4, where `operators` has all. */
  readonly state?: ManifestState;
  /** By node id; the engine's own rejected table under `rejectedSinkId`. */
  readonly sinks: Readonly<Record<string, SinkState>>;
  readonly retiring: readonly RetiringSink[];
  /** By node id. */
  readonly keyExamples: Readonly<Record<string, readonly KeyExample[]>>;
  /** By node id. */
  readonly counts: Readonly<Record<string, NodeCounts>>;
  /** What was skipped by command; absent where nothing was. */
  readonly skips?: readonly SkipRecord[];
  /** As `positions`; absent in checkpoints from before there were any. */
  readonly marks?: Readonly<Record<string, Readonly<Record<string, SplitMark>>>>;
  /** What was lost before it was read; absent where nothing was. */
  readonly losses?: Losses;
}

/** What is known of a split beside its position. */
export interface SplitMark {
  /** Epoch ms: all that had arrived by then was read. */
  readonly readToMs?: number;
  /** It takes no more, and was read to its end. */
  readonly ended?: true;
  /** Of a split without a position: where it began. */
  readonly begins?: string;
  /**
   * Of a split without a position that does not begin with its oldest record: from what arrived
   * when on, epoch ms.
   */
  readonly fromMs?: number;
}

/**
 * Positions of a split that were skipped by command, as they could not be read; `start`: by
 * `--from`.
 */
export interface SkipRecord {
  readonly source: string;
  readonly path: string;
  readonly split: string;
  /** The last position that was read; null where none was. */
  readonly after: string | null;
  /**
   * The last position that was skipped; null where that is not known: all that is not kept any
   * more, or the whole split.
   */
  readonly to: string | null;
  readonly kind: 'range' | 'oldest' | 'whole' | 'start';
  /** Of `start`: what `--from` said. */
  readonly from?: string;
  /** Epoch ms. */
  readonly atMs: number;
  /** What its reads said. */
  readonly why: string;
}

/** Of a run's own fence. */
export function lineageOf({ lineage }: Manifest): string {
  return present(lineage, 'the lineage of a run');
}

/**
 * The id under which the engine keeps the rejected table's state: no author's id can start with
 * `$`.
 */
export const rejectedSinkId = '$rejected';

/** The stateful nodes of a plan, each with its definition. */
export function statefulNodes(plan: Plan): readonly StatefulNode[] {
  const definitions = definitionsOf(plan);
  return plan.nodes.filter(isStateful).map(({ id, kind }) => ({
    id,
    kind,
    definition: present(definitions.get(id), `the definition of ${id}`),
  }));
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  return encodeManifestWith(manifest, encodeStates(manifest.operators));
}

/**
 * Each operator's state as JSON text. Throws `SluiceError` `state-unwritable` naming the operator
 * whose state has none.
 */
export function encodeStates(operators: Manifest['operators']): readonly string[] {
  return Object.entries(operators).map(
    ([id, state]) => `${JSON.stringify(id)}:${jsonOf(id, state)}`,
  );
}

/** A manifest whose operators' states are text already: they are not written a second time. */
export function encodeManifestWith(
  manifest: Omit<Manifest, 'operators'>,
  states: readonly string[],
): Uint8Array {
  const { operators: _, ...rest } = manifest as Manifest;
  return Buffer.from(`${JSON.stringify(rest).slice(0, -1)},"operators":{${states.join(',')}}}`);
}

/** What a manifest has to be of, where that is known. */
export interface ManifestPlace {
  /** What the names of its files begin with, up to the last part. */
  readonly filesIn: string;
  readonly topology?: string;
  readonly checkpoint?: number;
}

/**
 * Reads a manifest, and looks at all that is read of it later (manifest-shape.ts). Throws
 * `SluiceError` `checkpoint-corrupt` naming `key`.
 */
export function decodeManifest(key: string, bytes: Uint8Array, place: ManifestPlace): Manifest {
  const manifest = parseManifest(key, bytes);
  const { topology = manifest.topology, checkpoint = manifest.checkpoint } = place;
  const problem =
    manifestProblem(manifest, place.filesIn) ??
    (manifest.topology === topology && manifest.checkpoint === checkpoint
      ? undefined
      : `it is checkpoint ${manifest.checkpoint} of '${manifest.topology}'`);
  if (problem === undefined) return manifest;
  throw notOurs(key, problem);
}

function notOurs(key: string, problem: string): SluiceError {
  return new SluiceError('checkpoint-corrupt', `${key} is not what Sluice wrote: ${problem}`, {
    fix: 'restore it from a copy, or start from an empty state with `sluice reset`',
  });
}

function parseManifest(key: string, bytes: Uint8Array): Manifest {
  let found: unknown;
  try {
    found = JSON.parse(bufferOf(bytes).toString('utf8'));
  } catch (cause) {
    throw new SluiceError('checkpoint-corrupt', `${key} is not JSON`, {
      cause,
      fix: 'restore it from a backup, or start from an empty state with `sluice reset`',
    });
  }
  const manifest = found as Partial<Manifest> | null;
  if (manifest !== null && typeof manifest === 'object') {
    const version: number | undefined = manifest.manifestVersion;
    if (version === manifestVersion || version === wholeStatesVersion) return manifest as Manifest;
    if (version === 2) return fromVersion2(key, manifest);
  }
  throw new SluiceError(
    'checkpoint-corrupt',
    `${key} is not a manifest of version ${manifestVersion}`,
    {
      fix: 'another version of Sluice wrote it: run that version, or start from an empty state with `sluice reset`',
    },
  );
}

function fromVersion2(key: string, manifest: Partial<Manifest>): Manifest {
  const problem = version2Problem(manifest);
  if (problem !== undefined) throw notOurs(key, problem);
  const stateful = (manifest.stateful ?? []).map(({ id, kind }) => ({ id, kind }));
  return {
    ...(manifest as Manifest),
    manifestVersion: wholeStatesVersion,
    stateful,
    retiring: [],
    keyExamples: {},
  };
}
