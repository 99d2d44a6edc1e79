/**
 * What the outcomes of a write mean for a unit, whose records have those from `first` to before
 * `end`. Pure; plain numbers, because an object per unit would be one per event.
 */
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import { isDecided } from '../../schemas/ports/record-writer.ts';

/**
 * The first outcome from `first` to before `end` that leaves open what becomes of its record; `end`
 * when there is none.
 */
export function undecidedIn(outcomes: readonly WriteOutcome[], first: number, end: number): number {
  let at = first;
  while (at < end && isDecided(outcomes[at] as WriteOutcome)) at++;
  return at;
}

export function hasApplied(outcomes: readonly WriteOutcome[], first: number, end: number): boolean {
  for (let at = first; at < end; at++) if (outcomes[at]?.kind === 'applied') return true;
  return false;
}

/** Whether nothing from `open` on is in the stream, and all of it may be written again. */
export function isAgain(outcomes: readonly WriteOutcome[], open: number, end: number): boolean {
  for (let at = open; at < end; at++) if (outcomes[at]?.kind !== 'refused') return false;
  return true;
}

const outOfTurn: WriteOutcome = {
  kind: 'unknown',
  code: 'partly-written',
  message: 'part of what goes behind it was written',
};

/**
 * What is told: each its own, but for what others have overtaken. Whether the client must send it
 * again is for its identity to decide.
 */
export function told(
  outcomes: readonly WriteOutcome[],
  open: number,
  end: number,
): readonly WriteOutcome[] {
  if (!hasApplied(outcomes, open, end)) return outcomes;
  return outcomes.map((outcome, at) =>
    at >= open && at < end && outcome.kind !== 'applied' ? outOfTurn : outcome,
  );
}

export function behindOf(worst: WriteOutcome): WriteOutcome {
  const message =
    worst.kind === 'applied'
      ? ''
      : `an earlier event of the same key was not written: ${worst.message}`;
  return { kind: 'refused', code: 'order-kept', message, retryable: true };
}
