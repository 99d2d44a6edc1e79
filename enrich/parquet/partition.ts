/**
 * Hive-style folders of a row: `date=2013-01-01/hour=10/team=nyc/app=flights`. Pure.
 */
import type { PartitionColumn } from '../../topology/index.ts';

export interface PartitionOwner {
  readonly team: string;
  readonly app: string;
}

const hourMs = 3_600_000;

/** A function that remembers the folders of the last hour: most rows share it with the one before. */
export function partitioner(partitionBy: readonly PartitionColumn[]): (timestampMs: number, team: string, app: string) => string {
  let lastHour = Number.NaN;
  let date = '';
  let hour = '';
  const parts: Readonly<Record<PartitionColumn, (team: string, app: string) => string>> = {
    date: () => `date=${date}`,
    hour: () => `hour=${hour}`,
    team: (team) => `team=${encodeURIComponent(team)}`,
    app: (_team, app) => `app=${encodeURIComponent(app)}`,
  };
  return (timestampMs, team, app) => {
    const hourOf = Math.floor(timestampMs / hourMs);
    if (hourOf !== lastHour) {
      const iso = new Date(timestampMs).toISOString();
      date = iso.slice(0, iso.indexOf('T'));
      hour = iso.slice(iso.indexOf('T') + 1, iso.indexOf('T') + 3);
      lastHour = hourOf;
    }
    return partitionBy.map((column) => parts[column](team, app)).join('/');
  };
}
