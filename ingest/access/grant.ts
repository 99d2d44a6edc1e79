/**
 * What a sender may do, once it is known who it is.
 */
import type { QuotaConfig } from '../../schemas/config-access.ts';

export interface Grant {
  readonly name: string;
  readonly segmentStream: string | undefined;
  readonly quota: QuotaConfig | undefined;
  readonly origins: readonly string[];
  /** True once the configuration does not have it any more. */
  readonly revoked: boolean;
  allows(stream: string): boolean;
}

const everyTeam = '*/*';

/** Whether `stream` is within the patterns. Team `sluice` is within none. Pure. */
export function covers(patterns: readonly string[], stream: string): boolean {
  if (stream.startsWith('sluice/')) return false;
  const team = `${stream.slice(0, stream.indexOf('/'))}/*`;
  return patterns.some((pattern) => pattern === stream || pattern === team || pattern === everyTeam);
}
