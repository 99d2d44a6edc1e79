/**
 * How batches of records of Kafka are compressed, by the names of schemas/kafka-compressions.ts.
 *
 * Invariants:
 * 1. What is inflated is bounded by `kafkaBatchInflatedMaxBytes`, before it is there where the
 *    bytes say how much it will be.
 * 2. A package is loaded by the first batch that needs it. One that is missing is a missing codec,
 *    and nothing else.
 */
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { KafkaCompression } from '../../../../schemas/kafka-compressions.ts';
import { kafkaCompressions } from '../../../../schemas/kafka-compressions.ts';
import { messageOf } from '../../../../schemas/kernel/errors.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { Coding } from './coding.ts';
import { lz4Codec } from './lz4.ts';
import { snappyCodec } from './snappy.ts';
import { ownZstd, zstdCodec } from './zstd.ts';

export interface KafkaCodec extends Coding {
  readonly name: KafkaCompression;
}

/**
 * One that cannot be used here: why, as the end of a sentence, and what to do where something can
 * be done.
 */
export interface MissingCodec {
  readonly name: string;
  readonly missing: string;
  readonly fix?: string;
}

const require = createRequire(import.meta.url);

const same = (bytes: Buffer): Promise<Buffer> => Promise.resolve(bytes);
const [gunzipped, gzipped] = [promisify(gunzip), promisify(gzip)];
const maxOutputLength = limits.kafkaBatchInflatedMaxBytes;

interface Entry {
  readonly needs: string;
  readonly load: () => Coding;
}

const entries: Readonly<Record<KafkaCompression, Entry>> = {
  none: { needs: 'nothing', load: () => ({ inflate: same, deflate: same }) },
  gzip: {
    needs: 'node:zlib',
    load: () => ({
      inflate: (bytes) => gunzipped(bytes, { maxOutputLength }),
      deflate: (bytes) => gzipped(bytes),
    }),
  },
  snappy: { needs: 'snappy', load: () => snappyCodec(require('snappy')) },
  lz4: { needs: 'lz4-napi', load: () => lz4Codec(require('lz4-napi')) },
  zstd: {
    needs: 'fzstd or @hpcc-js/wasm-zstd',
    load: () => ownZstd() ?? zstdCodec(require('fzstd'), require('@hpcc-js/wasm-zstd')),
  },
};

const loaded = new Map<KafkaCompression, KafkaCodec>();

/** By its name, or its number in an attribute. */
export function kafkaCodec(of: KafkaCompression | number): KafkaCodec | MissingCodec {
  const name = typeof of === 'string' ? of : kafkaCompressions[of];
  if (name === undefined) return { name: `codec ${of}`, missing: 'which Sluice does not know' };
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const { needs, load } = entries[name];
  try {
    const codec = { name, ...load() };
    loaded.set(name, codec);
    return codec;
  } catch (thrown) {
    const [why] = messageOf(thrown).split('\n');
    return {
      name,
      missing: `which needs the package ${needs}, and that cannot be loaded (${why})`,
      fix: 'install it with `npm ci`',
    };
  }
}
