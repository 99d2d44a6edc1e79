/**
 * Tells when the configuration file may have changed: on SIGHUP, and when the file is written or replaced (editors rename).
 */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';

export interface ConfigWatch {
  stop(): void;
}

const settleMs = 100;

export function watchConfig(file: string, clock: Clock, changed: () => void): ConfigWatch {
  let timer: Timer | undefined;
  const soon = (): void => {
    timer?.cancel();
    timer = clock.setTimer(settleMs, changed);
  };
  const watcher = watch(dirname(file), (_event, name) => {
    if (name === basename(file)) soon();
  });
  // A folder that cannot be watched any more leaves SIGHUP.
  watcher.on('error', () => watcher.close());
  watcher.unref();
  process.on('SIGHUP', soon);
  return {
    stop() {
      timer?.cancel();
      watcher.close();
      process.off('SIGHUP', soon);
    },
  };
}
