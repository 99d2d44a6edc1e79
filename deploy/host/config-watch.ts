/**
 * Takes over what may change while an ingress runs, when the configuration file or the file of
 * `--key-file` may have changed: on SIGHUP, and when one is written or replaced (editors rename).
 */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Ingress } from '../../ingest/ingress.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { refuseReload } from './reload.ts';

interface ConfigWatch {
  stop(): void;
}

const settleMs = 100;

function watchFiles(files: readonly string[], clock: Clock, changed: () => void): ConfigWatch {
  let timer: Timer | undefined;
  const soon = (): void => {
    timer?.cancel();
    timer = clock.setTimer(settleMs, changed);
  };
  const watchers = files.map((file) => {
    const watcher = watch(dirname(file), (_event, name) => {
      // A volume of Kubernetes swaps the link `..data`; the file in it never changes.
      if (name === basename(file) || name === '..data') soon();
    });
    // A folder that cannot be watched any more leaves SIGHUP.
    watcher.on('error', () => watcher.close());
    watcher.unref();
    return watcher;
  });
  process.on('SIGHUP', soon);
  return {
    stop() {
      timer?.cancel();
      for (const watcher of watchers) watcher.close();
      process.off('SIGHUP', soon);
    },
  };
}

interface ReloadOptions {
  readonly clock: Clock;
  readonly tell: (line: string) => void;
  /** The file of `--key-file`, which `read` reads too. */
  readonly keyFile?: string | undefined;
}

/**
 * Keys, issuers, quotas and origins are taken over while it runs; what else changed waits for the
 * next start. A file that cannot be read, is not valid, or would let more people in than was meant
 * (reload.ts) leaves everything as it was.
 */
export function reloadOnChange(
  first: SluiceConfig,
  read: () => SluiceConfig,
  ingress: Ingress,
  { clock, tell, keyFile }: ReloadOptions,
): () => Promise<void> {
  let inForce = first;
  const files = keyFile === undefined ? [first.file] : [first.file, keyFile];
  const watch = watchFiles(files, clock, () => {
    try {
      const next = read();
      const refused = refuseReload(inForce, next);
      if (refused !== undefined) throw new SluiceError('config-refused', refused);
      const isSame = JSON.stringify(next) === JSON.stringify(inForce);
      // The same text may name a file of keys that has changed.
      ingress.reload(next);
      inForce = next;
      if (isSame) return;
      tell('applied the keys, issuers, quotas and origins of the changed configuration');
      if (fixedPart(next) !== fixedPart(first))
        tell('other changes of the configuration need a restart');
    } catch (thrown) {
      const why = messageOf(thrown);
      ingress.refuseReload(why);
      tell(`the changed configuration is not used, the previous one stays in force: ${why}`);
    }
  });
  return async () => watch.stop();
}

/** What only a start takes over. */
function fixedPart({
  access: _access,
  endsInLineBreak: _ends,
  streams,
  ingress,
  ...rest
}: SluiceConfig): string {
  return JSON.stringify([
    rest,
    { ...ingress, addressQuota: 0 },
    streams.map(({ quota: _quota, ...stream }) => stream),
  ]);
}
