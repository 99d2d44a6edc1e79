import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, systemRandom, uuidv7 } from '../../../schemas/kernel/random.ts';

const layout = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a UUIDv7', () => {
  it('begins with the time in 48 bits, for every time that they hold', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.integer(), (ms, seed) => {
        const [, high = '', low = ''] = layout.exec(uuidv7(ms, seededRandom(seed))) ?? [];
        expect(Number.parseInt(high + low, 16)).toBe(ms);
      }),
    );
  });

  it('has 74 bits of chance: each of them is now 0, now 1', () => {
    const random = seededRandom(7);
    const uuids = Array.from({ length: 200 }, () =>
      BigInt(`0x${uuidv7(0, random).replaceAll('-', '')}`),
    );
    const varying = uuids.reduce((bits, uuid) => bits | (uuid ^ (uuids[0] ?? 0n)), 0n);
    expect(varying.toString(16)).toBe('fff3fffffffffffffff');
  });

  it('is another one each time, also when the system is asked in pieces of any size', () => {
    const sizes = [1, 10, 24, 4_095, 4_096, 4_097];
    const seen = new Set(Array.from({ length: 2_000 }, () => uuidv7(1, systemRandom)));
    expect(seen.size).toBe(2_000);
    for (const size of sizes) {
      const filled = new Uint8Array(size);
      systemRandom.fill(filled);
      if (size > 20) expect(filled.some((byte) => byte !== 0)).toBe(true);
    }
  });
});
