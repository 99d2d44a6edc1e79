/**
 * A latency histogram on plain numbers: fixed bounds, no allocation and no library on the hot path.
 */

/** Upper bounds of the buckets in ms, each about 1.6 times the last; the last bucket has none. */
export const histogramBoundsMs: readonly number[] = [
  0.1, 0.25, 0.5, 1, 1.6, 2.5, 4, 6.3, 10, 16, 25, 40, 63, 100, 160, 250, 400, 630, 1_000, 2_500,
  5_000, 10_000, 30_000,
];

export interface Histogram {
  observe(ms: number): void;
  /** Counts of each bucket, the last without a bound. */
  readonly counts: Readonly<Float64Array>;
  readonly sumMs: number;
}

export function createHistogram(): Histogram {
  const counts = new Float64Array(histogramBoundsMs.length + 1);
  const bounds = Float64Array.from(histogramBoundsMs);
  let sumMs = 0;
  return {
    observe(ms) {
      sumMs += ms;
      let low = 0;
      let high = bounds.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((bounds[middle] as number) < ms) low = middle + 1;
        else high = middle;
      }
      counts[low] = (counts[low] as number) + 1;
    },
    counts,
    get sumMs() {
      return sumMs;
    },
  };
}
