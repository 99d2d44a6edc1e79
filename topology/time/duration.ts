/**
 * Durations as an author writes them: a number of milliseconds, or text such as '250ms', '10s', '5m', '1h', '31d', with an optional sign.
 */

export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Integer milliseconds, or undefined when `duration` is none. */
export function parseDuration(duration: unknown): number | undefined {
  if (typeof duration === 'number') return Number.isSafeInteger(duration) ? duration : undefined;
  if (typeof duration !== 'string') return undefined;
  const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
  if (match === null) return undefined;
  const ms = Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
