/**
 * When a load begins. Injectors that share a load begin at one instant, so that their seconds are
 * the same seconds; how well depends on the clocks of their machines.
 */
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { parseTime } from '../../../../schemas/kernel/time.ts';
import type { Output } from '../../output.ts';

export interface Begin {
  readonly epochMs: number;
  readonly monotonicMs: number;
}

/** A later instant is rather a wrong date. */
const startAheadMaxMs = 3_600_000;
/** Connections are opened this long before the load begins. */
const openAheadMs = 1_000;

/** Throws `SluiceError` `start-at-invalid`, also for an instant that is over. */
export function beginOf(text: string | undefined, clock: Clock): Begin {
  const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
  if (text === undefined) return { epochMs: nowMs, monotonicMs };
  const epochMs = parseTime(text);
  const invalid = (why: string, fix: string): SluiceError =>
    new SluiceError('start-at-invalid', `invalid --start-at '${text}': ${why}`, { fix });
  if (typeof epochMs !== 'number')
    throw invalid(epochMs.reason, 'expected a time such as 2026-01-02T09:00:00Z');
  const aheadMs = epochMs - nowMs;
  if (aheadMs < 0)
    throw invalid(
      `it was ${(-aheadMs / 1_000).toFixed(1)} s ago`,
      'choose an instant by which all injectors run, the same for all',
    );
  if (aheadMs > startAheadMaxMs)
    throw invalid(
      `it is ${Math.round(aheadMs / 60_000)} minutes ahead`,
      `expected at most ${startAheadMaxMs / 60_000}`,
    );
  return { epochMs, monotonicMs: monotonicMs + aheadMs };
}

/** Resolves when connections are to be opened; with true where the person ended it before. */
export async function waitFor(
  { epochMs, monotonicMs }: Begin,
  {
    clock,
    output,
    interrupted,
  }: {
    readonly clock: Clock;
    readonly output: Output;
    readonly interrupted: Promise<void>;
  },
): Promise<boolean> {
  const waitMs = monotonicMs - clock.monotonic() - openAheadMs;
  if (waitMs <= 0) return false;
  output.note(`the load begins at ${new Date(epochMs).toISOString()}`);
  return Promise.race([sleep(clock, waitMs).then(() => false), interrupted.then(() => true)]);
}
