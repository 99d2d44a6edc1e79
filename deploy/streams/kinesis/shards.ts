/**
 * The shards of a stream as splits: parents before their children. Pure.
 */
import type { Split } from '../../../schemas/ports/record.ts';

/** As ListShards tells it. */
export interface Shard {
  readonly id: string;
  readonly parent?: string | undefined;
  /** Of a merge: the other parent. */
  readonly adjacentParent?: string | undefined;
  /**
   * A sequence number before all of its records; a shard of the same name in a stream that was
   * created again has another.
   */
  readonly begins?: string | undefined;
}

/**
 * Parents that are not listed are gone with their records, and named as that. Otherwise in the
 * order of their ids.
 */
export function splitsOf(shards: readonly Shard[]): readonly Split[] {
  const byId = new Map(
    [...shards].sort((a, b) => (a.id < b.id ? -1 : 1)).map((shard) => [shard.id, shard]),
  );
  const begun = new Set<string>();
  const ordered = new Map<string, Split>();
  const place = ({ id, parent, adjacentParent, begins }: Shard): void => {
    if (begun.has(id)) return;
    begun.add(id);
    const names = [...new Set([parent, adjacentParent].filter((own) => own !== undefined))];
    const gone = names.filter((own) => !byId.has(own));
    for (const own of names) {
      const shard = byId.get(own);
      if (shard !== undefined) place(shard);
    }
    ordered.set(id, {
      id,
      // A shard is never its own ancestor; were one listed so, it would be read without waiting.
      parents: names.filter((own) => ordered.has(own)),
      ...(begins === undefined ? {} : { begins }),
      ...(gone.length === 0 ? {} : { goneParents: gone }),
    });
  };
  for (const shard of byId.values()) place(shard);
  return [...ordered.values()];
}
