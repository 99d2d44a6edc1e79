/**
 * Conservation from the client to the ends: what was acknowledged has landed once in the table and the graph, at least once in Firehose, or is
 * rejected with its reason.
 */
import type { Sent } from '../clients.ts';
import { isValid } from './events.ts';

/** What lies at the ends when everything was drained. Ids come as often as they are there. */
export interface Landed {
  readonly table: readonly string[];
  readonly hose: readonly { readonly id: string; readonly rowId: string }[];
  readonly graph: readonly string[];
  readonly rejected: readonly string[];
}

export interface StreamsTally {
  readonly sent: number;
  readonly acknowledged: number;
  /** In the table. */
  readonly landed: number;
  readonly rejected: number;
  /** Rows beyond the first of their event in the table, the graph, the rejected table, and in what Firehose delivered when each identity counts once. */
  readonly duplicated: number;
  /** Rows that Firehose delivered beyond the first of their identity. */
  readonly duplicatedRaw: number;
  /** Acknowledged, and missing at one of the ends. */
  readonly lost: number;
  /** At an end where it does not belong. */
  readonly misplaced: number;
}

export function streamsTally(sent: Sent, landed: Landed): StreamsTally {
  const hose = [...new Map(landed.hose.map(({ id, rowId }) => [rowId, id])).values()];
  const sets = { table: new Set(landed.table), hose: new Set(hose), graph: new Set(landed.graph), rejected: new Set(landed.rejected) };
  const extra = (ids: readonly string[]): number => ids.length - new Set(ids).size;
  const numberOf = (id: string): number => Number(id.slice(1));
  let lost = 0;
  for (const id of sent.acknowledged.keys()) {
    const there = isValid(numberOf(id)) ? sets.table.has(id) && sets.hose.has(id) && sets.graph.has(id) : sets.rejected.has(id);
    if (!there) lost++;
  }
  const misplaced =
    [...sets.table, ...sets.hose, ...sets.graph].filter((id) => !isValid(numberOf(id))).length +
    [...sets.rejected].filter((id) => isValid(numberOf(id))).length;
  return {
    sent: sent.sent,
    acknowledged: sent.acknowledged.size,
    landed: sets.table.size,
    rejected: sets.rejected.size,
    duplicated: extra(landed.table) + extra(landed.graph) + extra(landed.rejected) + extra(hose),
    duplicatedRaw: landed.hose.length - hose.length,
    lost,
    misplaced,
  };
}
