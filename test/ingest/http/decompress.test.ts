/**
 * Bodies that inflate: whole or not at all, within a bound that is judged as they come.
 */
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import type { Encoding } from '../../../ingest/http/decompress.ts';
import { decompress } from '../../../ingest/http/decompress.ts';

type Packed = Exclude<Encoding, 'identity'>;
const packers: readonly (readonly [string, Packed, (plain: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', gzipSync],
  ['deflate', 'deflate', deflateSync],
  ['bare deflate', 'deflate', deflateRawSync],
  ['br', 'br', brotliCompressSync],
];
const plain = Buffer.from(JSON.stringify({ text: 'ü'.repeat(20_000) }));

async function inflate(body: Buffer, encoding: Packed, maxBytes = 1_000_000): Promise<string> {
  const found = await decompress(body, encoding, maxBytes, () => undefined);
  return isRefusal(found) ? `${found.status} ${found.code}` : found.toString();
}

describe.each(packers)('a body of %s', (_name, encoding, pack) => {
  it('is inflated whole', async () => {
    expect(await inflate(pack(plain), encoding)).toBe(plain.toString());
  });

  it('that ends early is refused, wherever', async () => {
    const packed = pack(plain);
    for (const end of [0, 1, 2, Math.floor(packed.length / 2), packed.length - 1])
      expect(await inflate(packed.subarray(0, end), encoding)).toBe('400 not-inflatable');
  });

  it('with something behind its end is refused', async () => {
    expect(await inflate(Buffer.concat([pack(plain), Buffer.from('{"more":1}')]), encoding)).toBe(
      '400 not-inflatable',
    );
  });

  it('beyond the bound is refused as soon as so much has come out, and exactly at it is not', async () => {
    const bomb = pack(Buffer.alloc(5_000_000));
    let most = 0;
    const found = await decompress(bomb, encoding, 100_000, (bytes) => {
      most += bytes;
      return undefined;
    });
    expect(found).toMatchObject({ status: 413, code: 'body-inflates-too-large' });
    expect(most).toBeLessThanOrEqual(100_000);
    expect(await inflate(pack(plain), encoding, plain.length)).toBe(plain.toString());
    expect(await inflate(pack(plain), encoding, plain.length - 1)).toBe(
      '413 body-inflates-too-large',
    );
  });

  it('ends where there is no room for more', async () => {
    const full = { status: 503, code: 'overloaded', message: '' } as const;
    expect(await decompress(pack(plain), encoding, 1_000_000, () => full)).toEqual(full);
  });
});

describe('a body', () => {
  it('of several members of gzip is all of them (RFC 1952, section 2.2), padded with zeros or not', async () => {
    const members = Buffer.concat([gzipSync('[1,'), gzipSync('2'), gzipSync(']')]);
    expect(await inflate(members, 'gzip')).toBe('[1,2]');
    expect(await inflate(Buffer.concat([members, Buffer.alloc(512)]), 'gzip')).toBe('[1,2]');
    expect(
      await inflate(
        Buffer.concat(Array.from({ length: 1_000 }, () => gzipSync(Buffer.alloc(1_000)))),
        'gzip',
        900_000,
      ),
    ).toBe('413 body-inflates-too-large');
  });

  it('of Brotli with the largest window of the standard is read, with a larger one refused', async () => {
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24 };
    expect(await inflate(brotliCompressSync(plain, { params }), 'br')).toBe(plain.toString());
    const large = { [constants.BROTLI_PARAM_LARGE_WINDOW]: 1, [constants.BROTLI_PARAM_LGWIN]: 30 };
    expect(await inflate(brotliCompressSync(plain, { params: large }), 'br')).toBe(
      '400 not-inflatable',
    );
  });
});
