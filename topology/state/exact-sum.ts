/**
 * The exact sum of doubles, rounded once when it is read. Sums and means must not depend on the
 * order in which elements arrive, panes merge or a job restores, and `+=` does.
 *
 * 1. The exact value is `whole` + the sum of `parts` + 2^512 times the sum of `large`; no operation
 *    but the final rounding loses a bit.
 * 2. `whole` is a safe integer and never -0; integers whose total stays safe touch nothing else and
 *    cost about what `+=` costs.
 * 3. `parts` and `large` are nonoverlapping expansions, of increasing magnitude, without zeros: two
 *    or three numbers as a rule, and never more than the exponents have room for.
 * 4. Neither lane overflows: a double of 2^512 or more goes to `large` divided by 2^512, which is
 *    exact for it, so a lane takes 2^511 addends.
 * 5. A sum is plain data: JSON.stringify of it is its snapshot. Equal values may be held in
 *    different parts; what is read from them is equal.
 *
 * Sources: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
 * Predicates (1997), theorem 10 (Grow-Expansion); D. E. Knuth, The Art of Computer Programming 2,
 * 4.2.2, theorem B (the error of an addition is a double). A. Neumaier's compensated summation
 * (1974) is cheaper, but keeps one correction only and so still depends on the order.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';

/** Plain data; read it with `roundedSum` and `meanOf` only. */
export interface ExactSum {
  whole: number;
  readonly parts: number[];
  readonly large: number[];
}

/** For reading and making doubles by their bits. */
const view = new DataView(new ArrayBuffer(8));
const largeFrom = powerOfTwo(512);
const largeScale = powerOfTwo(-512);

export function emptySum(): ExactSum {
  return { whole: 0, parts: [], large: [] };
}

/** Adds `x`, which must be finite: NaN and the infinities are refused before they come here. */
export function addToSum(sum: ExactSum, x: number): void {
  const next = sum.whole + x;
  // A sum of two integers that is rounded at all is rounded to 2^53 or more: within the bounds it
  // is exact, even if `x` alone is beyond them.
  if (next <= Number.MAX_SAFE_INTEGER && next >= Number.MIN_SAFE_INTEGER && Math.floor(x) === x)
    sum.whole = next;
  else addBeyondWhole(sum, x);
}

/** Adds all of `from`, which stays as it is, to `into`. */
export function mergeSums(into: ExactSum, from: ExactSum): void {
  assert(into !== from, 'a sum is not merged into itself');
  addToSum(into, from.whole);
  for (const part of from.parts) grow(into.parts, part);
  for (const part of from.large) grow(into.large, part);
}

/**
 * The double nearest to the exact sum, of two equally near ones that with the even significand:
 * what IEEE 754 demands of one addition. A total that rounds past the largest double is Infinity or
 * -Infinity; 0 is never -0.
 */
export function roundedSum(sum: ExactSum): number {
  if (sum.parts.length === 0 && sum.large.length === 0) return sum.whole;
  return sum.large.length === 0 ? roundedExpansion(wholeAndParts(sum)) : roundedQuotient(sum, 1);
}

/**
 * The double nearest to the exact sum divided by `count`, half to even; it is finite whenever the
 * addends were. IEEE 754 rounds a division of two doubles so. Where the exact sum is no double,
 * dividing its rounding would round twice: then the division is one of integers (BigInt), whose
 * remainder decides.
 */
export function meanOf(sum: ExactSum, count: number): number {
  assert(Number.isSafeInteger(count) && count > 0, 'a mean is of one value or more');
  if (sum.large.length > 0) return roundedQuotient(sum, count);
  if (sum.parts.length === 0) return sum.whole / count;
  const parts = wholeAndParts(sum);
  // Adding 0 makes the -0 of an underflow 0.
  return parts.length < 2 ? (parts[0] ?? 0) / count + 0 : roundedQuotient(sum, count);
}

function addBeyondWhole(sum: ExactSum, x: number): void {
  assert(Number.isFinite(x), 'an addend is finite');
  if (Number.isSafeInteger(x)) {
    grow(sum.parts, sum.whole);
    sum.whole = x;
  } else if (x >= largeFrom || x <= -largeFrom) grow(sum.large, x * largeScale);
  else grow(sum.parts, x);
}

/**
 * Grow-Expansion: adds `x` to the parts from the least on; the error of each addition stays as a
 * part, its result continues.
 */
