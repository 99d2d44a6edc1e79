/**
 * What a sender may do, once it is known who it is.
 */
import type { QuotaConfig } from '../../schemas/config.ts';
import type { Refusal } from '../event/refusal.ts';

export interface Grant {
  /**
   * Who it is: one sender, one name. Names of keys, of tokens and of nobody in particular are three
   * sets that share none.
   */
  readonly name: string;
  readonly segmentStream: string | undefined;
  readonly quota: QuotaConfig | undefined;
  readonly origins: Origins;
  /**
   * The same sender's grant by the configuration as it is now: this very one while nothing changed
   * for it, else another, or why it has none any more (its key was taken out, its token has
   * expired). `nowMs` in epoch milliseconds. For whatever stays longer than one turn.
   */
  renewed(nowMs: number): Grant | Refusal;
  allows(stream: string): boolean;
}

/** Origins of pages that may send; `local`: those of this machine, on any port. */
export type Origins = readonly string[] | 'local';

const everyTeam = '*/*';
const localOrigin = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** What Access-Control-Allow-Origin says to `origin`. Undefined: its pages may not send. Pure. */
export function allowedBy(origins: Origins, origin: string): string | undefined {
  if (origins === 'local') return localOrigin.test(origin) ? origin : undefined;
  if (origins.includes(origin)) return origin;
  return origins.includes('*') ? '*' : undefined;
}

/** Whether `stream` is within the patterns. Team `sluice` is within none. Pure. */
export function covers(patterns: readonly string[], stream: string): boolean {
  if (stream.startsWith('sluice/')) return false;
  const team = `${stream.slice(0, stream.indexOf('/'))}/*`;
  return patterns.some(
    (pattern) => pattern === stream || pattern === team || pattern === everyTeam,
  );
}
