/**
 * A batch that a stream refuses for what is in it is refused whole, for one record's sake: it goes
 * again in halves, until each record at fault is refused alone.
 *
 * Invariants:
 * 1. Halves go one after the other, in order: a key's records keep theirs.
 * 2. Only what the stream refused permanently is sent again, and that it refused all of it: nothing
 *    of it is in the stream.
 * 3. What goes behind something that failed, and may go again, is not sent: it would overtake it.
 * 4. Of n records k at fault cost at most about 2k(log2(n/k) + 1) requests; all of them 2n - 1.
 */
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import { isDecided, isForGood } from '../../schemas/ports/record-writer.ts';

type Send<T> = (records: readonly T[]) => Promise<readonly WriteOutcome[]>;

/** What `send` says of `records`, and of their halves where it refused them as a whole. */
export async function sendInHalves<T>(
  records: readonly T[],
  send: Send<T>,
): Promise<readonly WriteOutcome[]> {
  const outcomes = await send(records);
  if (records.length < 2 || !isRefusedWhole(outcomes)) return outcomes;
  const middle = Math.ceil(records.length / 2);
  return inTurn([records.slice(0, middle), records.slice(middle)], (half) =>
    sendInHalves(half, send),
  );
}

/**
 * What `send` says of each part, one after the other; behind a part that may have to go again
 * nothing is sent.
 */
export async function inTurn<T>(
  parts: readonly (readonly T[])[],
  send: Send<T>,
): Promise<readonly WriteOutcome[]> {
  const outcomes: WriteOutcome[] = [];
  let isOpen = true;
  for (const part of parts) {
    const own: readonly WriteOutcome[] = isOpen ? await send(part) : part.map(() => keptBack);
    isOpen &&= own.every(isDecided);
    outcomes.push(...own);
  }
  return outcomes;
}

const keptBack: WriteOutcome = {
  kind: 'refused',
  code: 'order-kept',
  message: 'what goes before it was not written',
  retryable: true,
};

/** One outcome for all, which is about the data: none of them will be taken like this. */
function isRefusedWhole(outcomes: readonly WriteOutcome[]): boolean {
  const [first] = outcomes;
  return first !== undefined && isForGood(first) && outcomes.every((outcome) => outcome === first);
}
