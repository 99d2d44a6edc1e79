/**
 * Recent identities, so that a repeated event gets the outcome of the first one, and other content
 * under the same identity is a conflict.
 *
 * Invariants:
 * 1. Of one identity at most one event is on its way; what comes meanwhile waits for its outcome.
 * 2. Only accepted events are remembered: an event that was refused, or whose outcome is unknown,
 *    is tried again when it comes again, with any content.
 * 3. An event of other content is never answered as a repeat: it is a conflict with what was
 *    accepted. One that waited for an event which was not accepted conflicts with nothing, and may
 *    come again.
 * 4. What is remembered is bounded in bytes, a share for each sender (repeat-window.ts). What is on
 *    its way is bounded by the bytes that all requests may hold, and never forgotten.
 */
import type { Refusal } from '../event/refusal.ts';
import type { Delivered } from './delivered.ts';
import type { Fingerprint } from './fingerprint.ts';
import { differences } from './fingerprint.ts';
import type { RepeatWindowOptions } from './repeat-window.ts';
import { RepeatWindow } from './repeat-window.ts';

/** What became of an event: `repeated` when it is that of the first with the same content. */
type Waiter = (delivered: Delivered, repeated: boolean) => void;

export interface Repeats {
  /**
   * True: the identity is new, the caller delivers the event and then calls `settled`. False:
   * `waiter` was, or will be, called with what this one is to be answered.
   */
  meet(fingerprint: Fingerprint, waiter: Waiter): boolean;
  /** What became of the event that `meet` said true for. `sender`: whose share remembers it. */
  settled(sender: string, fingerprint: Fingerprint, delivered: Delivered): void;
  /**
   * Identities that are remembered or on their way, the bytes of those that are remembered, and how
   * many made room before their time.
   */
  readonly state: RepeatsState;
}

export interface RepeatsState {
  readonly size: number;
  readonly bytes: number;
  readonly evicted: number;
}

interface Waiting {
  readonly content: readonly number[];
  readonly waiter: Waiter;
}

export function createRepeats(options: RepeatWindowOptions): Repeats {
  /** Identities, and, for few of them, what waits for the first. */
  const underWay = new Set<string>();
  const waiting = new Map<string, Waiting[]>();
  const window = new RepeatWindow(options);

  return {
    meet(fingerprint, waiter) {
      const { identity, content } = fingerprint;
      if (underWay.has(identity)) {
        const others = waiting.get(identity);
        if (others === undefined) waiting.set(identity, [{ content, waiter }]);
        else others.push({ content, waiter });
        return false;
      }
      const known = window.find(fingerprint);
      if (known !== undefined) {
        answer({ content, waiter }, known.content, known.delivered);
        return false;
      }
      underWay.add(identity);
      return true;
    },
    settled(sender, fingerprint, delivered) {
      const { identity, content } = fingerprint;
      underWay.delete(identity);
      if (delivered.kind !== 'not-delivered' && options.windowMs > 0)
        window.remember(sender, fingerprint, delivered);
      const others = waiting.size === 0 ? undefined : waiting.get(identity);
      if (others === undefined) return;
      waiting.delete(identity);
      for (const one of others) answer(one, content, delivered);
    },
    get state() {
      return { size: underWay.size + window.entries, bytes: window.bytes, evicted: window.evicted };
    },
  };
}

/** Answers one that met an event of `content`, which became `delivered`. */
function answer(
  { content, waiter }: Waiting,
  first: readonly number[],
  delivered: Delivered,
): void {
  const isAccepted = delivered.kind !== 'not-delivered';
  const differs = differences(first, content);
  if (differs.length === 0) waiter(delivered, isAccepted);
  else
    waiter(
      { kind: 'not-delivered', refusal: isAccepted ? conflict(differs) : notAccepted(differs) },
      false,
    );
}

function conflict(differs: readonly string[]): Refusal {
  return {
    status: 409,
    code: 'conflict',
    message: `an event with this id was accepted before with other content: ${differs.join(', ')}`,
    expected: 'the same content to repeat it, or another id',
    differs,
  };
}

function notAccepted(differs: readonly string[]): Refusal {
  return {
    status: 503,
    code: 'id-in-flight',
    message: `an event with this id and other content (${differs.join(', ')}) was in flight, and was not accepted`,
    expected: 'send it again after Retry-After',
  };
}
