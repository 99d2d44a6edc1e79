/**
 * Where the ingress puts records. One contract suite (test/contract/record-writer.ts) runs against
 * every adapter.
 *
 * Invariants:
 * 1. `applied` is said only once the stream holds the record durably.
 * 2. Outcomes have the length and order of the records.
 * 3. `unknown` means that the record may or may not be in the stream; only the caller can decide to
 *    write it again.
 */
import type { RefusedCode } from '../kernel/error-codes.ts';
import type { OutgoingRecord, RecordPlace, Route } from './record.ts';

export type WriteOutcome =
  | ({ readonly kind: 'applied' } & RecordPlace)
  | {
      readonly kind: 'refused';
      readonly code: RefusedCode;
      readonly message: string;
      readonly retryable: boolean;
    }
  | { readonly kind: 'unknown'; readonly code: RefusedCode; readonly message: string };

/** It is in the stream, or never will be. */
export function isDecided(outcome: WriteOutcome): boolean {
  return outcome.kind === 'applied' || isForGood(outcome);
}

export function isForGood(outcome: WriteOutcome): boolean {
  return outcome.kind === 'refused' && !outcome.retryable;
}

export interface StreamDescription {
  /** The largest value that the stream takes, in bytes (headers and key counted by the writer). */
  readonly recordMaxBytes: number;
  readonly splits: readonly string[];
  /** What is not as it should be with a stream that is written to all the same, as sentences. */
  readonly warnings?: readonly string[];
}

export interface RecordWriter {
  readonly route: Route;
  /**
   * The stream's real limits. Throws `SluiceError` `stream-missing`, `stream-denied`,
   * `stream-unreachable` or `topic-compacted`.
   */
  describe(stream: string): Promise<StreamDescription>;
  /**
   * Writes all of `records` to one stream. Rejects only on a defect; whatever the world does is an
   * outcome.
   */
  write(stream: string, records: readonly OutgoingRecord[]): Promise<readonly WriteOutcome[]>;
  /** Waits for what is in flight, then lets go. Writes after it are refused. */
  close(): Promise<void>;
}
