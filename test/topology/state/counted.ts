/**
 * Counts what an operation does, where its time would say more of the machine than of the
 * operation.
 */
import { vi } from 'vitest';

/** A time that counts how often it is compared. */
export function countedTime(at: number, count: { compared: number }): number {
  return {
    valueOf(): number {
      count.compared++;
      return at;
    },
  } as unknown as number;
}

/** How many entries `work` moves within arrays. */
export async function movedByAsync(work: () => Promise<void>): Promise<number> {
  const moves = countMoves();
  try {
    await work();
  } finally {
    moves.stop();
  }
  return moves.moved();
}

function countMoves(): { readonly moved: () => number; readonly stop: () => void } {
  let moved = 0;
  const splice = Array.prototype.splice;
  const counted = vi.spyOn(Array.prototype, 'splice').mockImplementation(function (
    this: unknown[],
    ...args: readonly unknown[]
  ) {
    const [start, removed = this.length - (start as number), ...added] = args as readonly number[];
    // What is behind the place moves, unless as many come as go; what is taken out is copied.
    if (added.length !== removed) moved += this.length - (start as number) - (removed as number);
    moved += removed as number;
    return splice.apply(this, args as never);
  });
  return { moved: () => moved, stop: () => counted.mockRestore() };
}
