/**
 * Looks after requests whose bodies are slow: each is looked at every `bodyWatchMs` (exchange.ts
 * says what is done). A request that arrives at once costs nothing by it.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Hall } from './hall.ts';

/** How often a body that arrives is looked at: uWebSockets.js would close silently. */
export const bodyWatchMs = 2_500;
// uWebSockets.js closes a connection of which 160 KB do not arrive within 8 to 12 seconds, unless
// it is told to continue.
assert(2 * bodyWatchMs < 8_000, 'a slow body is looked at before its connection is closed');

export function watchBodies({ clock, open }: Hall): { stop(): void } {
  const tick = (): void => {
    const nowMs = clock.monotonic();
    // What is ended leaves the list meanwhile.
    for (const exchange of [...open]) exchange.look(nowMs);
    timer = clock.setTimer(bodyWatchMs, tick);
  };
  let timer = clock.setTimer(bodyWatchMs, tick);
  return { stop: () => timer.cancel() };
}
