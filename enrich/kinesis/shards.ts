/**
 * The shards of a stream as splits: parents before their children. Pure.
 */
import type { Split } from '../../schemas/ports/record.ts';

/** As ListShards tells it. */
export interface Shard {
  readonly id: string;
  readonly parent?: string | undefined;
  /** Of a merge: the other parent. */
  readonly adjacentParent?: string | undefined;
}

/** Parents that are not listed are gone with their records, and left out. Otherwise in the order of their ids. */
export function splitsOf(shards: readonly Shard[]): readonly Split[] {
  const byId = new Map([...shards].sort((a, b) => (a.id < b.id ? -1 : 1)).map((shard) => [shard.id, shard]));
  const begun = new Set<string>();
  const ordered = new Map<string, Split>();
  const place = ({ id, parent, adjacentParent }: Shard): void => {
    if (begun.has(id)) return;
    begun.add(id);
    const parents = [parent, adjacentParent]
      .map((own) => (own === undefined ? undefined : byId.get(own)))
      .filter((own) => own !== undefined);
    for (const own of parents) place(own);
    // A shard is never its own ancestor; were one listed so, it would be read without waiting.
    ordered.set(id, { id, parents: [...new Set(parents.map((own) => own.id))].filter((own) => ordered.has(own)) });
  };
  for (const shard of byId.values()) place(shard);
  return [...ordered.values()];
}
