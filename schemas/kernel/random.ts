/**
 * Chance as a port. This file is the only one that may touch the ambient random source.
 */
import { getRandomValues } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Fills `target` with random bytes. */
  fill(target: Uint8Array): void;
}

const poolBytes = 4_096;
const pool = new Uint8Array(poolBytes);
let poolAt = poolBytes;

/** Cryptographically strong; drawn from a pool, because one call into the system per id costs more than the id. */
export const systemRandom: Random = {
  next: () => Math.random(),
  fill(target) {
    if (target.length > poolBytes) {
      getRandomValues(target);
      return;
    }
    if (poolAt + target.length > poolBytes) {
      getRandomValues(pool);
      poolAt = 0;
    }
    target.set(pool.subarray(poolAt, poolAt + target.length));
    poolAt += target.length;
  },
};

/** Deterministic: mulberry32 over a 32-bit seed. The same seed gives the same run. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    fill(target) {
      for (let i = 0; i < target.length; i++) target[i] = Math.floor(next() * 256);
    },
  };
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const uuidBytes = new Uint8Array(10);

/** A UUIDv7 (RFC 9562, section 5.7): 48 bits of epoch milliseconds, then 74 random bits. Lower-case, with dashes. */
export function uuidv7(nowMs: number, random: Random): string {
  random.fill(uuidBytes);
  const time = nowMs.toString(16).padStart(12, '0');
  const at = (i: number): number => uuidBytes[i] ?? 0;
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-` +
    `${hex[0x70 | (at(0) & 0x0f)]}${hex[at(1)]}-` +
    `${hex[0x80 | (at(2) & 0x3f)]}${hex[at(3)]}-` +
    `${hex[at(4)]}${hex[at(5)]}${hex[at(6)]}${hex[at(7)]}${hex[at(8)]}${hex[at(9)]}`
  );
}
