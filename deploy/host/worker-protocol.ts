/**
 * What the host of a topology says to its worker thread and to the process that tries a new build,
 * and what they say back. Everything is structured-clonable.
 */
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type {
  DropState,
  JobFinding,
  JobNews,
  JobStatus,
  Plan,
  RunFailure,
  SavepointInfo,
  Savepoints,
  SharedCalls,
  SkipRequest,
  StartFrom,
} from '../../topology/index.ts';
import type { LocalPlace } from '../local/local-bindings.ts';
import type { ServicesPlace } from '../services/service-bindings.ts';
import type { Place, ScriptPlace } from './author-places.ts';
import type { GraphCall, GraphReply } from './graph-link.ts';
import type { KeyedPort } from './keyed-protocol.ts';
import type { ThreadAnswer } from './thread-questions.ts';

/** What a topology is loaded from, and what it is bound to. */
export interface TrialInput {
  readonly script: string;
  readonly file: string;
  readonly place: LocalPlace | ServicesPlace;
  /** By topology, the nodes whose state is dropped. */
  readonly dropState: DropState;
  /** Whether a trial tells of what the topology is made. */
  readonly describes?: true;
}

export interface WorkerInput extends TrialInput {
  readonly checkpointIntervalMs: number;
  /**
   * Goes on from the last checkpoint that a run completed, past those that only began: the build
   * that began them was given up.
   */
  readonly goBack: boolean;
  /** How the run before ended, where it could not keep that itself. */
  readonly failure?: RunFailure | undefined;
  /** How long one call of an author's function may take. */
  readonly functionMaxMs: number;
  /** Where state rests on disk; absent: in memory. */
  readonly stateFolder?: string | undefined;
  /** Threads over which the keys of keyed nodes are divided; 1: none. */
  readonly parallelism: number;
  /** Where splits begin that cannot resume from a checkpoint. */
  readonly from?: StartFrom | undefined;
  /** By topology, the savepoint that it goes back to, once. */
  readonly savepoints?: Savepoints | undefined;
}

/** What a thread is started with: beside its input what its host sees of it. */
export interface ThreadInput extends WorkerInput {
  readonly calls: SharedCalls;
}

/** A job's status, and what happened to its connections. */
export interface RunningStatus {
  readonly job: JobStatus;
  readonly happened: Readonly<Record<string, number>>;
}

export interface WorkerFault {
  readonly code: OperationalCode;
  readonly message: string;
  readonly fix?: string | undefined;
  readonly stack?: string | undefined;
}

/** After `imported`: it may take over. `keyed`: the threads that run its keyed nodes. */
export interface Begin {
  readonly kind: 'begin';
  readonly keyed: readonly KeyedPort[];
}

export type ToWorker =
  | { readonly kind: 'stop' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'skip'; readonly id: number; readonly request: SkipRequest }
  | { readonly kind: 'savepoint'; readonly id: number; readonly name: string }
  | { readonly kind: 'status'; readonly id: number }
  | { readonly kind: 'graph'; readonly id: number; readonly reply: GraphReply };

export type FromWorker =
  /** The author's modules were evaluated; it waits for `begin`. */
  | { readonly kind: 'imported'; readonly plan: Plan }
  /**
   * `tables`: the files that look-ups read, with their stamps from before (file-stamps.ts);
   * `notes`: what is to be known of how it resumed from its checkpoint.
   */
  | {
      readonly kind: 'ready';
      readonly plan: Plan;
      readonly tables: Readonly<Record<string, string>>;
      readonly notes: readonly string[];
    }
  /** Without a status where it could not tell. */
  | { readonly kind: 'status'; readonly id: number; readonly status: RunningStatus | undefined }
  | { readonly kind: 'news'; readonly news: JobNews }
  /** What was done, in a sentence. */
  | { readonly kind: 'skipped'; readonly id: number; readonly answer: ThreadAnswer<string> }
  | { readonly kind: 'saved'; readonly id: number; readonly answer: ThreadAnswer<SavepointInfo> }
  | { readonly kind: 'graph'; readonly id: number; readonly call: GraphCall }
  /** The end of a drained run, before `stopped`. */
  | { readonly kind: 'drained'; readonly status: JobStatus }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly fault: WorkerFault };

/** Something that would keep a topology from running, or from taking over. */
export interface Finding {
  readonly kind:
    | JobFinding['kind']
    | 'compile'
    | 'types'
    | 'load'
    | 'configuration'
    | 'stale'
    | 'flink';
  readonly node: string | null;
  /** The place in the author's files; null where it is about none. */
  readonly place: Place | null;
  readonly message: string;
  readonly fix: string;
}

export interface TrialVerdict {
  /** Null when it could not be loaded. */
  readonly name: string | null;
  readonly nodes: number;
  readonly findings: readonly Finding[];
  /** What runs, and may not be what its author means. */
  readonly warnings?: readonly Finding[];
  /** Where that was asked for. */
  readonly made?: MadeOf;
}

/** Of what a topology is made. */
export interface MadeOf {
  readonly plan: Plan;
  /** Its functions, by the text that JavaScript has of them. */
  readonly slots: readonly {
    readonly node: string;
    readonly slot: string;
    readonly text: string;
  }[];
  /** Where its nodes are made, in the script and by its author. */
  readonly places: readonly {
    readonly node: string;
    readonly at: ScriptPlace | undefined;
    readonly place: Place | null;
  }[];
}

export type FromTrial =
  | { readonly kind: 'started' }
  | { readonly kind: 'imported' }
  /** The files that look-ups read, with their stamps from before. */
  | { readonly kind: 'tables'; readonly tables: Readonly<Record<string, string>> }
  /** All that would keep it from taking over. */
  | { readonly kind: 'checked'; readonly verdict: TrialVerdict }
  | { readonly kind: 'failed'; readonly fault: WorkerFault };

/** The nodes of a topology whose state is dropped. */
export function dropsOf(
  { dropState }: Pick<TrialInput, 'dropState'>,
  topology: string,
): readonly string[] {
  return Object.hasOwn(dropState, topology) ? (dropState[topology] ?? []) : [];
}

/** The savepoint that a topology goes back to. */
export function savepointOf(
  { savepoints = {} }: Pick<WorkerInput, 'savepoints'>,
  topology: string,
): string | undefined {
  return Object.hasOwn(savepoints, topology) ? savepoints[topology] : undefined;
}

export function faultOf(thrown: unknown): WorkerFault {
  if (thrown instanceof SluiceError)
    return { code: thrown.code, message: thrown.message, fix: thrown.fix };
  return {
    code: 'defect',
    message: messageOf(thrown),
    stack: thrown instanceof Error ? thrown.stack : undefined,
  };
}

export function errorOf({ code, message, fix }: WorkerFault): SluiceError {
  return new SluiceError(code, message, fix === undefined ? {} : { fix });
}

/** The fault as a person reads it. */
export function faultText({ message, fix, stack }: WorkerFault): string {
  return `${message}${fix === undefined ? '' : `\n  ${fix}`}${stack === undefined ? '' : `\n${stack}`}`;
}
