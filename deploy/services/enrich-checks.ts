/**
 * What the enrich service needs of the world: every stream of every source, the bucket, and what
 * its sinks write to.
 */
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { StartupCheck } from '../../schemas/ports/startup-check.ts';
import { checkBucket } from '../stores/s3/s3-blob-store.ts';
import { s3Place } from '../stores/s3/s3-place.ts';
import { sinkChecks } from './sink-vendors.ts';
import { openSources } from './stream-sources.ts';

interface Looking {
  readonly clock: Clock;
  readonly random: Random;
}

/** Throws `SluiceError` `config-incomplete`. */
export function enrichChecks(config: SluiceConfig, looking: Looking): readonly StartupCheck[] {
  const sources = openSources(config, { ...looking, count: () => undefined });
  return [
    ...config.streams.flatMap((stream) => sources.map((source) => source.check(stream))),
    bucketCheck(config, looking),
    ...sinkChecks(config.sinks, looking),
  ];
}

function bucketCheck({ s3 }: SluiceConfig, looking: Looking): StartupCheck {
  const bucket = s3Place(s3, '');
  return {
    what: `S3 bucket ${bucket.bucket}`,
    look: async () => {
      await checkBucket({ ...bucket, ...looking });
      return 'can be listed, read, written and deleted from';
    },
  };
}
