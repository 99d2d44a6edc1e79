/**
 * Where rows are delivered as JSON lines, by somebody who makes files of them later.
 *
 * Invariants:
 * 1. Whatever the world does is an outcome: nothing here rejects.
 * 2. What says nothing certain (a lost answer, a time-out) is `unknown`: sent again, it may be
 *    there twice.
 */
import type { SluiceError } from '../kernel/errors.ts';

export type DeliveryOutcome =
  | { readonly kind: 'done' }
  /**
   * The places of the records that were not taken, and why. `throttled` is not a failure: it says
   * when, not whether. `error` is for a caller that no longer tries.
   */
  | {
      readonly kind: 'again';
      readonly places: readonly number[];
      readonly why: 'throttled' | 'failed' | 'unknown';
      readonly error: SluiceError;
    }
  | { readonly kind: 'refused'; readonly error: SluiceError };

export interface DeliveryStream {
  /** One try of one call. */
  put(records: readonly Uint8Array[]): Promise<DeliveryOutcome>;
  /** Whether it is there and may be seen: one try. */
  describe(): Promise<DeliveryOutcome>;
  close(): void;
}
