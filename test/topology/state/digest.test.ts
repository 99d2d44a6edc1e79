/**
 * Digests of keys: against OpenSSL's SipHash, for texts of every length, and long ones.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { keyDigest, newDigestSecret } from '../../../topology/state/digest.ts';

const file = (path: string): string =>
  fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const counting = Uint8Array.from({ length: 16 }, (_, index) => index);

function hexOf(text: string, secret: Uint8Array = counting): string {
  const words = new Uint32Array(4);
  keyDigest(secret)(text, words);
  return Buffer.from(words.buffer).toString('hex');
}

describe('the digest in WebAssembly', () => {
  it('is its source, compiled', async () => {
    const compiler = await wabt();
    const wat = readFileSync(file('topology/state/digest.wat'), 'utf8');
    const { buffer } = compiler.parseWat('digest.wat', wat).toBinary({});
    const source = readFileSync(file('topology/state/digest.ts'), 'utf8');
    const embedded = [
      ...source.slice(source.indexOf('const binary')).matchAll(/^ {2}'([A-Za-z0-9+/=]+)'/gm),
    ].map(([, part]) => part);
    expect(embedded.join('')).toBe(Buffer.from(buffer).toString('base64'));
  });

  // `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH`, of the
  // text in UTF-16, little-endian.
  it.each([
    ['', 'a3817f04ba25a8e66df67214c7550293'],
    ['k', '62a397b03ffc2612c266b9d6215a20ad'],
    ['abc', '0510e52810478f5b2531174a2ae75c01'],
    ['abcd', '8d366039c4671198eba91471f81d02d2'],
    ['user-42', 'bc0883be3232179ab371507287241fdb'],
    ['日本', 'dea3c39d3849476ef8fdf2df57ce088a'],
    ['xxxxxxxxxxxxxxxxx', '9fd69b03a9a6252b4028703972f828d5'],
  ])('of %j is that of OpenSSL', (text, expected) => {
    expect(hexOf(text)).toBe(expected);
  });

  it('is another one under another secret, and the first again after it', () => {
    const other = newDigestSecret(seededRandom(1));
    const first = hexOf('k');
    expect(hexOf('k', other)).not.toBe(first);
    expect(hexOf('k')).toBe(first);
  });

  it('tells texts apart, whatever their lengths', () => {
    const texts = fc.uniqueArray(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.nat({ max: 40 }).map((length) => 'x'.repeat(length)),
        fc.constantFrom(32_727, 32_728, 32_729, 70_000).map((length) => 'y'.repeat(length)),
      ),
      { minLength: 2, maxLength: 30 },
    );
    fc.assert(
      fc.property(texts, (all) => {
        expect(new Set(all.map((text) => hexOf(text))).size).toBe(all.length);
      }),
    );
  });

  it('of a long text is not that of the text that stands for it', () => {
    const long = 'z'.repeat(40_000);
    const sha = createHash('sha256').update(Buffer.from(long, 'utf16le')).digest('hex');
    expect(hexOf(long)).not.toBe(hexOf(sha.padEnd(32_727, '=')));
    expect(hexOf(long)).toBe(hexOf(long));
  });
});
