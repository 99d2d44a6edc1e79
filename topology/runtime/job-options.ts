/**
 * The inputs of a job: its topology, the store of its checkpoints, and its ports to the world.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { ReadBounds, RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { CheckpointNews } from '../checkpoint/health.ts';
import type { IsolationNews, RunFailure } from '../checkpoint/isolation.ts';
import type { StateWriter } from '../checkpoint/sorted-runs/state-writer.ts';
import type { Sink } from '../nodes/sink.ts';
import type { LookupFunction } from '../operators/lookup/bounded-calls.ts';
import type { LookupFile } from '../operators/lookup/node.ts';
import type { SinkDefinitionData, SinkNode } from '../operators/sink/node.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import type { StateRoom } from '../state/records.ts';
import type { Freezes } from './frozen-values.ts';
import type { LossNews } from './job-losses.ts';
import type { KeyedWorkers } from './parallel/keyed-workers.ts';
import type { SharedCalls } from './shared-calls.ts';
import type { SplitNews } from './split-watch.ts';
import type { StartFrom } from './start-from.ts';
import type { StateNews } from './state-tables.ts';

/** How a job reaches the world: bound by name where it is started. */
export interface JobConnectors {
  /**
   * One reader per route of the stream `team/app`, for this run alone; throws `SluiceError`
   * `stream-missing`.
   */
  readers(stream: string, plan: Plan, run: RunId): Promise<readonly RecordReader[]>;
  sink(node: SinkNode, plan: Plan, run: RunId): Sink;
  /**
   * Why what is there cannot take a sink's rows, in words: read before a job takes over, and
   * nothing is written. `was`: what the checkpoint says of the sink that wrote to the same place.
   */
  readonly misfits?: (
    node: SinkNode,
    plan: Plan,
    was: SinkDefinitionData | undefined,
  ) => Promise<readonly string[]>;
  /** Where the data of claim checks lies; without it they are refused. */
  readonly claims?: BlobStore;
  /**
   * All rows of a look-up's file; throws `SluiceError` `lookup-table-missing`,
   * `lookup-table-invalid`.
   */
  table(lookup: LookupFile): Promise<readonly unknown[]>;
  /** Throws `SluiceError` `connector-missing`. */
  lookup(name: string): LookupFunction;
  /** The rejected table of this topology. */
  rejected(plan: Plan, run: RunId): Sink;
}

/**
 * What happens to a job that a person should read at once: told once per change, never per turn.
 * Structured-clonable.
 */
export type JobNews = CheckpointNews | IsolationNews | SplitNews | LossNews | StateNews;

export interface JobOptions extends StateRoom {
  readonly topology: Topology;
  readonly blobs: BlobStore;
  readonly connectors: JobConnectors;
  readonly clock: Clock;
  readonly random: Random;
  readonly checkpointIntervalMs: number;
  /**
   * Ids of nodes whose state is dropped, `id#part` for an aggregate or a declared state; what the
   * checkpoint does not have is not an error.
   */
  readonly dropState?: readonly string[];
  /** Goes back to this savepoint of it, in place of the last checkpoint. */
  readonly savepoint?: string | undefined;
  /**
   * Restores the last checkpoint that a run completed, past what runs left that completed none:
   * their build was given up.
   */
  readonly goBack?: boolean;
  /** Takes over as an attempt far later than the next (checkpoint/store.ts). */
  readonly leap?: boolean;
  /**
   * Where splits begin that no checkpoint knows, and those whose position is no longer kept.
   * Default: the oldest record; those hold.
   */
  readonly from?: StartFrom | undefined;
  readonly turnBounds?: ReadBounds;
  /** What makes the files of the state. Default: it is done between turns. */
  readonly stateWriter?: () => StateWriter;
  /**
   * Gives the workers that run the keyed nodes of a topology. Default: they run where the others
   * do.
   */
  readonly keyedWorkers?: ((topology: Topology) => KeyedWorkers) | undefined;
  readonly tell?: (news: JobNews) => void;
  /** Default 'shared'. */
  readonly freezes?: Freezes;
  /** What whoever can end this thread sees of it. */
  readonly calls?: SharedCalls;
  /** How the run before ended, where it could not keep that itself. */
  readonly failure?: RunFailure;
}
