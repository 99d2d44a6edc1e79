/**
 * Numbers as a person reads and writes them: amounts, dollars, rates, sizes and shares. Pure.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';

/** A formatter takes longer to make than thousands of numbers to format. */
const formatters = new Map<string, Intl.NumberFormat>();

function formatted(value: number, least: number, most: number): string {
  const key = `${least} ${most}`;
  const digits = { minimumFractionDigits: least, maximumFractionDigits: most };
  const formatter = formatters.get(key) ?? new Intl.NumberFormat('en-US', digits);
  formatters.set(key, formatter);
  return formatter.format(value);
}

/** With thousands apart, and `digits` decimals where they matter: below 100. */
export function count(value: number, digits = 0): string {
  return formatted(value, 0, Math.abs(value) < 100 ? digits : 0);
}

/** A sum: `$1,234`; with cents below 10 dollars. */
export function dollars(value: number): string {
  return value >= 10 || Number.isInteger(value) ? `$${count(value)}` : `$${value.toFixed(2)}`;
}

/** What one of something costs: `$0.015`, with at least cents. */
export function price(value: number): string {
  return `$${Number.isInteger(value) ? count(value) : formatted(value, 2, 4)}`;
}

const times = { s: 1, min: 60, h: 3_600, day: 86_400 } as const;
const multiples = { '': 1, k: 1e3, m: 1e6, g: 1e9 } as const;
const sizes = { b: 1, kb: 1_024, kib: 1_024, mb: 1_048_576, mib: 1_048_576 } as const;
/** Above this a number is a mistake: more than any service takes. */
const rateMax = 10_000_000;
const sizeMaxBytes = 104_857_600;

/** Events a second: `4500`, `4.5k/s`, `270k/min`, `12M/day`. Throws `SluiceError` `option-invalid`. */
export function rateOf(text: string, option: string): number {
  const [, number, multiple = '', time = 's'] =
    /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:\/(s|min|h|day))?$/i.exec(text.trim()) ?? [];
  const rate =
    (Number(number) * multiples[multiple.toLowerCase() as keyof typeof multiples]) /
    times[time.toLowerCase() as keyof typeof times];
  if (rate <= rateMax) return rate;
  throw invalid(
    option,
    text,
    number === undefined
      ? 'events a second, such as 4500, 4.5k/s, 270k/min or 12M/day'
      : `at most ${count(rateMax)} a second`,
  );
}

/** Bytes: `5120b`, `5kb`, `1mb`; 1 kb is 1,024 bytes. Throws `SluiceError` `option-invalid`. */
export function sizeOf(text: string, option: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*(b|kb|kib|mb|mib)$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * sizes[unit.toLowerCase() as keyof typeof sizes]);
  if (bytes >= 1 && bytes <= sizeMaxBytes) return bytes;
  throw invalid(
    option,
    text,
    number === undefined
      ? 'a size with its unit, such as 500b, 5kb or 1mb (1 kb is 1,024 bytes)'
      : 'from 1b to 100mb',
  );
}

/** From 0 to 1: `1%`, `0.1%`. Throws `SluiceError` `option-invalid`. */
export function shareOf(text: string, option: string): number {
  const [, number] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? [];
  const share = Number(number) / 100;
  if (share <= 1) return share;
  throw invalid(option, text, 'a share from 0% to 100%, such as 1%');
}

/** A number from `least` to `most`. Throws `SluiceError` `option-invalid`. */
export function factorOf(text: string, option: string, least: number, most: number): number {
  const number = /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid(option, text, `a number from ${count(least)} to ${count(most)}`);
}

function invalid(option: string, text: string, expected: string): SluiceError {
  return new SluiceError('option-invalid', `invalid --${option} '${text}': expected ${expected}`);
}
