/**
 * The codecs of Kafka's batches: what other clients write, what would become too much, and a
 * package that is not installed.
 */
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KafkaCodec } from '../../../../deploy/streams/kafka/codecs/codecs.ts';
import { kafkaCodec } from '../../../../deploy/streams/kafka/codecs/codecs.ts';
import { ownZstd, zstdCodec } from '../../../../deploy/streams/kafka/codecs/zstd.ts';
import type { KafkaCompression } from '../../../../schemas/kafka-compressions.ts';
import { kafkaCompressions } from '../../../../schemas/kafka-compressions.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import { saying } from '../../../said.ts';

const require = createRequire(import.meta.url);
const loader = require('node:module') as {
  _load: (name: string, ...rest: readonly unknown[]) => unknown;
};

function codecOf(name: KafkaCompression): KafkaCodec {
  const codec = kafkaCodec(name);
  if ('missing' in codec) throw new Error(codec.missing);
  return codec;
}

/** Half of it alike, half not. */
function bytesOf(count: number): Buffer {
  const random = seededRandom(count);
  return Buffer.from(
    Array.from({ length: count }, (_, n) =>
      n % 64 < 32 ? 97 + (n % 7) : Math.floor(random.next() * 256),
    ),
  );
}

describe('a package that is not installed', () => {
  afterEach(() => vi.restoreAllMocks());

  // Of modules of its own: what was loaded once stays so, by a test of another file too.
  it.each([
    ['snappy', 'snappy'],
    ['lz4', 'lz4-napi'],
    ['zstd', 'fzstd'],
  ] as const)(
    'makes %s a missing codec, by name and with what to do, until it is there',
    async (codec, missing) => {
      vi.resetModules();
      const { kafkaCodec } = await import('../../../../deploy/streams/kafka/codecs/codecs.ts');
      const load = loader._load;
      vi.spyOn(loader, '_load').mockImplementation((name, ...rest) => {
        if (name === missing)
          throw new Error(`Cannot find module '${missing}'\nRequire stack: of many lines`);
        return load.call(loader, name, ...rest);
      });
      if (codec !== 'zstd' || ownZstd() === undefined) {
        expect(kafkaCodec(codec)).toEqual({
          name: codec,
          missing: expect.stringMatching(
            new RegExp(
              `^which needs the package ${missing}.*, and that cannot be loaded \\(Cannot find module '${missing}'\\)$`,
            ),
          ),
          fix: saying({ code: ['npm ci'] }),
        });
      }
      vi.restoreAllMocks();
      expect(kafkaCodec(codec)).toMatchObject({ name: codec });
      expect(kafkaCodec(codec)).not.toHaveProperty('missing');
    },
  );
});

describe('codecs of Kafka', () => {
  it('have the names and numbers of its protocol', () => {
    expect(
      kafkaCompressions.map((_, number) => codecOf(kafkaCompressions[number] ?? 'none').name),
    ).toEqual(['none', 'gzip', 'snappy', 'lz4', 'zstd']);
    for (const [number, name] of kafkaCompressions.entries())
      expect(kafkaCodec(number)).toBe(kafkaCodec(name));
    expect(kafkaCodec(5)).toEqual({ name: 'codec 5', missing: 'which Sluice does not know' });
  });

  for (const name of kafkaCompressions) {
    it.each([0, 1, 32_767, 32_768, 32_769, 300_000])(
      `${name}: gives %i bytes back as they were`,
      async (count) => {
        const { inflate, deflate } = codecOf(name);
        const bytes = bytesOf(count);
        const packed = await deflate(bytes);
        expect((await inflate(packed)).equals(bytes)).toBe(true);
        if (name !== 'none' && count > 1) expect(packed.length).toBeLessThan(bytes.length);
      },
    );
  }

  it('snappy is read as one block without framing, too, as librdkafka writes it', async () => {
    const { compressSync } = require('snappy') as { compressSync: (bytes: Buffer) => Buffer };
    const bytes = bytesOf(100_000);
    expect((await codecOf('snappy').inflate(compressSync(bytes))).equals(bytes)).toBe(true);
  });

  it('lz4 is read with checksums of blocks and content', async () => {
    const { compressFrame } = require('lz4-napi') as {
      compressFrame: (bytes: Buffer, options: object) => Promise<Buffer>;
    };
    const bytes = bytesOf(200_000);
    const packed = await compressFrame(bytes, { blockChecksums: true, contentChecksum: true });
    expect((await codecOf('lz4').inflate(packed)).equals(bytes)).toBe(true);
  });

  it("zstd is the same by Node's own library and by packages", async () => {
    const packages = zstdCodec(require('fzstd'), require('@hpcc-js/wasm-zstd'));
    const own = ownZstd();
    expect(own === undefined).toBe(!('zstdCompress' in zlib));
    const bytes = bytesOf(300_000);
    for (const { deflate } of [packages, own ?? packages])
      for (const { inflate } of [packages, own ?? packages])
        expect((await inflate(await deflate(bytes))).equals(bytes)).toBe(true);
  });
});

describe('what would become too much is refused', () => {
  const tooMany = (inflatedBytes?: number): unknown =>
    expect.objectContaining({
      name: 'RangeError',
      code: 'ERR_BUFFER_TOO_LARGE',
      ...(inflatedBytes === undefined ? {} : { inflatedBytes }),
    });

  it('by snappy before anything is made of it', async () => {
    const huge = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]), Buffer.alloc(20)]);
    await expect(codecOf('snappy').inflate(huge)).rejects.toThrow(tooMany(2_147_483_647));
  });

  // What a head may have behind its six bytes, before its checksum: the content's size, and the
  // dictionary's id.
  it.each([
    [0, 0],
    [0x08, 8],
    [0x01, 4],
    [0x09, 12],
  ])('by lz4 before anything is made of it (flags %i)', async (flags, more) => {
    const packed = await codecOf('lz4').deflate(Buffer.alloc(4 << 20));
    const head = Buffer.concat([packed.subarray(0, 6), Buffer.alloc(more), packed.subarray(6, 7)]);
    head.writeUInt8(head.readUInt8(4) | flags, 4);
    const end = Buffer.alloc(4);
    const blocks = packed.subarray(7, -4);
    const huge = Buffer.concat([head, ...Array.from({ length: 100 }, () => blocks), end]);
    await expect(codecOf('lz4').inflate(huge)).rejects.toThrow(tooMany(100 * (4 << 20)));
  });

  it('by gzip and zstd when it is', async () => {
    const count = limits.kafkaBatchInflatedMaxBytes + 1;
    // Blocks that say how often one byte is repeated:
    // https://www.rfc-editor.org/rfc/rfc8878#name-blocks
    const block = 128 * 1_024;
    const repeated = Buffer.from([
      ((block << 3) & 0xff) | 2,
      ((block << 3) >> 8) & 0xff,
      block >> 13,
      0,
    ]);
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const zstd = Buffer.concat([
      head,
      ...Array.from({ length: Math.ceil(count / block) }, () => repeated),
    ]);
    await expect(codecOf('zstd').inflate(zstd)).rejects.toThrow(tooMany());
    await expect(codecOf('gzip').inflate(zlib.gzipSync(Buffer.alloc(count)))).rejects.toThrow(
      tooMany(),
    );
  }, 30_000);
});
