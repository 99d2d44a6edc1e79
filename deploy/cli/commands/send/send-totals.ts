/**
 * What became of the events of a `send`: counts, and of the refused ones the first of each kind.
 */
import type { Output } from '../../output.ts';
import type { Refusal } from './send-answer.ts';

export interface RefusedKind {
  readonly code: string;
  count: number;
  /** Of the first one. */
  readonly line: number;
  readonly message: string;
  readonly expected?: string;
  readonly pointer?: string;
}

export interface Totals {
  sent: number;
  bytes: number;
  retried: number;
  refused: number;
  readonly byRoute: Record<string, number>;
  readonly kinds: Map<string, RefusedKind>;
}

/** Kinds beyond these are counted in the sum only. */
const kindsMax = 100;

export function emptyTotals(): Totals {
  return { sent: 0, bytes: 0, retried: 0, refused: 0, byRoute: {}, kinds: new Map() };
}

export function countSent(totals: Totals, bytes: number, route: string): void {
  totals.sent++;
  totals.bytes += bytes;
  totals.byRoute[route] = (totals.byRoute[route] ?? 0) + 1;
}

/** The first of a kind is the one that comes first in the file. */
export function countRefused(totals: Totals, line: number, refusal: Refusal): void {
  totals.refused++;
  const known = totals.kinds.get(refusal.code);
  if (known === undefined && totals.kinds.size >= kindsMax) return;
  const count = (known?.count ?? 0) + 1;
  if (known === undefined || line < known.line)
    totals.kinds.set(refusal.code, { ...refusal, count, line });
  else known.count = count;
}

export function reportTotals(
  { kinds, ...totals }: Totals,
  seconds: number,
  stream: string,
  output: Output,
): void {
  const rate = Math.round(totals.sent / Math.max(seconds, 0.001));
  const refusals = [...kinds.values()].toSorted((a, b) => b.count - a.count);
  if (output.json) {
    output.line(JSON.stringify({ stream, ...totals, seconds, rate, refusals }));
    return;
  }
  const routes = Object.entries(totals.byRoute).map(([route, count]) => `${count} to ${route}`);
  const accepted = routes.length === 0 ? '' : `: ${routes.join(', ')}`;
  output.line(
    `${totals.sent} events (${mebibytes(totals.bytes)}) to ${stream} in ${seconds.toFixed(1)} s, ${rate}/s${accepted}`,
  );
  if (totals.refused === 0) return;
  output.line(`${totals.refused} refused:`);
  for (const kind of refusals) {
    const where = kind.pointer === undefined || kind.pointer === '' ? '' : `, at ${kind.pointer}`;
    const expected = kind.expected === undefined ? '' : `; expected ${kind.expected}`;
    output.line(
      `  ${kind.count} ${kind.code}, the first on line ${kind.line}${where}: ${kind.message}${expected}`,
    );
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
