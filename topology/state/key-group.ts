/**
 * Flink's assignment of keys to key groups and of key groups to parallel operators, so that a
 * topology groups the same way there.
 *
 * Source: org.apache.flink.runtime.state.KeyGroupRangeAssignment,
 * org.apache.flink.util.MathUtils#murmurHash, java.lang.String#hashCode.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { keyGroups } from './entries.ts';

/**
 * The key group, 0 to maxParallelism - 1, of a key's text: `murmur(hashCode(key)) %
 * maxParallelism`.
 */
export function keyGroupOf(key: string, maxParallelism: number): number {
  assert(
    Number.isInteger(maxParallelism) && maxParallelism > 0,
    'maxParallelism is a positive integer',
  );
  return murmur(hashCode(key)) % maxParallelism;
}

/**
 * The key group of a key, of its canonical text (`encodeKey`). Of a string it is what Flink gives
 * the string itself.
 */
export function groupOfKeyText(text: string): number {
  return murmur(hashCode(text, text.startsWith('s') ? 1 : 0)) % keyGroups;
}

/**
 * Which of `parallelism` operators has a key group: `keyGroup * parallelism / maxParallelism`, in
 * whole numbers.
 */
export function operatorIndexOf(
  keyGroup: number,
  parallelism: number,
  maxParallelism: number,
): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism);
}

/** Java's hash of a string: over UTF-16 units, in 32 bits. */
function hashCode(text: string, from = 0): number {
  let hash = 0;
  for (let i = from; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** MurmurHash3 of one 32-bit block, made non-negative. */
function murmur(code: number): number {
  let hash = Math.imul(code, 0xcc9e2d51);
  hash = rotateLeft(hash, 15);
  hash = Math.imul(hash, 0x1b873593);
  hash = rotateLeft(hash, 13);
  hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  hash ^= 4;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  if (hash >= 0) return hash;
  return hash === -2_147_483_648 ? 0 : -hash;
}
