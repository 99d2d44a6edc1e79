/**
 * A batch that a stream refuses for what is in it is refused whole, for one record's sake: it goes again in halves, until each record at fault is
 * refused alone.
 *
 * Invariants:
 * 1. Halves go one after the other, in order: a key's records keep theirs.
 * 2. Only what the stream refused for good is sent again, and that it refused all of it: nothing of it is in the stream.
 * 3. Of n records k at fault cost at most about 2k(log2(n/k) + 1) requests; all of them 2n - 1.
 */
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';

type Send<T> = (records: readonly T[]) => Promise<readonly WriteOutcome[]>;

/** What `send` says of `records`, and of their halves where it refused them as a whole. */
export async function sendInHalves<T>(records: readonly T[], send: Send<T>): Promise<readonly WriteOutcome[]> {
  const outcomes = await send(records);
  if (records.length < 2 || !isRefusedWhole(outcomes)) return outcomes;
  const middle = Math.ceil(records.length / 2);
  const first = await sendInHalves(records.slice(0, middle), send);
  return [...first, ...(await sendInHalves(records.slice(middle), send))];
}

/** One outcome for all, which is about the data: none of them will be taken like this. */
function isRefusedWhole(outcomes: readonly WriteOutcome[]): boolean {
  const [first] = outcomes;
  return first !== undefined && isForGood(first) && outcomes.every((outcome) => outcome === first);
}

export function isForGood(outcome: WriteOutcome): boolean {
  return outcome.kind === 'refused' && !outcome.retryable;
}
