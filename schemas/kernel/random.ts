/**
 * Randomness as a port. Only this file may use the ambient random source.
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

/**
 * Cryptographically strong; drawn from a pool, because one call into the system per id costs more
 * than the id.
 */
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
    for (let i = 0; i < target.length; i++) target[i] = pool[poolAt++] ?? 0;
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

const digits = Buffer.from('0123456789abcdef');
const uuidBytes = new Uint8Array(16);
const uuidRandom = uuidBytes.subarray(6);
const uuidText = Buffer.from('00000000-0000-0000-0000-000000000000');
/** Where each byte's two digits stand in the text. */
const uuidPlaces = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;

/**
 * A UUIDv7 (RFC 9562, section 5.7): 48 bits of epoch milliseconds, then 74 random bits. Lower-case,
 * with dashes.
 */
export function uuidv7(nowMs: number, random: Random): string {
  random.fill(uuidRandom);
  let high = Math.floor(nowMs / 4_294_967_296);
  let low = nowMs >>> 0;
  for (let i = 1; i >= 0; i--, high >>>= 8) uuidBytes[i] = high;
  for (let i = 5; i >= 2; i--, low >>>= 8) uuidBytes[i] = low;
  uuidBytes[6] = 0x70 | ((uuidBytes[6] ?? 0) & 0x0f);
  uuidBytes[8] = 0x80 | ((uuidBytes[8] ?? 0) & 0x3f);
  // Digit by digit into one buffer: a text that is put together from parts keeps all of them.
  for (let i = 0; i < 16; i++) {
    const byte = uuidBytes[i] ?? 0;
    const place = uuidPlaces[i] ?? 0;
    uuidText[place] = digits[byte >>> 4] ?? 0;
    uuidText[place + 1] = digits[byte & 0x0f] ?? 0;
  }
  return uuidText.toString('latin1');
}
