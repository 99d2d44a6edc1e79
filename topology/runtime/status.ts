/**
 * What a running job tells about itself: JSON-safe, for `sluice status` and the example's checks.
 */
import type { Path } from '../../schemas/ports/record.ts';
import type { NodeCounts } from '../operators/operator.ts';

export interface SplitStatus {
  readonly source: string;
  readonly stream: string;
  readonly path: Path;
  readonly split: string;
  readonly position: string | null;
  /** Records that are in the stream and not in the state; null where the stream cannot tell. */
  readonly lag: number | null;
  /** Epoch ms; the watermark that this split alone would allow, where an eventTime is downstream. */
  readonly watermark: number | 'min' | 'max' | null;
  readonly idle: boolean;
}

export interface NodeStatus extends NodeCounts {
  readonly id: string;
  readonly kind: string;
}

export interface JobStatus {
  readonly name: string;
  readonly version: number;
  readonly attempt: number;
  readonly turns: number;
  readonly checkpoint: { readonly id: number; readonly completedAtMs: number } | null;
  readonly splits: readonly SplitStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly rejected: number;
  /** Rows that sinks took and no completed checkpoint made visible yet. */
  readonly uncommittedRows: number;
}
