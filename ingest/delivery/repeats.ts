/**
 * Identities that were met lately, so that an event that is sent again is answered with what became of it the first time.
 *
 * Invariants:
 * 1. Of one identity at most one event is on its way; a repeat that comes meanwhile waits for its outcome.
 * 2. Only what was accepted is remembered: what was refused, or is unknown, is tried anew when it comes again.
 * 3. Bounded: two generations of at most `limits.repeatsMax` identities. One that was settled is remembered for at least `windowMs`, and
 *    at most twice that, unless more than so many came in the meantime. What is under way is never let go.
 */
import { limits } from '../../schemas/limits.ts';
import type { Delivered } from './delivered.ts';

type Waiter = (delivered: Delivered, repeated: boolean) => void;

export interface Repeats {
  /**
   * True: the identity is new, the caller delivers the event and then calls `settled`. False: `waiter` was, or will be, called with what
   * became of the first.
   */
  meet(identity: string, waiter: Waiter): boolean;
  /** What became of the event that `meet` said true for. */
  settled(identity: string, delivered: Delivered): void;
  /** Identities that are remembered or under way. */
  readonly size: number;
}

export function createRepeats(options: { readonly windowMs: number; readonly now: () => number }): Repeats {
  const { windowMs, now } = options;
  const underWay = new Map<string, Waiter[] | undefined>();
  let young = new Map<string, Delivered>();
  let old = new Map<string, Delivered>();
  let turnedAtMs = now();

  const turn = (): void => {
    const passedMs = now() - turnedAtMs;
    if (passedMs < windowMs && young.size < limits.repeatsMax) return;
    // After two quiet windows the young ones are too old as well.
    old = passedMs < 2 * windowMs ? young : new Map();
    young = new Map();
    turnedAtMs = now();
  };

  return {
    meet(identity, waiter) {
      turn();
      const known = young.get(identity) ?? old.get(identity);
      if (known !== undefined) {
        waiter(known, true);
        return false;
      }
      if (!underWay.has(identity)) {
        underWay.set(identity, undefined);
        return true;
      }
      const waiting = underWay.get(identity);
      if (waiting === undefined) underWay.set(identity, [waiter]);
      else waiting.push(waiter);
      return false;
    },
    settled(identity, delivered) {
      const waiting = underWay.get(identity);
      underWay.delete(identity);
      if (delivered.kind !== 'not-delivered' && windowMs > 0) {
        turn();
        young.set(identity, delivered);
      }
      if (waiting !== undefined) for (const waiter of waiting) waiter(delivered, delivered.kind !== 'not-delivered');
    },
    get size() {
      return underWay.size + young.size + old.size;
    },
  };
}
