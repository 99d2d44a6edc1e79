/**
 * A look-up, in a file's table or by a call, as data.
 */
import type { NodeBase, SchemaChoice } from '../../nodes/node.ts';

/** A table that is read whole from a file when the job starts. */
export interface LookupFile {
  readonly from: 'file';
  /** Relative to the topology's file: a JSON array or NDJSON (also .gz). */
  readonly file: string;
  /** The rows' property that is looked up. */
  readonly key: string;
  readonly schema: SchemaChoice;
  /**
   * What a change of the file does while the topology runs: it is started again from its last
   * checkpoint with the new rows, or keeps the old ones.
   */
  readonly whenChanged: 'reload' | 'keep';
}

export interface LookupCall {
  /**
   * `connector`: bound by name where the job starts. `function`: the author's own; it runs on this
   * engine only.
   */
  readonly from: 'connector' | 'function';
  readonly name: string;
  /** Answers kept; 0: none. */
  readonly cacheMaxEntries: number;
  readonly cacheTtlMs: number;
  /** Look-ups in flight. */
  readonly capacity: number;
  readonly timeoutMs: number;
  /**
   * Tries before the element is rejected, or before a holding look-up says in the status that it
   * fails.
   */
  readonly attempts: number;
  readonly order: 'ordered' | 'unordered';
  /**
   * `hold`: tries continue and nothing passes; `reject`: the element is rejected after `attempts`.
   */
  readonly whenFailing: 'hold' | 'reject';
}

export interface LookupNode extends NodeBase {
  readonly kind: 'lookup';
  readonly lookup: LookupFile | LookupCall;
}
