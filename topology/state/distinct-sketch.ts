/**
 * How many different strings there were, in at most 4 KiB: exact up to 384, from then on
 * HyperLogLog with 2^12 registers. The standard error is 1.04 / sqrt(4096) = 1.6 %; two estimates
 * in three are nearer than that.
 *
 * 1. The state depends on the set of strings alone, not on order, repetition or how sketches were
 *    merged; so `encodeSketch` gives equal JSON for equal sets, and merging is the sketch of the
 *    union exactly.
 * 2. A sketch is exact if and only if it saw at most 384 different hashes; both forms read the same
 *    53 bits of a hash.
 * 3. A register holds 0 to 42: the longest run of zeros, plus one, that the 41 bits behind its
 *    index began with.
 * 4. The same on every engine: hashes by 32-bit integer operations over UTF-16 code units, the
 *    estimate by +, * and / of IEEE 754 in a fixed order (no log, pow or table), rounded to an
 *    integer at the end.
 *
 * Sources: P. Flajolet and others, HyperLogLog: the analysis of a near-optimal cardinality
 * estimation algorithm (2007); S. Heule and others, HyperLogLog in Practice (2013), for the 64-bit
 * hash and the exact beginning; O. Ertl, New cardinality estimation algorithms for HyperLogLog
 * sketches (2017, arXiv:1702.01284), for its improved raw estimator, which needs neither bias
 * tables nor a switch to linear counting.
 */
import { assert } from '../../schemas/kernel/assert.ts';

/** Opaque; its JSON form is `EncodedSketch`. */
export interface DistinctSketch {
  /** Open addressing with linear probing; 0 is a free slot. Of no use once there are registers. */
  hashes: Float64Array;
  hashCount: number;
  registers: Uint8Array | undefined;
}

/** The hashes in ascending order, or the registers, one digit of base64 each. */
export type EncodedSketch = readonly number[] | string;

const indexBits = 12;
const registerCount = 1 << indexBits;
/**
 * Bits of a hash's low half that are kept: with the 32 of the high half they fit a safe integer.
 */
const lowBits = 21;
const lowUnit = 1 << lowBits;
const rankMax = 32 - indexBits + lowBits + 1;
/** Three quarters of 512 slots of 8 bytes, which are as large as the registers. */
const exactMax = 384;
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** 1 / (2 ln 2) */
const alpha = 0.721_347_520_444_481_7;
/**
 * The fractions of the golden ratio and of the square root of 2: so that the empty string has a
 * hash like any other.
 */
const seedA = 0x9e37_79b9;
const seedB = 0x6a09_e667;

export function newSketch(): DistinctSketch {
  return { hashes: new Float64Array(8), hashCount: 0, registers: undefined };
}

export function addToSketch(sketch: DistinctSketch, text: string): void {
  addHash(sketch, hashOf(text));
}

/** Makes `into` the sketch of both sets; `from` stays as it is. */
export function mergeSketches(into: DistinctSketch, from: DistinctSketch): void {
  if (from.registers === undefined) {
    for (const hash of from.hashes) if (hash !== 0) addHash(into, hash);
    return;
  }
  const registers = into.registers ?? makeDense(into);
  for (let at = 0; at < registerCount; at++) {
    const rank = from.registers[at] as number;
    if (rank > (registers[at] as number)) registers[at] = rank;
  }
}

/** An integer: exact up to 384, with a standard error of 1.6 % beyond. */
export function estimate(sketch: DistinctSketch): number {
  if (sketch.registers === undefined) return sketch.hashCount;
  const registersOf = new Uint16Array(rankMax + 1);
  for (const rank of sketch.registers) registersOf[rank] = (registersOf[rank] as number) + 1;
  // Ertl's improved raw estimate without its tau, which corrects for full registers: only of 2^41
  // strings one register is full.
  let inverse = 0;
  for (let rank = rankMax; rank > 0; rank--)
    inverse = 0.5 * (inverse + (registersOf[rank] as number));
  inverse += registerCount * sigma((registersOf[0] as number) / registerCount);
  return Math.max(exactMax + 1, Math.round((alpha * registerCount * registerCount) / inverse));
}

export function encodeSketch(sketch: DistinctSketch): EncodedSketch {
  if (sketch.registers === undefined)
    return Array.from(sketch.hashes.filter((hash) => hash !== 0).sort());
  let encoded = '';
  for (const rank of sketch.registers) encoded += digits.charAt(rank);
  return encoded;
}

