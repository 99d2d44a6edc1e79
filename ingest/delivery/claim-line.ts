/**
 * In a stream with order: events of a key whose data is on its way into the blob store, and those
 * that came after them. Without it what is small would reach the stream first.
 *
 * Invariants:
 * 1. Of one key events continue in the order in which they came.
 * 2. Events that wait behind data that was not stored, and must be sent again, are refused as well:
 *    nothing overtakes it.
 * 3. A key with nothing waiting uses no memory.
 */
import type { Refusal } from '../event/refusal.ts';

export interface ClaimLine {
  /**
   * True: data of `key` is on its way. `goOn` is called once, when that has ended, with why the
   * event cannot continue or undefined.
   */
  waits(key: string, goOn: (refusal: Refusal | undefined) => void): boolean;
  /** Data of `key` is on its way from now on. It did not have to wait. */
  begin(key: string): void;
  /** The data is stored and its record was handed on, or it was refused. */
  end(key: string, refusal: Refusal | undefined): void;
}

export function createClaimLine(): ClaimLine {
  const lines = new Map<string, ((refusal: Refusal | undefined) => void)[]>();
  return {
    waits(key, goOn) {
      const line = lines.get(key);
      line?.push(goOn);
      return line !== undefined;
    },
    begin: (key) => void lines.set(key, []),
    end(key, refusal) {
      const line = lines.get(key) ?? [];
      // One that continues may begin again: those after it find that, and wait for it in their
      // turn.
      lines.delete(key);
      const behind = refusal?.status === 503 ? behindOf(refusal) : undefined;
      for (const goOn of line) goOn(behind);
    },
  };
}

function behindOf({ message, expected }: Refusal): Refusal {
  const kept = `an earlier event of the same key was not written: ${message}`;
  return {
    status: 503,
    code: 'order-kept',
    message: kept,
    ...(expected === undefined ? {} : { expected }),
  };
}
