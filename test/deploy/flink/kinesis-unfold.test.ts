/**
 * Records that hold several events are taken apart in Java as in TypeScript: the same ones, also
 * what is damaged, strange or too large, give the same parts.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import { aggregateInflatedMaxBytes, unfoldingReader } from '../../../topology/runtime/unfold.ts';
import { javaMissing } from '../../servers/jars.ts';

type Parts = readonly (readonly [key: string, value: string])[] | null;

const buildMaxMs = 600_000;

/** As the engine takes it apart. */
async function partsHere(value: Uint8Array): Promise<Parts> {
  const record = { key: 'outer', value, position: '1', arrivedAtMs: 0 };
  const reader = {
    route: 'kinesis',
    read: () => Promise.resolve({ records: [record], ended: false }),
  } as unknown as RecordReader;
  const bounds = { maxRecords: 100_000, maxBytes: 1e9 };
  const { records } = await unfoldingReader(reader, 'a/b', undefined).read('0', undefined, bounds);
  if (records.length === 1 && records[0]?.part === undefined) return null;
  return records.map((one) => [one.key, Buffer.from(one.value).toString('base64')] as const);
}

async function partsThere(values: readonly Uint8Array[]): Promise<readonly Parts[]> {
  const { harnessClassPath } = await builtJob({ harness: true });
  const args = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', harnessClassPath];
  const ran = promisify(execFile)('java', [...args, 'sluice.flink.kinesis.UnfoldLines'], {
    maxBuffer: 1 << 28,
  });
  ran.child.stdin?.end(values.map((one) => `${Buffer.from(one).toString('base64')}\n`).join(''));
  const { stdout } = await ran;
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Parts);
}

const aggregate = (pairs: readonly { readonly key: string; readonly text: string }[]): Buffer =>
  Buffer.concat(
    encodeAggregate(pairs.map(({ key, text }) => ({ key, value: [Buffer.from(text)] }))),
  );

/** With the magic number and the digest of an aggregate. */
function framed(message: Uint8Array): Buffer {
  const digest = createHash('md5').update(message).digest();
  return Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc2]), message, digest]);
}

const key = fc.oneof(
  fc.constantFrom('k-a', 'k-b', 'k-€', '', '\ufeffk', '𝄞'),
  fc.string({ unit: 'binary', maxLength: 200 }),
);
const pairs = fc.array(
  fc.record({
    key,
    text: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(126, 127, 128, 16_383, 16_384).map((length) => 'x'.repeat(length)),
    ),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Fields that look like those of an aggregate, with keys that are no text and numbers of any size. */
const varint = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((small) => [small]),
  fc
    .array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 11 })
    .map((bytes) => bytes.map((byte, n) => (n < bytes.length - 1 ? byte | 0x80 : byte & 0x7f))),
);
const bytes = fc.uint8Array({ maxLength: 12 }).map((own) => [...own]);
const recordField = fc
  .tuple(varint, bytes, fc.constantFrom(0x08, 0x10, 0x18), fc.constantFrom(0x1a, 0x12))
  .map(([index, data, first, second]) => {
    const inner = [first, ...index, second, data.length, ...data];
    return [0x1a, inner.length, ...inner];
  });
const messages = fc
  .array(
    fc.oneof(
      bytes.map((own) => [0x0a, own.length, ...own]),
      recordField,
      fc.constantFrom([0x1a, 5, 0x08, 0, 0x1a, 1, 0x76], [0x0a, 1, 0x6b], [0x25, 1, 2, 3, 4]),
      fc.constantFrom([0x21, 1, 2, 3, 4, 5, 6, 7, 8], [0x0b], [0x00], [0x20, 0x80], [0x29, 1]),
      bytes,
    ),
    { maxLength: 6 },
  )
  .map((fields) => framed(Uint8Array.from(fields.flat())));

