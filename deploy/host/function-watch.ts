/**
 * Watches from outside whether the functions of a topology's thread return: only another thread can
 * end one that does not.
 *
 * Invariants:
 * 1. A call is stuck when it was the same one at every look for longer than the bound; calls that
 *    begin and return are progress, however many a turn has and however slow it is.
 * 2. A look-up's function may keep the thread between its awaits: the thread is stuck when it did
 *    not turn at all for some times the bound, with a look-up in flight. The engine's own work
 *    never takes it that long.
 * 3. Time in which nobody looked does not count: a process that was stopped, or a host that was
 *    busy, ends no thread.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { CallSlot, Plan, RunFailure, SeenCall, SharedCalls } from '../../topology/index.ts';
import {
  callSlots,
  seenCall,
  seenDigest,
  seenThread,
  seenTurn,
  sharedCalls,
} from '../../topology/index.ts';

/** Looks within the bound. */
const looksPerBound = 20;
/** Times the bound that a thread may be silent. */
const silentBounds = 6;

export interface Watched {
  readonly seen: SeenCall;
  /** How long it has been the same call, ms. */
  readonly sameMs: number;
}

/** `sinceMs` is how long ago the look before was; `paceMs` how often there is to be one. */
export function deriveWatched(
  before: Watched | undefined,
  seen: SeenCall,
  sinceMs: number,
  paceMs: number,
): Watched {
  if (
    before === undefined ||
    seen.slot === 0 ||
    seen.slot !== before.seen.slot ||
    seen.calls !== before.seen.calls
  )
    return { seen, sameMs: 0 };
  return { seen, sameMs: before.sameMs + Math.min(sinceMs, 2 * paceMs) };
}

export class FunctionWatch {
  /** For the thread. */
  readonly calls: SharedCalls = sharedCalls();
  readonly #clock: Clock;
  readonly #maxMs: number;
  readonly #onStuck: (fault: SluiceError) => void;
  #slots: readonly CallSlot[] = [];
  #watched: Watched | undefined;
  #beats = 0;
  /** How long the thread has not turned, with a look-up in flight and no function running, ms. */
  #silentMs = 0;
  #lookedMs: number;
  #timer: Timer | undefined;
  #stuck: (CallSlot & { readonly digest: string | undefined }) | undefined;

  /** `onStuck` is called once, when a function did not return within `maxMs`. */
  constructor(clock: Clock, maxMs: number, onStuck: (fault: SluiceError) => void) {
    this.#clock = clock;
    this.#maxMs = maxMs;
    this.#onStuck = onStuck;
    this.#lookedMs = clock.monotonic();
  }

  /** The thread is about to call the functions of `plan`. */
  begin(plan: Plan): void {
    this.#slots = callSlots(plan);
    this.#lookedMs = this.#clock.monotonic();
    this.#next();
  }

  /**
   * The thread has ended. How, where it could not keep that itself; `crash` is why, where it ended
   * silently.
   */
  end(crash: string | undefined): RunFailure | undefined {
    this.#timer?.cancel();
    if (this.#stuck !== undefined) return { kind: 'stuck', ...this.#stuck };
    const turn = crash === undefined ? undefined : seenTurn(this.calls);
    if (crash === undefined || turn === undefined) return undefined;
    return {
      kind: 'turn',
      span: turn.span,
      place: turn.place,
      operator: undefined,
      message: crash,
    };
  }

  #next(): void {
    this.#timer = this.#clock.setTimer(this.#maxMs / looksPerBound, () => this.#look());
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    const paceMs = this.#maxMs / looksPerBound;
    const sinceMs = nowMs - this.#lookedMs;
    this.#watched = deriveWatched(this.#watched, seenCall(this.calls), sinceMs, paceMs);
    this.#lookedMs = nowMs;
    const slot =
      this.#watched.sameMs < this.#maxMs ? undefined : this.#slots[this.#watched.seen.slot - 1];
    if (slot !== undefined) {
      this.#stuck = { ...slot, digest: seenDigest(this.calls) };
      this.#onStuck(neverReturned(slot, this.#maxMs));
      return;
    }
    const silent = this.#silent(Math.min(sinceMs, 2 * paceMs));
    if (silent === undefined) {
      this.#next();
      return;
    }
    this.#stuck = silent;
    this.#onStuck(neverTurned(silent, silentBounds * this.#maxMs));
  }

  /** The look-up that keeps the thread, where one does. */
  #silent(sinceMs: number): (CallSlot & { readonly digest: string | undefined }) | undefined {
    const { beats, asked, digest } = seenThread(this.calls);
    const isSilent = beats === this.#beats && asked !== 0 && this.#watched?.seen.slot === 0;
    this.#beats = beats;
    this.#silentMs = isSilent ? this.#silentMs + sinceMs : 0;
    const slot = this.#silentMs < silentBounds * this.#maxMs ? undefined : this.#slots[asked - 1];
    return slot && { ...slot, digest };
  }
}

function neverTurned({ node, slot }: CallSlot, forMs: number): SluiceError {
  return new SluiceError(
    'function-stuck',
    `'${node}': its ${slot} blocked the thread for ${forMs / 1_000} s after it had returned`,
    {
      fix: 'look for an endless loop after an await; the second time, its elements go to the rejected table',
    },
  );
}

function neverReturned({ node, slot }: CallSlot, maxMs: number): SluiceError {
  return new SluiceError(
    'function-stuck',
    `'${node}': its ${slot} did not return from one call within ${maxMs / 1_000} s`,
    {
      fix: 'look for an endless loop or a slow regular expression; the second time, its elements go to the rejected table',
    },
  );
}
