/**
 * What `sluice start` keeps in its folder: the streams, the lake, checkpoints, claims, the graph.
 *
 * Invariant: each folder is held by this process alone from before it is used until the streams and
 * the graph in it are closed.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { sweepClaims } from '../../ingest/delivery/claim-check.ts';
import type { SluiceConfig, StreamConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { lockFolder } from '../../schemas/kernel/folder-lock.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { DropState, Savepoints } from '../../topology/index.ts';
import { resolveDropState, resolveSavepoint } from '../../topology/index.ts';
import {
  buildDir,
  checkpointsDir,
  claimsDir,
  graphCopiesDir,
  graphFile,
  graphStagingDir,
  lakeDir,
  logDir,
} from '../host/layout.ts';
import type { StopSteps } from '../host/stop-steps.ts';
import { localBlobStore } from '../stores/local/local-blob-store.ts';
import type { EmbeddedStreams } from '../streams/embedded/embedded-log.ts';
import { openEmbeddedStreams } from '../streams/embedded/embedded-log.ts';
import type { GraphOwner } from './graph-owner.ts';
import { graphOwner } from './graph-owner.ts';

export interface LocalDataOptions {
  readonly config: SluiceConfig;
  readonly clock: Clock;
  /** What `--drop-state` names; an empty list is refused with what there is. */
  readonly dropState?: readonly string[];
  /** What topologies go back to: a name, or `<topology>/<name>`. */
  readonly savepoint?: string | undefined;
}

/** What an instance keeps, and holds alone. */
export interface LocalData {
  /** The streams of the configuration, and Sluice's own. */
  readonly bound: readonly StreamConfig[];
  readonly streams: EmbeddedStreams;
  readonly graph: GraphOwner;
  readonly claims: BlobStore;
  readonly dropState: DropState;
  readonly savepoints: Savepoints;
}

export async function openLocalData(
  { config, clock, dropState, savepoint }: LocalDataOptions,
  dir: string,
  stops: StopSteps,
): Promise<LocalData> {
  // Scripts of earlier runs: each is named by its content, so they would only pile up.
  rmSync(buildDir(dir), { recursive: true, force: true });
  for (const folder of [lakeDir(dir), checkpointsDir(dir), claimsDir(dir), graphStagingDir(dir)])
    stops.add('data', await own(folder));
  const blobs = localBlobStore(dir);
  const savepoints = savepoint === undefined ? {} : await resolveSavepoint(blobs, savepoint);
  const dropped =
    dropState === undefined ? {} : await resolveDropState(blobs, dropState, savepoints);
  const bound = [...config.streams, ledgerStream];
  const { local } = config;
  const streams = await openEmbeddedStreams({ root: logDir(dir), streams: bound, local, clock });
  stops.add('data', () => streams.close());
  const graph = graphOwner({ path: graphFile(dir), copies: graphCopiesDir(dir), clock });
  stops.add('data', () => graph.close());
  const claims = localBlobStore(claimsDir(dir));
  return { bound, streams, graph, claims, dropState: dropped, savepoints };
}

/**
 * Keeps a folder to this process wherever a link leads: one instance's folder may be another's,
 * too. Streams, spools and the graph do so themselves.
 */
async function own(folder: string): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true });
  const lock = await lockFolder(folder);
  return async () => lock.release();
}

const sweepEveryMs = 3_600_000;

/** Releases claims when the records that point to them are gone, now and every hour. */
export function keepClaimsSwept(
  claims: BlobStore,
  retentionMs: number,
  clock: Clock,
): () => Promise<void> {
  let timer: Timer;
  let sweeping: Promise<unknown> = Promise.resolve();
  const sweep = (): void => {
    // What cannot be deleted now is met again.
    sweeping = sweepClaims(claims, clock.now(), retentionMs).catch(() => undefined);
    timer = clock.setTimer(sweepEveryMs, sweep);
  };
  sweep();
  return async () => {
    timer.cancel();
    await sweeping;
  };
}
