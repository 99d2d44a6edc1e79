/**
 * A topology that is kept running: what its host (topology-host.ts) is given, does and says. The
 * status is JSON-safe.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type {
  CheckpointHealth,
  JobStatus,
  SavepointInfo,
  SkipRequest,
} from '../../topology/index.ts';
import type { TopologyNames } from './topology-names.ts';
import type { WorkerFault, WorkerInput } from './worker-protocol.ts';

export interface TopologyHostOptions {
  readonly file: string;
  readonly buildDir: string;
  /** Whether it was built before (built-topology.ts). Default: it is compiled here. */
  readonly built?: boolean;
  readonly input: Omit<WorkerInput, 'script' | 'file' | 'goBack' | 'failure'>;
  /** What the topology's graph sinks write to, where its thread can not reach it by itself. */
  readonly graph?: GraphDatabase;
  /** Of all topologies of the instance. */
  readonly names: TopologyNames;
  readonly clock: Clock;
  readonly random: Random;
  /** One line for a person: what happened to the topology. */
  readonly tell: (line: string) => void;
}

/**
 * `draining`, then `drained`: it emitted everything and ended; it restarts when its file changes,
 * or with the next start. `taken-over`: another process runs it now.
 */
export type TopologyState =
  | 'starting'
  | 'running'
  | 'failed'
  | 'draining'
  | 'drained'
  | 'taken-over'
  | 'stopped';

export interface TopologyHostStatus {
  readonly file: string;
  readonly name: string | null;
  readonly state: TopologyState;
  /** The build of the file that runs, or ran last: the first digits of its hash. */
  readonly build: string | null;
  /** The last change of the file that is not used, until one is. */
  readonly refused: RefusedBuild | null;
  /** Tables of look-ups that have changed and wait for the next start. */
  readonly tablesKept: readonly string[];
  readonly error: WorkerFault | null;
  readonly restarts: number;
  /** How its checkpoints fare, through all restarts. */
  readonly checkpoints: CheckpointHealth;
  /**
   * Epoch ms since when its thread does not answer, and `job` is what it said last; null while it
   * does.
   */
  readonly silentSinceMs: number | null;
  readonly job: JobStatus | null;
  /** What happened to its connections since its worker began, by name. */
  readonly happened: Readonly<Record<string, number>>;
}

export interface SavepointRequest {
  readonly name: string;
  readonly again: boolean;
}

export interface RefusedBuild {
  /** Null when it does not compile. */
  readonly build: string | null;
  readonly why: string;
  /** Epoch ms. */
  readonly sinceMs: number;
}

export interface TopologyHost {
  /** Resolves when the topology runs, or its first try has failed. */
  start(): Promise<void>;
  status(): Promise<TopologyHostStatus>;
  /**
   * Begins to read to where the streams end now, give out everything and end. Throws `SluiceError`
   * `drain-refused`.
   */
  drain(): Promise<void>;
  /**
   * Goes past what cannot be read of a split; resolves with what was done. Throws `SluiceError`
   * `skip-refused`, `split-unknown`, `split-ambiguous`.
   */
  skip(request: SkipRequest): Promise<string>;
  /**
   * Keeps its state under a name. With `again` it waits for the one that was begun under that name,
   * or gives what became of it. Throws `SluiceError` `savepoint-name-invalid`, `savepoint-exists`,
   * `savepoint-failed`.
   */
  savepoint(request: SavepointRequest): Promise<SavepointInfo>;
  /** Takes a last checkpoint and ends the worker. */
  stop(): Promise<void>;
}
