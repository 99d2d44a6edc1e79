/**
 * SHA-256 in plain JavaScript, under the names of `node:crypto` that the engine's modules use
 * (FIPS 180-4, 6.2). The job digests little: causes of timers that follow each other.
 */
import { toBase64, toUtf8 } from './text-codec.ts';

const rounds = 64;
const blockBytes = 64;
const constants = Uint32Array.from(primes(rounds), (prime) => fraction(Math.cbrt(prime)));
const initial = Uint32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));

function primes(count: number): readonly number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++)
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32);
}

const rotate = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

function sha256(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / blockBytes) * blockBytes);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const state = Uint32Array.from(initial);
  for (let at = 0; at < padded.length; at += blockBytes) compress(state, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setUint32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

function compress(state: Uint32Array, view: DataView, at: number): void {
  const words = new Uint32Array(rounds);
  for (let i = 0; i < rounds; i++)
    words[i] = i < 16 ? view.getUint32(at + i * 4) : expanded(words, i);
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < rounds; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 =
      (h + s1 + ((e & f) ^ (~e & g)) + (constants[i] as number) + (words[i] as number)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = (state[index] as number) + word;
  });
}

function expanded(words: Uint32Array, i: number): number {
  const [w15, w2] = [words[i - 15] as number, words[i - 2] as number];
  const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
  const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
  return (words[i - 16] as number) + s0 + (words[i - 7] as number) + s1;
}

interface Digest {
  update(part: string | Uint8Array): Digest;
  digest(encoding: 'hex' | 'base64' | 'base64url'): string;
}

export function createHash(algorithm: string): Digest {
  if (algorithm !== 'sha256')
    throw new Error(`there is no ${algorithm} when a topology runs on Flink`);
  const parts: number[] = [];
  const made: Digest = {
    update(part) {
      parts.push(...(typeof part === 'string' ? toUtf8(part) : part));
      return made;
    },
    digest: (encoding) => encoded(sha256(Uint8Array.from(parts)), encoding),
  };
  return made;
}

function encoded(bytes: Uint8Array, encoding: 'hex' | 'base64' | 'base64url'): string {
  if (encoding === 'hex')
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const base64 = toBase64(bytes);
  return encoding === 'base64'
    ? base64
    : base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

export function hash(algorithm: string, text: string): string {
  return createHash(algorithm).update(text).digest('hex');
}

function noChance(): never {
  throw new Error('there is no chance when a topology runs on Flink');
}

export const getRandomValues = noChance;
export const webcrypto = { getRandomValues: noChance };
