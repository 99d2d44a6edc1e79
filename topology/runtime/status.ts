/**
 * What a running job tells about itself: JSON-safe, for `sluice status` and the example's checks.
 */
import type { Path } from '../../schemas/ports/record.ts';
import { EventTimeOperator } from '../operators/event-time.ts';
import type { NodeCounts } from '../operators/operator.ts';
import { encodeTime } from '../time/watermark.ts';
import type { Dag } from './dag.ts';
import type { Cursor } from './source.ts';

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
  /** Whether it was drained: it has given out everything and takes no more. */
  readonly drained: boolean;
}

/** How far a split is, and what its watermark would be on its own. */
export async function splitStatus(cursor: Cursor, dag: Dag): Promise<SplitStatus> {
  const lag = await cursor.reader.lag(cursor.split, cursor.position);
  let watermark: SplitStatus['watermark'] = null;
  let idle = false;
  for (const { operator } of dag.stages) {
    if (!(operator instanceof EventTimeOperator)) continue;
    const time = operator.watermarks.splits.get(cursor.key);
    if (time === undefined) continue;
    watermark = encodeTime(operator.watermarks.splitWatermark(time));
    idle = time.idle;
  }
  const { id, stream } = cursor.source;
  return {
    source: id,
    stream,
    path: cursor.path,
    split: cursor.split,
    position: cursor.position ?? null,
    lag: lag ?? null,
    watermark,
    idle,
  };
}
