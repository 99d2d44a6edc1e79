/**
 * Whether what was measured through a soak stays where it is. Pure.
 *
 * The first third is for what fills: caches, state that is kept for a time, files that grow until
 * they are published. The median of the last third is compared with that of the second, so that
 * what a fault does for a while counts for little.
 */
export interface Measured {
  readonly atMs: number;
  readonly value: number;
}

export interface Flatness {
  readonly second: number;
  readonly last: number;
  /** (last - second) / second; 0 where both are 0. */
  readonly change: number;
  readonly isFlat: boolean;
}

const changeMax = 0.1;

/**
 * `slack`: a difference up to it is none, as one file more is of few. Undefined without a value in
 * each of the two thirds.
 */
export function flatnessOf(
  measured: readonly Measured[],
  totalMs: number,
  slack = 0,
): Flatness | undefined {
  const third = (nth: number): readonly number[] =>
    measured
      .filter(({ atMs }) => Math.min(Math.floor((atMs * 3) / totalMs), 2) === nth)
      .map(({ value }) => value);
  const [second, last] = [median(third(1)), median(third(2))];
  if (second === undefined || last === undefined) return undefined;
  const difference = last - second;
  const change = difference === 0 ? 0 : difference / second;
  return {
    second,
    last,
    change,
    isFlat: Math.abs(difference) <= Math.max(changeMax * second, slack),
  };
}

/** Undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
