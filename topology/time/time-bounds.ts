/**
 * The ends of event time, how times are written as JSON, and what an operator forwards of time.
 */

/** Before any event. Everything is later. */
export const minTime = Number.NEGATIVE_INFINITY;
/** The end of input. Nothing is later. */
export const maxTime = Number.POSITIVE_INFINITY;

export type TimeSignal =
  | { readonly kind: 'watermark'; readonly at: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'active' };

/** Times in JSON: infinities have no number there. */
export type EncodedTime = number | 'min' | 'max';

export function encodeTime(time: number): EncodedTime {
  if (time === minTime) return 'min';
  return time === maxTime ? 'max' : time;
}

export function decodeTime(encoded: EncodedTime): number {
  if (encoded === 'min') return minTime;
  return encoded === 'max' ? maxTime : encoded;
}
