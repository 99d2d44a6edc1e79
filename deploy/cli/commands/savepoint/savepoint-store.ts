/**
 * The store that has the savepoints: the folder of `sluice start` where there is one, else the
 * bucket of the configuration, which `sluice enrich` uses.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from '../../../../schemas/config-file.ts';
import { loadConfig } from '../../../../schemas/config-file.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../../schemas/ports/blob-store.ts';
import { checkpointsDir, savepointsDir } from '../../../host/layout.ts';
import { localBlobStore } from '../../../stores/local/local-blob-store.ts';

export interface SavepointPlace {
  readonly config: string | undefined;
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
}

export async function withSavepoints<T>(
  { config, dir, env, clock, random }: SavepointPlace,
  what: (blobs: BlobStore) => Promise<T>,
): Promise<T> {
  const isLocal = existsSync(checkpointsDir(dir)) || existsSync(savepointsDir(dir));
  const s3 = isLocal || config === undefined ? undefined : loadConfig(config, env).s3;
  if (s3?.bucket === undefined) return what(localBlobStore(resolve(dir)));
  const [{ s3BlobStore }, { s3Place }] = await Promise.all([
    import('../../../stores/s3/s3-blob-store.ts'),
    import('../../../stores/s3/s3-place.ts'),
  ]);
  const blobs = s3BlobStore({ ...s3Place(s3, ''), clock, random });
  try {
    return await what(blobs);
  } finally {
    blobs.close();
  }
}
