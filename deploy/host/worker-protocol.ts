/**
 * What the host of a topology and its worker thread say to each other. Everything is structured-clonable.
 */
import type { Graph, JobStatus } from '../../topology/index.ts';
import type { LocalPlace } from '../local/local-bindings.ts';
import type { ServicesPlace } from '../services/service-bindings.ts';
import type { GraphCall, GraphReply } from './graph-link.ts';

export interface WorkerInput {
  /** `check` loads, validates and looks whether the last checkpoint fits, and leaves; `run` runs. */
  readonly task: 'check' | 'run';
  readonly script: string;
  readonly file: string;
  /** What it is bound to. */
  readonly place: LocalPlace | ServicesPlace;
  readonly checkpointIntervalMs: number;
  readonly dropState: boolean;
}

/** A job's status, and what happened to its connections. */
export interface RunningStatus {
  readonly job: JobStatus;
  readonly happened: Readonly<Record<string, number>>;
}

export interface WorkerFault {
  readonly code: string;
  readonly message: string;
  readonly fix?: string | undefined;
  readonly stack?: string | undefined;
}

export type ToWorker =
  | { readonly kind: 'stop' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'status'; readonly id: number }
  | { readonly kind: 'graph'; readonly id: number; readonly reply: GraphReply };

export type FromWorker =
  | { readonly kind: 'ready'; readonly graph: Graph }
  | { readonly kind: 'status'; readonly id: number; readonly status: RunningStatus }
  | { readonly kind: 'graph'; readonly id: number; readonly call: GraphCall }
  /** The end of a drained run, before `stopped`. */
  | { readonly kind: 'drained'; readonly status: JobStatus }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly fault: WorkerFault };
