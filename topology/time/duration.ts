/**
 * Durations as an author writes them: a number of milliseconds, or text such as '250ms', '10s',
 * '5m', '1h', '31d', with an optional sign.
 */

/**
 * A duration in a topology: 10,000 years, as long as all event times that are read. What is added
 * to an event time, several of them too, is still a time that a Date holds (8.64e15 ms,
 * https://262.ecma-international.org/#sec-time-values-and-time-range).
 */
export const durationMaxMs = 3_652_500 * 86_400_000;

export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Integer milliseconds, or undefined when `duration` is none, or is no whole number of them. It may
 * be too long: see `durationMaxMs`.
 */
export function parseDuration(duration: unknown): number | undefined {
  if (typeof duration === 'number') return Number.isInteger(duration) ? duration : undefined;
  if (typeof duration !== 'string') return undefined;
  const match = /^(-?)(\d{1,100})(?:\.(\d{1,100}))?(ms|s|m|h|d)$/.exec(duration);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', unit = ''] = match;
  // In digits: 1.001 * 1000 would be 1000.9999999999999.
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(unitMs[unit] ?? 0);
  if (scaled % scale !== 0n) return undefined;
  return Number(sign === '-' ? -(scaled / scale) : scaled / scale);
}

/** As an author would write it: in the largest unit that divides it. */
export function durationText(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = Object.entries(unitMs).findLast(([, of]) => ms % of === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
