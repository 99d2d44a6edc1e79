/**
 * Digests of keys, in 128 bits: SipHash-2-4 under a secret, in WebAssembly. Clients choose keys,
 * and nobody without the secret finds two with one digest. `binary` is digest.wat, compiled; a test
 * compiles it again and compares.
 *
 * Source: J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, 2012; 128 bits as in
 * its reference code.
 */
import { createHash } from 'node:crypto';
import type { Random } from '../../schemas/kernel/random.ts';

const binary =
  'AGFzbQEAAAABBQFgAX8AAwIBAAUDAQABBxMCBm1lbW9yeQIABmRpZ2VzdAAACvcDAfQDAgV+A39BwP8DKQMAQvXKzY' +
  'PXrNu38wCFIQFByP8DKQMAQoPfkfOWzNy35ACFIQJBwP8DKQMAQuHklfPW7Nm87ACFIQNByP8DKQMAQvPK0cunjNmy' +
  '9ACFIQQgAEF4cSEHA0AgBikDACEFIAYgB0YEQCAFIACtQjiGhCEFCyAEIAWFIQRBAiEIA0AgASACfCEBIAJCDYkgAY' +
  'UhAiABQiCJIQEgAyAEfCEDIARCEIkgA4UhBCABIAR8IQEgBEIViSABhSEEIAMgAnwhAyACQhGJIAOFIQIgA0IgiSED' +
  'IAhBAWsiCA0ACyABIAWFIQEgBkEIaiEGIAYgB00NAAsgA0LuAYUhA0EEIQgDQCABIAJ8IQEgAkINiSABhSECIAFCII' +
  'khASADIAR8IQMgBEIQiSADhSEEIAEgBHwhASAEQhWJIAGFIQQgAyACfCEDIAJCEYkgA4UhAiADQiCJIQMgCEEBayII' +
  'DQALQdD/AyABIAKFIAMgBIWFNwMAIAJC3QGFIQJBBCEIA0AgASACfCEBIAJCDYkgAYUhAiABQiCJIQEgAyAEfCEDIA' +
  'RCEIkgA4UhBCABIAR8IQEgBEIViSABhSEEIAMgAnwhAyACQhGJIAOFIQIgA0IgiSEDIAhBAWsiCA0AC0HY/wMgASAC' +
  'hSADIASFhTcDAAs=';

/** What is used of it: the types of Node declare the name, and nothing of it that can be made. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, 'base64')));
const digest = exports['digest'] as (bytes: number) => void;
const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
const units = new Uint16Array(buffer);
/** As digest.wat has them. */
const secretAt = 0xff_c0;
const resultAt = 0xff_d0;
const memorySecret = new Uint8Array(buffer, secretAt, 16);
const result = new Uint32Array(buffer, resultAt, 4);
/** A text of as many UTF-16 units, or more, is digested by its SHA-256. */
const textMaxUnits = secretAt / 2 - 8;

const secretBytes = 16;

/** Puts the digest of a text into four words. */
export type KeyDigest = (text: string, into: Uint32Array) => void;

export function newDigestSecret(random: Random): Uint8Array {
  const secret = new Uint8Array(secretBytes);
  random.fill(secret);
  return secret;
}

/** Whose secret is in the memory. */
let loaded: Uint8Array | undefined;

/** `secret`: 16 bytes, which do not change. */
export function keyDigest(secret: Uint8Array): KeyDigest {
  return (text, into) => {
    if (loaded !== secret) {
      memorySecret.set(secret);
      loaded = secret;
    }
    digestUnits(text.length < textMaxUnits ? text : shortOf(text));
    for (let word = 0; word < 4; word++) into[word] = result[word] as number;
  };
}

function digestUnits(text: string): void {
  const { length } = text;
  for (let i = 0; i < length; i++) units[i] = text.charCodeAt(i);
  for (let i = length; i < length + 4; i++) units[i] = 0;
  digest(2 * length);
}

/** Longer than any text that is digested as it is. */
function shortOf(text: string): string {
  const sha = createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex');
  return sha.padEnd(textMaxUnits, '=');
}
