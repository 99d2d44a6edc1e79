/**
 * A real embedded graph in a folder of its own, and batches for its sink.
 */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import { openLadybug } from '../../../enrich/graph/ladybug/ladybug-database.ts';
import type { ElementBatch, GraphModel } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphDatabaseRig } from '../../contract/graph-database.ts';
import { batchOf } from '../support.ts';

/** Opens the graph below `folder`, which must exist; it is closed when the running test ends. */
export async function ladybugRig(folder: string): Promise<GraphDatabaseRig> {
  const ladybug = await openLadybug(join(folder, 'graph'));
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await ladybug.close();
  };
  onTestFinished(close);
  return {
    database: cypherDatabase(ladybug.session),
    // As the owner: answers to questions are bounded.
    ask: (statement) =>
      ladybug.session.transaction(async (run) =>
        (await run(statement, [])).map((row) => Object.values(row)),
      ),
    close,
  };
}

export function writesBatch(...elements: readonly unknown[]): ElementBatch {
  return batchOf(elements, () => 0);
}

/** A label and its key each. */
export function labels(...of: readonly (readonly [label: string, key: string])[]): GraphModel {
  return graphModel({
    nodes: Object.fromEntries(
      of.map(([label, key]) => [label, { key, props: { [key]: 'string' as const } }]),
    ),
  }).definition;
}
