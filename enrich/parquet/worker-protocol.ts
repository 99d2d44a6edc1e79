/**
 * What a table sink and its worker thread say to each other. Every request has one reply, in order.
 */

import type { Cell, Column } from '../../schemas/columns.ts';
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import type { LakeStore } from '../../schemas/ports/lake-files.ts';
import type { RunId } from '../../schemas/run-id.ts';

export interface StagedFile {
  /** Paths relative to the lake. */
  readonly staged: string;
  readonly target: string;
  /** Those that are not visible yet: without what was at the target before. */
  readonly rows: number;
}

/** A published file to which later rows of its partition may come. */
export interface GrowingFile {
  readonly partition: string;
  readonly target: string;
  readonly rows: number;
  readonly bytes: number;
  /** Epoch ms of its first publication. */
  readonly sinceMs: number;
}

export interface GrowingState {
  /** A digest of the columns that the files have. */
  readonly shape: string;
  readonly files: readonly GrowingFile[];
}

/** Rows that stay open across checkpoints, in a file whose first `bytes` bytes hold them. */
export interface RowLog {
  readonly file: string;
  readonly bytes: number;
  readonly rows: number;
  /** Epoch ms of the first row's arrival. */
  readonly since: number;
}

/** What a checkpoint keeps of a table sink. */
export interface TableState {
  readonly staged: readonly StagedFile[];
  readonly log: RowLog | null;
  /** Absent where no file grows, and in checkpoints of earlier versions. */
  readonly growing?: GrowingState;
  /** Of a table by key: the order of its last row. */
  readonly order?: number;
}

export interface ParquetWorkerInput {
  readonly lake: LakeStore;
  readonly table: string;
  readonly topology: string;
  readonly run: RunId;
  readonly columns: readonly Column[];
  /** Open rows are made into files at this size, also between checkpoints. */
  readonly fileMaxBytes: number;
  /** The oldest partitions are made into files once more than these are open. */
  readonly partitionsMax: number;
}

export interface StageRequest {
  readonly kind: 'stage';
  readonly checkpoint: number;
  /** Whether all open rows become files now. */
  readonly roll: boolean;
  /** Epoch ms: when the first open row arrived, and now. */
  readonly since: number;
  readonly now: number;
}

export type ParquetRequest =
  | { readonly kind: 'open'; readonly state: TableState | null }
  /** `cells[c][r]`; `partitions[r]` is the row's folder. */
  | {
      readonly kind: 'rows';
      readonly partitions: readonly string[];
      readonly cells: readonly (readonly Cell[])[];
    }
  | StageRequest
  | { readonly kind: 'publish'; readonly files: readonly StagedFile[] };

export interface ParquetAnswer {
  readonly ok: true;
  readonly state?: TableState;
  /** Partitions that became files because too many were open. */
  readonly early?: number;
}

export type ParquetReply =
  | ParquetAnswer
  | {
      readonly ok: false;
      readonly code: OperationalCode;
      readonly message: string;
      readonly fix: string | undefined;
    };
