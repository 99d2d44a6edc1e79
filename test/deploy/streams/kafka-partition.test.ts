/**
 * Keys go where Kafka's own clients put them: kafkajs' partitioner against the hash of the Java
 * client, written out here.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionOfKey } from '../../../deploy/streams/kafka-partition.ts';

/** org.apache.kafka.common.utils.Utils.murmur2 */
function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = data.length & 3;
  if (rest === 3) h ^= (data[whole + 2] as number) << 16;
  if (rest >= 2) h ^= (data[whole + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (data[whole] as number), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

describe('the partition of a key', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['abc', 479470107],
  ])(
    "is by the hash of org.apache.kafka.common.utils.UtilsTest.testMurmur2 ('%s')",
    (key, hash) => {
      expect(murmur2(Buffer.from(key)) | 0).toBe(hash);
      expect(partitionOfKey(key, 997)).toBe((hash & 0x7fffffff) % 997);
    },
  );

  it("is the Java client's, of 10,000 keys", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.integer({ min: 1, max: 64 }),
        (key, partitions) => {
          const expected = (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
          expect(partitionOfKey(key, partitions)).toBe(expected);
        },
      ),
      { numRuns: 10_000 },
    );
  });
});
