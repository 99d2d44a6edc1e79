/**
 * Makes visible what a topology has staged that nobody runs any more: it was renamed, or taken out
 * of the configuration. Its state stays as it is, for when it comes back.
 *
 * Invariants:
 * 1. It is a run like any other, without sources and operators: it takes over, stages all, creates
 *    a manifest, commits. A crash anywhere leaves what the next one resumes from.
 * 2. Only a manifest that was created after the commit says `settled`.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { newRun } from '../../schemas/run-id.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { encodeManifest, lineageOf, rejectedSinkId } from '../checkpoint/manifest.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import type { Sink, SinkState } from '../nodes/sink.ts';
import type { SinkDefinitionData } from '../operators/sink/node.ts';
import type { Plan } from '../plan/plan.ts';
import { irVersion } from '../plan/plan.ts';
import type { JobConnectors } from './job-options.ts';

export interface SettleOptions {
  readonly topology: string;
  readonly blobs: BlobStore;
  readonly connectors: Pick<JobConnectors, 'sink' | 'rejected'>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Staged {
  readonly id: string;
  readonly sink: Sink;
  readonly state: SinkState;
}

/**
 * Resolves with the rows that were not visible before. Throws `SluiceError` `fenced` when the
 * topology runs after all, and what its sinks throw.
 */
export async function settleStaged({
  topology,
  blobs,
  connectors,
  clock,
  random,
}: SettleOptions): Promise<number> {
  const store = checkpointStore(blobs, topology);
  const latest = await store.latest();
  if (latest === undefined || latest.settled === true) return 0;
  const fence = await store.takeOver(random, (attempt, checkpoint, previous) => ({
    ...(previous ?? latest),
    attempt,
    checkpoint,
    createdAtMs: clock.now(),
  }));
  const staged = sinksOf(fence, newRun(fence.attempt, lineageOf(fence), random), connectors);
  let manifest: Manifest = fence;
  const create = async (next: Partial<Manifest>): Promise<void> => {
    const { fence: _, ...before } = manifest;
    manifest = {
      ...before,
      ...next,
      checkpoint: manifest.checkpoint + 1,
      createdAtMs: clock.now(),
    };
    await store.create(manifest, encodeManifest(manifest));
  };
  try {
    for (const { sink, state } of staged) await sink.open(state);
    const rows = staged.reduce((sum, { sink }) => sum + sink.pendingRows(), 0);
    const number = manifest.checkpoint + 1;
    const states = await Promise.all(
      staged.map(async ({ id, sink }) => [id, await sink.prepare(number, true)] as const),
    );
    const own = new Set(Object.keys(fence.sinks));
    const stateOf = new Map(states);
    const retiring = fence.retiring.map((left) => ({
      ...left,
      state: stateOf.get(retiringKey(left.id)) ?? left.state,
    }));
    await create({
      sinks: { ...fence.sinks, ...Object.fromEntries(states.filter(([id]) => own.has(id))) },
      retiring,
    });
    for (const { sink } of staged) await sink.commit(number);
    await create({ settled: true });
    return rows;
  } finally {
    for (const { sink } of staged) await sink.close();
  }
}

/** A sink that retires may have the id of another one. */
const retiringKey = (id: string): string => `retiring ${id}`;

function sinksOf(
  { topology, version, stateful, sinks, retiring }: Manifest,
  run: RunId,
  connectors: SettleOptions['connectors'],
): readonly Staged[] {
  // What is staged lies where its rows said: nobody's rows come any more.
  const plan: Plan = {
    irVersion,
    name: topology,
    version,
    owner: { team: '', app: '' },
    nodes: [],
  };
  const sinkOf = (id: string, sink: SinkDefinitionData): Sink =>
    connectors.sink({ id, kind: 'sink', inputs: [], outputs: [], sink }, plan, run);
  const own = stateful.flatMap(({ id, definition }): readonly Staged[] =>
    definition?.sink === undefined || !(id in sinks)
      ? []
      : [{ id, sink: sinkOf(id, definition.sink), state: sinks[id] }],
  );
  const left = retiring.map(({ id, sink, state }) => ({
    id: retiringKey(id),
    sink: sinkOf(id, sink),
    state,
  }));
  const rejected = {
    id: rejectedSinkId,
    sink: connectors.rejected(plan, run),
    state: sinks[rejectedSinkId],
  };
  return [...left, ...own, rejected];
}
