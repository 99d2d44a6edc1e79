/**
 * Runs turns until no look-up has anything left to answer. An answer in flight takes the real time
 * that it takes; the pauses between tries are not waited for: the clock of look-ups jumps over
 * them.
 */
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { afterThisRound, sleep, systemClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Dag } from '../dag.ts';

/** Rounds of the event loop that answers may take before the clock of look-ups moves on. */
const settleRounds = 20;
/**
 * Of pauses between tries, without an answer: then a look-up that is held is reported, instead of
 * being tried forever.
 */
const heldMaxMs = 600_000;

export interface Settling {
  readonly clock: ManualClock;
  readonly dag: () => Dag;
  readonly runOnce: () => void;
  /** `wake` is to be called when an operator has something to give. */
  readonly listen: (wake: () => void) => void;
}

/** One turn, and more while look-ups wait. Throws `SluiceError` `lookup-held`. */
export async function settle({ clock, dag, runOnce, listen }: Settling): Promise<void> {
  runOnce();
  let idleRounds = 0;
  let pausedMs = 0;
  while (dag().stages.some(({ operator }) => (operator.backlog ?? 0) > 0)) {
    const woken = await nextWake(listen);
    if (woken) {
      idleRounds = 0;
      pausedMs = 0;
    } else if (++idleRounds > settleRounds) {
      if (dag().stages.some(({ operator }) => (operator.calls ?? 0) > 0)) await letTimePass(clock);
      else pausedMs += clock.advanceToNext();
    }
    runOnce();
    if (pausedMs >= heldMaxMs) throw heldError(dag());
  }
}

function heldError(dag: Dag): SluiceError {
  const held = dag.stages.flatMap(({ nodes, operator }) =>
    (operator.backlog ?? 0) === 0
      ? []
      : [`'${nodes[0]?.id}' holds ${operator.backlog}: ${operator.failure ?? 'no answer yet'}`],
  );
  return new SluiceError(
    'lookup-held',
    `look-ups fail and hold the elements that wait for them; ${held.join('; ')}`,
    {
      retryable: true,
      fix: "the next call of the driver tries again; whenFailing: 'reject' would reject them",
    },
  );
}

async function letTimePass(clock: ManualClock): Promise<void> {
  const before = systemClock.monotonic();
  await sleep(systemClock, 1);
  clock.advance(systemClock.monotonic() - before);
}

function nextWake(listen: (resolve: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    listen(() => resolve(true));
    afterThisRound(() => resolve(false));
  });
}
