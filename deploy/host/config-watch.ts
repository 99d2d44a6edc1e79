/**
 * Takes over what may change while an ingress runs, when the configuration file may have changed: on SIGHUP, and when the file is written or
 * replaced (editors rename).
 */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Ingress } from '../../ingest/ingress.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';

interface ConfigWatch {
  stop(): void;
}

const settleMs = 100;

function watchConfig(file: string, clock: Clock, changed: () => void): ConfigWatch {
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

/** Keys, issuers, quotas and origins are taken over while it runs; what else changed waits for the next start. */
export function reloadOnChange(
  first: SluiceConfig,
  read: () => SluiceConfig,
  ingress: Ingress,
  { clock, tell }: { readonly clock: Clock; readonly tell: (line: string) => void },
): () => Promise<void> {
  const fixed = ({ access: _access, streams, ingress: own, ...rest }: SluiceConfig): string =>
    JSON.stringify([rest, { ...own, addressQuota: 0 }, streams.map(({ quota: _quota, ...stream }) => stream)]);
  let now = JSON.stringify(first);
  const watch = watchConfig(first.file, clock, () => {
    try {
      const next = read();
      if (JSON.stringify(next) === now) return;
      now = JSON.stringify(next);
      ingress.reload(next);
      tell('keys, issuers, quotas and origins are as the configuration says now');
      if (fixed(next) !== fixed(first)) tell('other changes of the configuration wait for the next start');
    } catch (thrown) {
      tell(`the changed configuration is not used: ${messageOf(thrown)}`);
    }
  });
  return async () => watch.stop();
}
