/**
 * What the host of a topology and its worker thread say to each other. Everything is structured-clonable.
 */
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Graph, JobStatus } from '../../topology/index.ts';
import type { EmbeddedStreamHandle } from './embedded-log.ts';
import type { GraphCall, GraphReply } from './graph-link.ts';

export interface WorkerInput {
  /** `check` loads, validates and looks whether the last checkpoint fits, and leaves; `run` runs. */
  readonly task: 'check' | 'run';
  readonly script: string;
  readonly file: string;
  readonly dir: string;
  /** By `team/app`: the embedded stream of each path. */
  readonly streams: Readonly<Record<string, readonly EmbeddedStreamHandle[]>>;
  /** What the configuration binds connectors of look-ups to, by name. */
  readonly lookups: SluiceConfig['lookups'];
  readonly checkpointIntervalMs: number;
  readonly parquetFileMaxAgeMs: number;
  readonly dropState: boolean;
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
  | { readonly kind: 'status'; readonly id: number; readonly status: JobStatus }
  | { readonly kind: 'graph'; readonly id: number; readonly call: GraphCall }
  /** The end of a drained run, before `stopped`. */
  | { readonly kind: 'drained'; readonly status: JobStatus }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly fault: WorkerFault };
