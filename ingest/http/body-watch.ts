/**
 * Looks after requests whose bodies are slow: each is looked at every `bodyWatchMs` (exchange.ts
 * says what is done). A request that arrives at once costs nothing by it.
 */
import { limits } from '../../schemas/limits.ts';
import type { Hall } from './hall.ts';

export function watchBodies({ clock, open }: Hall): { stop(): void } {
  const tick = (): void => {
    const nowMs = clock.monotonic();
    // What is ended leaves the list meanwhile.
    for (const exchange of [...open]) exchange.look(nowMs);
    timer = clock.setTimer(limits.bodyWatchMs, tick);
  };
  let timer = clock.setTimer(limits.bodyWatchMs, tick);
  return { stop: () => timer.cancel() };
}
