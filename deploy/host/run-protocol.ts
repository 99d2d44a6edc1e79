/**
 * What a topology and the thread that writes the runs of its state say to each other.
 *
 * Invariants:
 * 1. Each `write` and `merge` is answered once, with `done` or `failed`.
 * 2. The memory of chunks and of files that were made is handed over, not copied.
 */
import type { EntryChunk } from '../../topology/checkpoint/runs/entry-chunks.ts';
import type { MadeFile } from '../../topology/checkpoint/runs/file-builder.ts';
import type { MergeRules } from '../../topology/checkpoint/runs/merge-runs.ts';
import type { Run, RunFile } from '../../topology/checkpoint/runs/run-refs.ts';
import type { WorkerFault } from './worker-protocol.ts';

export type ToRunWorker =
  | { readonly kind: 'add'; readonly chunks: readonly EntryChunk[] }
  | { readonly kind: 'write'; readonly call: number; readonly prefix: string }
  | {
      readonly kind: 'merge';
      readonly call: number;
      readonly prefix: string;
      readonly runs: readonly Run[];
      readonly rules: MergeRules;
    }
  /** To a `get` or `put`; without bytes where none were asked for, or none came. */
  | {
      readonly kind: 'answer';
      readonly ask: number;
      readonly outcome: Uint8Array | 'stored' | 'failed';
    };

export type FromRunWorker =
  | { readonly kind: 'get'; readonly call: number; readonly ask: number; readonly name: string }
  | { readonly kind: 'put'; readonly call: number; readonly ask: number; readonly made: MadeFile }
  | { readonly kind: 'done'; readonly call: number; readonly files: readonly RunFile[] }
  | { readonly kind: 'failed'; readonly call: number; readonly fault: WorkerFault };
