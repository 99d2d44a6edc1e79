/**
 * Kills the process, in the middle of one of the operations that pass here.
 */
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';

export interface Deadly {
  /** One operation. */
  at<T>(act: () => Promise<T>): Promise<T>;
  blobs(store: BlobStore): BlobStore;
}

/** At that operation, so long after it began. */
export function deadly(operation: number, afterMs: number): Deadly {
  let operations = 0;
  const at = <T>(act: () => Promise<T>): Promise<T> => {
    if (++operations === operation)
      systemClock.setTimer(afterMs, () => process.kill(process.pid, 'SIGKILL'));
    return act();
  };
  return {
    at,
    blobs: (store) => ({
      createIfAbsent: (key, bytes) => at(() => store.createIfAbsent(key, bytes)),
      get: (key) => at(() => store.get(key)),
      list: (prefix) => at(() => store.list(prefix)),
      delete: (key) => at(() => store.delete(key)),
    }),
  };
}
