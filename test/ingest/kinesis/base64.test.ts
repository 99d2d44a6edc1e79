import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { base64Length, writeBase64 } from '../../../ingest/kinesis/base64.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));

function written(pieces: readonly Uint8Array[]): string {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const target = Buffer.alloc(base64Length(bytes) + 4, '#');
  expect(writeBase64(pieces, target, 2)).toBe(2 + base64Length(bytes));
  expect(target.toString('latin1', 0, 2) + target.toString('latin1', target.length - 2)).toBe('####');
  return target.toString('latin1', 2, target.length - 2);
}

describe('base64 into a buffer', () => {
  it('is its source, compiled', async () => {
    const compiler = await wabt();
    const { buffer } = compiler
      .parseWat('base64.wat', readFileSync(file('ingest/kinesis/base64.wat'), 'utf8'), { simd: true })
      .toBinary({});
    const source = readFileSync(file('ingest/kinesis/base64.ts'), 'utf8');
    const embedded = [...source.slice(source.indexOf('const binary')).matchAll(/^ {2}'([A-Za-z0-9+/=]+)'/gm)].map(([, part]) => part);
    expect(embedded.join('')).toBe(Buffer.from(buffer).toString('base64'));
  });

  it('is what Node writes, for any bytes in any pieces, and touches nothing beside', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }), (pieces) => {
        expect(written(pieces)).toBe(Buffer.concat(pieces).toString('base64'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows every byte at every place of a round', () => {
    const all = Buffer.from(Array.from({ length: 12 * 256 }, (_, n) => (n % 12) + Math.floor(n / 12)));
    for (let from = 0; from < 12; from++) expect(written([all.subarray(from)])).toBe(all.subarray(from).toString('base64'));
  });

  it('goes over its own memory, wherever pieces end', () => {
    const bytes = Buffer.from(Array.from({ length: 200_001 }, (_, n) => (n * 7_919) >>> 5));
    for (const size of [1_000, 49_151, 49_152, 49_153, 98_304, 200_001]) {
      const pieces: Uint8Array[] = [];
      for (let from = 0; from < bytes.length; from += size) pieces.push(bytes.subarray(from, from + size));
      expect(written(pieces)).toBe(bytes.toString('base64'));
    }
  });
});
