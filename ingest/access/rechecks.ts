/**
 * Whatever stays longer than one turn of the event loop (a WebSocket, a long upload) is asked again
 * whether its sender is let in: at each change of the configuration, and every
 * `accessRecheckMs`, as a token ends without anybody saying so.
 *
 * Invariant: no timer runs while nobody stays.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';

/**
 * How often an open WebSocket or upload is asked whether its sender is still let in; a message or
 * line is asked at once.
 */
export const accessRecheckMs = 1_000;

export interface Rechecks {
  /** `judge` is called until the call of what is returned. */
  add(judge: () => void): () => void;
  run(): void;
}

export function createRechecks(clock: Clock): Rechecks {
  const judges = new Set<() => void>();
  let timer: Timer | undefined;
  const run = (): void => {
    for (const judge of [...judges]) judge();
  };
  const tick = (): void => {
    timer = judges.size === 0 ? undefined : clock.setTimer(accessRecheckMs, tick);
    run();
  };
  return {
    add(judge) {
      // Each stay has its own: one function may be there twice.
      const own = (): void => judge();
      judges.add(own);
      timer ??= clock.setTimer(accessRecheckMs, tick);
      return () => {
        judges.delete(own);
        if (judges.size > 0) return;
        timer?.cancel();
        timer = undefined;
      };
    },
    run,
  };
}
