/**
 * Requests that come together on one connection of the strict front: each is handed on when the one
 * before it has its answer.
 *
 * Node's parser gives all of them at once. Handed on at once, a single packet would open a thousand
 * connections behind, they would overtake each other, and one behind an answer that ends the
 * connection would be run although nobody hears of it.
 *
 * Invariants:
 * 1. At most one turn of a connection is in flight; those that wait are bounded by
 *    `httpPipelinedMax`.
 * 2. Once the connection ends, or is to end with an answer, nothing that waits is run.
 * 3. What is said of bytes that are no request comes behind the answers to the requests before
 *    them.
 */
import type { Duplex } from 'node:stream';
import { afterThisRound } from '../../schemas/kernel/clock.ts';

/**
 * Requests that wait on one connection of the strict front behind the one that is being answered.
 */
export const httpPipelinedMax = 1_000;

export interface Turn {
  /** Whether its request arrived whole. */
  isComplete(): boolean;
  /** Whether its answer has begun. */
  isAnswered(): boolean;
  /** Calls `done` when the answer is written. */
  start(done: () => void): void;
}

export interface Turns {
  /** False when too many wait already. */
  take(turn: Turn): boolean;
  /** Nothing behind can be read: `refuse` answers that in its turn, and ends the connection. */
  fail(refuse: () => void): void;
}

export function createTurns(socket: Duplex): Turns {
  const waiting: Turn[] = [];
  let current: Turn | undefined;
  let refusal: (() => void) | undefined;
  const next = (): void => {
    current = undefined;
    if (!socket.writable) return void waiting.splice(0);
    const turn = waiting.shift();
    // The rest of a request that is not whole never comes.
    if (refusal !== undefined && turn?.isComplete() !== true) return refusal();
    if (turn !== undefined) start(turn);
    // Reading the body of a request lets in what is after it.
    if (waiting.length > 0) afterThisRound(() => waiting.length > 0 && socket.pause());
    else socket.resume();
  };
  const start = (turn: Turn): void => {
    current = turn;
    turn.start(next);
  };
  return {
    take(turn) {
      if (current === undefined) {
        start(turn);
        return true;
      }
      socket.pause();
      return waiting.length < httpPipelinedMax && waiting.push(turn) > 0;
    },
    fail(refuse) {
      refusal = refuse;
      if (current === undefined) refuse();
      else if (current.isComplete()) return;
      else if (current.isAnswered()) socket.destroy();
      else refuse();
    },
  };
}