function grow(parts: number[], x: number): void {
  let carried = x;
  let kept = 0;
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] as number;
    const added = carried + part;
    const taken = added - carried;
    const error = carried - (added - taken) + (part - taken);
    // Never ahead of `at`: each part leaves at most one error.
    if (error !== 0) parts[kept++] = error;
    carried = added;
  }
  if (carried !== 0) parts[kept++] = carried;
  parts.length = kept;
}

function wholeAndParts(sum: ExactSum): number[] {
  const parts = sum.parts.slice();
  grow(parts, sum.whole);
  return parts;
}

/**
 * The parts, added from the greatest down until something does not fit, are a double and an error
 * of at most half a unit in its last place. Only an error of exactly half a unit can be rounded
 * wrongly: hardware saw a tie, but the parts below say on which side of it the sum is.
 */
function roundedExpansion(parts: readonly number[]): number {
  let at = parts.length - 1;
  let rounded = parts[at] ?? 0;
  let error = 0;
  while (error === 0 && at > 0) {
    const before = rounded;
    const part = present(parts[--at], 'a part');
    rounded = before + part;
    error = part - (rounded - before);
  }
  const below = parts[at - 1];
  if (error === 0 || below === undefined || error > 0 !== below > 0) return rounded;
  // Twice the error is one unit in the last place, and the neighbour is that far away, only if the
  // error was half of one.
  const neighbour = rounded + 2 * error;
  return neighbour - rounded === 2 * error ? neighbour : rounded;
}

/** The exact sum divided by `count`, rounded half to even, by integers. */
function roundedQuotient(sum: ExactSum, count: number): number {
  const terms = [...sum.parts, sum.whole].map((part) => integerOf(part, 0));
  for (const part of sum.large) terms.push(integerOf(part, 512));
  const exponent = terms.reduce((least, term) => Math.min(least, term.exponent), 0);
  const total = terms.reduce(
    (added, term) => added + (term.significand << BigInt(term.exponent - exponent)),
    0n,
  );
  const magnitude = roundedRatio(total < 0n ? -total : total, exponent, BigInt(count));
  return total < 0n && magnitude > 0 ? -magnitude : magnitude;
}

/** dividend times 2^exponent / divisor. */
function roundedRatio(dividend: bigint, exponent: number, divisor: bigint): number {
  // With this unit the quotient has 53 bits or 54; a double has 53, and none lies below the unit of
  // the subnormal ones.
  let unit = Math.max(exponent + bitsOf(dividend) - bitsOf(divisor) - 53, -1074);
  let divided = divide(dividend, divisor, exponent - unit);
  if (divided.quotient >= 1n << 53n) divided = divide(dividend, divisor, exponent - ++unit);
  const { quotient, twiceRemainder, by } = divided;
  const up = twiceRemainder > by || (twiceRemainder === by && quotient % 2n === 1n);
  // A quotient of 53 bits in a unit above 2^971 is past the largest double; in a unit of up to
  // 2^971 the multiplication is exact or Infinity.
  return unit > 971
    ? Number.POSITIVE_INFINITY
    : Number(up ? quotient + 1n : quotient) * powerOfTwo(unit);
}

function divide(
  dividend: bigint,
  divisor: bigint,
  shift: number,
): { quotient: bigint; twiceRemainder: bigint; by: bigint } {
  const of = shift > 0 ? dividend << BigInt(shift) : dividend;
  const by = shift < 0 ? divisor << BigInt(-shift) : divisor;
  return { quotient: of / by, twiceRemainder: 2n * (of % by), by };
}

function bitsOf(value: bigint): number {
  const digits = value.toString(16);
  return 4 * digits.length - Math.clz32(Number.parseInt(digits.charAt(0), 16)) + 28;
}

/** A finite double times 2^shift as an integer times a power of two (IEEE 754, binary64). */
function integerOf(x: number, shift: number): { significand: bigint; exponent: number } {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const significand = biased === 0 ? fraction : fraction | (1n << 52n);
  return {
    significand: x < 0 ? -significand : significand,
    exponent: Math.max(biased, 1) - 1075 + shift,
  };
}

/** 2^exponent for exponents from -1074 to 1023, by bits: engines may differ in what `**` gives. */
function powerOfTwo(exponent: number): number {
  view.setBigUint64(
    0,
    exponent < -1022 ? 1n << BigInt(exponent + 1074) : BigInt(exponent + 1023) << 52n,
  );
  return view.getFloat64(0);
}