/** A gzip with every part that one may have. */
function gzipOf(content: Uint8Array, flags: number, damage: number | undefined): Buffer {
  const plain = gzipSync(content);
  const head = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
  if ((flags & 4) !== 0) head.push(3, 0, 1, 2, 3);
  if ((flags & 8) !== 0) head.push(...Buffer.from('name\0'));
  if ((flags & 16) !== 0) head.push(...Buffer.from('comment\0'));
  if ((flags & 2) !== 0) head.push(...crc16(Buffer.from(head)));
  const made = Buffer.concat([
    Buffer.from(head),
    deflateRawSync(content),
    plain.subarray(plain.length - 8),
  ]);
  if (damage !== undefined) made[damage % made.length] = (made[damage % made.length] ?? 0) ^ 0x41;
  return made;
}

/** The low half of the CRC that gzip itself makes. */
function crc16(head: Buffer): readonly number[] {
  const zipped = gzipSync(head);
  return [...zipped.subarray(zipped.length - 8, zipped.length - 6)];
}

const zipped = fc
  .tuple(
    pairs,
    fc.integer({ min: 0, max: 31 }),
    fc.option(fc.nat(), { nil: undefined, freq: 1 }),
    fc.constantFrom<readonly number[]>([], [0], [0, 0, 1], [1], [0x1f], [0x1f, 0x8b, 8, 0]),
  )
  .map(([own, flags, damage, behind]) =>
    Buffer.concat([gzipOf(aggregate(own), flags & 30, damage), Buffer.from(behind)]),
  );

function special(): readonly Buffer[] {
  const one = aggregate([{ key: 'k', text: 'v' }]);
  const big = (size: number): Buffer => aggregate([{ key: 'k', text: 'x'.repeat(size) }]);
  const overhead = big(aggregateInflatedMaxBytes).length - aggregateInflatedMaxBytes;
  const halves = [one.subarray(0, 11), one.subarray(11)].map((half) => gzipSync(half));
  const many = (count: number): Buffer =>
    framed(
      Buffer.concat([
        Buffer.from([0x0a, 1, 0x6b]),
        ...Array.from({ length: count }, () => Buffer.from([0x1a, 4, 0x08, 0, 0x1a, 0])),
      ]),
    );
  return [
    Buffer.alloc(0),
    Buffer.from('{"plain":1}'),
    one,
    one.subarray(0, one.length - 1),
    Buffer.concat([one, Buffer.from([0])]),
    gzipSync(one),
    gzipSync(Buffer.from('no aggregate')),
    gzipSync(gzipSync(one)),
    // The limit of what is inflated, and a byte more.
    gzipSync(big(aggregateInflatedMaxBytes - overhead)),
    gzipSync(big(aggregateInflatedMaxBytes - overhead + 1)),
    gzipSync(Buffer.alloc(64 << 20)),
    // One aggregate in two members, and a member that is damaged behind a good one.
    Buffer.concat(halves),
    Buffer.concat([gzipSync(one), gzipSync(one).subarray(0, 12)]),
    many(16_384),
    many(16_385),
    // Keys of which a decoder of UTF-8 has to say how much is replaced.
    ...['eda080', 'f09f', 'c0af', 'e28241', 'f8888080', 'ff', '41f09f9fff', 'f4908080'].map((hex) =>
      framed(
        Buffer.from(
          `0a${(hex.length / 2).toString(16).padStart(2, '0')}${hex}1a0508001a0176`,
          'hex',
        ),
      ),
    ),
  ];
}

describe.skipIf(javaMissing() !== undefined)('a record on Flink', () => {
  it(
    'is taken apart as it is here: aggregates, compressed ones, and all that only looks like one',
    async () => {
      const sample = <T>(of: fc.Arbitrary<T>, count: number): T[] =>
        fc.sample(of, { numRuns: count, seed: 22 });
      const values = [
        ...special(),
        ...sample(pairs, 150).map((own) => aggregate(own)),
        ...sample(messages, 1_500),
        ...sample(zipped, 600),
      ];
      const here = await Promise.all(values.map((value) => partsHere(value)));
      const there = await partsThere(values);
      expect(there.length).toBe(values.length);
      for (const [n, value] of values.entries())
        expect(there[n], value.subarray(0, 200).toString('hex')).toEqual(here[n]);
      // Of each kind there is some of both.
      const apart = here.filter((parts) => parts !== null).length;
      expect([apart > 300, values.length - apart > 300]).toEqual([true, true]);
    },
    buildMaxMs,
  );
});
