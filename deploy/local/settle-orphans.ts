/**
 * Topologies that have checkpoints and are in no file of the configuration any more: what they
 * staged becomes visible at the start, as nobody else would make it so.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { checkpointedTopologies, settleStaged } from '../../topology/index.ts';

export interface OrphansOptions {
  readonly dir: string;
  readonly blobs: BlobStore;
  readonly graph: GraphDatabase;
  /**
   * Those of the configuration; null where one could not be loaded, so that nobody knows its name.
   */
  readonly names: readonly (string | null)[];
  readonly clock: Clock;
  readonly tell: (line: string) => void;
}

export async function settleOrphans(options: OrphansOptions): Promise<void> {
  const { blobs, names, tell } = options;
  if (names.includes(null)) return;
  try {
    const orphans = (await checkpointedTopologies(blobs)).filter((name) => !names.includes(name));
    if (orphans.length > 0) await settleAll(orphans, options);
  } catch (thrown) {
    tell(`rows staged by topologies without a file cannot be looked for: ${messageOf(thrown)}`);
  }
}

async function settleAll(
  orphans: readonly string[],
  { dir, blobs, graph, clock, tell }: OrphansOptions,
): Promise<void> {
  const { localBindings } = await import('./local-bindings.ts');
  const bindings = localBindings(
    { kind: 'local', dir, streams: {}, lookups: {}, parquetFileMaxAgeMs: 0 },
    dir,
    graph,
  );
  for (const topology of orphans) {
    try {
      const rows = await settleStaged({
        topology,
        blobs,
        connectors: bindings.connectors,
        clock,
        random: systemRandom,
      });
      if (rows > 0)
        tell(
          `'${topology}' is no longer in any topology file: ${rows} rows that it had staged are visible now`,
        );
    } catch (thrown) {
      tell(
        `'${topology}' is no longer in any topology file, and what it staged cannot be made visible: ${messageOf(thrown)}`,
      );
    }
  }
  await bindings.close();
}