/** Of what `encodeSketch` gave; anything else is a defect. */
export function decodeSketch(encoded: EncodedSketch): DistinctSketch {
  const sketch = newSketch();
  if (typeof encoded !== 'string') {
    assert(encoded.length <= exactMax, 'an exact sketch is small');
    for (const hash of encoded) {
      assert(Number.isSafeInteger(hash) && hash > 0, 'a hash is a positive safe integer');
      addHash(sketch, hash);
    }
    return sketch;
  }
  assert(encoded.length === registerCount, 'a sketch has as many digits as registers');
  const registers = makeDense(sketch);
  for (let at = 0; at < registerCount; at++) {
    const rank = digits.indexOf(encoded.charAt(at));
    assert(rank >= 0 && rank <= rankMax, 'a register holds a rank');
    registers[at] = rank;
  }
  return sketch;
}

function addHash(sketch: DistinctSketch, hash: number): void {
  if (sketch.registers !== undefined) raise(sketch.registers, hash);
  else if (insert(sketch.hashes, hash)) {
    sketch.hashCount++;
    if (sketch.hashCount > exactMax) makeDense(sketch);
    else if (4 * sketch.hashCount > 3 * sketch.hashes.length) widen(sketch);
  }
}

/** Whether the hash is new. There is always a free slot. */
function insert(hashes: Float64Array, hash: number): boolean {
  const mask = hashes.length - 1;
  // As an operand of & a double counts modulo 2^32: the low bits of the hash.
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const found = hashes[at] as number;
    if (found === hash) return false;
    if (found === 0) {
      hashes[at] = hash;
      return true;
    }
  }
}

function widen(sketch: DistinctSketch): void {
  const wider = new Float64Array(2 * sketch.hashes.length);
  for (const hash of sketch.hashes) if (hash !== 0) insert(wider, hash);
  sketch.hashes = wider;
}

function makeDense(sketch: DistinctSketch): Uint8Array {
  const registers = new Uint8Array(registerCount);
  for (const hash of sketch.hashes) if (hash !== 0) raise(registers, hash);
  sketch.registers = registers;
  sketch.hashes = new Float64Array(0);
  sketch.hashCount = 0;
  return registers;
}

function raise(registers: Uint8Array, hash: number): void {
  const high = (hash / lowUnit) >>> 0;
  const index = high >>> (32 - indexBits);
  const rest = high << indexBits;
  const rank =
    rest !== 0
      ? Math.clz32(rest) + 1
      : Math.min(32 - indexBits + Math.clz32(hash << (32 - lowBits)) + 1, rankMax);
  if (rank > (registers[index] as number)) registers[index] = rank;
}

/**
 * Ertl's sigma: x + x^2 + 2 x^4 + 4 x^8 + ... for x below 1, until another term changes nothing.
 */
function sigma(x: number): number {
  let power = x;
  let factor = 1;
  let sum = x;
  for (;;) {
    power *= power;
    const next = sum + power * factor;
    if (next === sum) return sum;
    sum = next;
    factor += factor;
  }
}

/**
 * 53 bits of a 64-bit hash, never 0. Two lanes take the code units two by two, each with
 * multipliers and rotations of its own, and are mixed into each other at the end: the rounds and
 * constants of two of the four lanes of MurmurHash3_x86_128, and its finalizer (A. Appleby, public
 * domain).
 */
function hashOf(text: string): number {
  const length = text.length;
  const even = length & ~1;
  let a = length ^ seedA;
  let b = length ^ seedB;
  for (let at = 0; at < even; at += 2) {
    const word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
    a = roundA(a, word);
    b = roundB(b, word);
  }
  if (even < length) {
    const word = text.charCodeAt(even);
    a = roundA(a, word);
    b = roundB(b, word);
  }
  a = (a + b) | 0;
  b = (b + a) | 0;
  a = finish(a);
  b = finish(b);
  a = (a + b) | 0;
  b = (b + a) | 0;
  return (a >>> 0) * lowUnit + (b >>> (32 - lowBits)) || 1;
}

function roundA(state: number, word: number): number {
  const scrambled = Math.imul(word, 0x239b_961b);
  const mixed = state ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0xab0e_9789);
  return (Math.imul((mixed << 19) | (mixed >>> 13), 5) + 0x561c_cd1b) | 0;
}

function roundB(state: number, word: number): number {
  const scrambled = Math.imul(word, 0x38b3_4ae5);
  const mixed = state ^ Math.imul((scrambled << 17) | (scrambled >>> 15), 0xa1e3_8b93);
  return (Math.imul((mixed << 15) | (mixed >>> 17), 5) + 0x96cd_1c35) | 0;
}

function finish(state: number): number {
  let mixed = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
