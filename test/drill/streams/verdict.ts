/**
 * Conservation from the client to the ends: what was acknowledged has landed once in the table and
 * the graph, at least once in Firehose, or is rejected with its reason.
 */
import type { Sent } from '../clients.ts';
import type { Checks } from '../run-scenarios.ts';
import { isValid } from './events.ts';

/** What lies at the ends when everything was drained. Ids come as often as they are there. */
export interface Landed {
  readonly table: readonly string[];
  readonly hose: readonly { readonly id: string; readonly rowId: string }[];
  readonly graph: readonly string[];
  readonly rejected: readonly string[];
  /** What did not end in the time that it had, in words. */
  readonly unfinished: readonly string[];
}

export interface StreamsTally {
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** In the table. */
  readonly landed: number;
  readonly rejected: number;
  /**
   * Rows beyond the first of their event in the table, the graph, the rejected table, and in what
   * Firehose delivered when each identity counts once.
   */
  readonly duplicated: number;
  /** Rows that Firehose delivered beyond the first of their identity. */
  readonly duplicatedRaw: number;
  /**
   * Acknowledged, and missing at one of the ends though everything was drained, without a word.
   * Fewer than none: more are told as lost than are.
   */
  readonly lost: number;
  /** Lost as the stream lost them, and counted as such by the topology. */
  readonly told: number;
  /**
   * Sent until it was given up, without an answer; or acknowledged and missing at an end, as not
   * everything was drained in time.
   */
  readonly stuck: number;
  /** At an end where it does not belong. */
  readonly misplaced: number;
  readonly unfinished: readonly string[];
}

export function streamsTally(sent: Sent, landed: Landed, told = 0): StreamsTally {
  const hose = [...new Map(landed.hose.map(({ id, rowId }) => [rowId, id])).values()];
  const sets = {
    table: new Set(landed.table),
    hose: new Set(hose),
    graph: new Set(landed.graph),
    rejected: new Set(landed.rejected),
  };
  const extra = (ids: readonly string[]): number => ids.length - new Set(ids).size;
  const numberOf = (id: string): number => Number(id.slice(1));
  const isDrained = landed.unfinished.length === 0;
  let missing = 0;
  for (const id of sent.acknowledged.keys()) {
    const there = isValid(numberOf(id))
      ? sets.table.has(id) && sets.hose.has(id) && sets.graph.has(id)
      : sets.rejected.has(id);
    if (!there) missing++;
  }
  const misplaced =
    [...sets.table, ...sets.hose, ...sets.graph].filter((id) => !isValid(numberOf(id))).length +
    [...sets.rejected].filter((id) => isValid(numberOf(id))).length;
  return {
    sent: sent.sent,
    acknowledged: sent.acknowledged.size,
    refused: sent.refused.size,
    landed: sets.table.size,
    rejected: sets.rejected.size,
    duplicated: extra(landed.table) + extra(landed.graph) + extra(landed.rejected) + extra(hose),
    duplicatedRaw: landed.hose.length - hose.length,
    lost: isDrained ? missing - told : 0,
    told,
    stuck: sent.sent - sent.acknowledged.size - sent.refused.size + (isDrained ? 0 : missing),
    misplaced,
    unfinished: landed.unfinished,
  };
}

export const nothingTwice = 'nothing is there twice, but what Firehose delivers';

/** What holds whatever failed meanwhile. */
export function conserved({
  lost,
  stuck,
  duplicated,
  misplaced,
  unfinished,
}: StreamsTally): Checks {
  return [
    ['nothing acknowledged is lost without a word', lost === 0],
    ['every event is acknowledged and gets through in the end', stuck === 0],
    [['spools and streams are drained', ...unfinished].join(': '), unfinished.length === 0],
    [nothingTwice, duplicated === 0],
    ['nothing is where it does not belong', misplaced === 0],
  ];
}
