/**
 * What a topology and the thread that writes the runs of its state say to each other.
 *
 * Invariants:
 * 1. Each `write` and `merge` is answered once, with `done` or `failed`; each `deflate` with
 *    `deflated`.
 * 2. The memory of chunks, of blocks and of files that were made is handed over, not copied.
 */
import type { EntryChunk } from '../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type { MadeFile } from '../../topology/checkpoint/sorted-runs/file-builder.ts';
import type { MergeRules } from '../../topology/checkpoint/sorted-runs/merge-runs.ts';
import type { SortedRun, StateFile } from '../../topology/checkpoint/sorted-runs/sorted-run.ts';
import type { BlockRow } from '../../topology/state/deflate-blocks.ts';
import type { WorkerFault } from './worker-protocol.ts';

export type ToStateWorker =
  | { readonly kind: 'add'; readonly chunks: readonly EntryChunk[] }
  | { readonly kind: 'write'; readonly call: number; readonly prefix: string }
  | {
      readonly kind: 'merge';
      readonly call: number;
      readonly prefix: string;
      readonly runs: readonly SortedRun[];
      readonly rules: MergeRules;
    }
  | { readonly kind: 'deflate'; readonly call: number; readonly blocks: BlockRow }
  /** To a `get` or `put`; without bytes where none were asked for, or none came. */
  | {
      readonly kind: 'answer';
      readonly ask: number;
      readonly outcome: Uint8Array | 'stored' | 'failed';
    };

export type FromStateWorker =
  | { readonly kind: 'get'; readonly call: number; readonly ask: number; readonly name: string }
  | { readonly kind: 'put'; readonly call: number; readonly ask: number; readonly made: MadeFile }
  | { readonly kind: 'done'; readonly call: number; readonly files: readonly StateFile[] }
  | { readonly kind: 'deflated'; readonly call: number; readonly blocks: BlockRow }
  | { readonly kind: 'failed'; readonly call: number; readonly fault: WorkerFault };
