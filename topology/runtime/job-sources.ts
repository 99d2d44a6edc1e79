/**
 * The readers of a job's sources, with what its last checkpoint says of their splits.
 */
import type { RunId } from '../../schemas/run-id.ts';
import type { Manifest, SplitMark } from '../checkpoint/manifest.ts';
import type { Plan } from '../plan/plan.ts';
import type { SourceInput } from './cursor.ts';
import { positionKey } from './cursor.ts';
import type { Dag } from './dag.ts';
import type { JobConnectors } from './job-options.ts';
import { isSkipped } from './skips.ts';
import { unfoldingReader } from './unfold.ts';

export async function inputsOf(
  dag: Dag,
  plan: Plan,
  { positions, skips = [], marks = {} }: Manifest,
  run: RunId,
  connectors: JobConnectors,
): Promise<readonly SourceInput[]> {
  const inputs: SourceInput[] = [];
  for (const { node } of dag.sources) {
    for (const folded of await connectors.readers(node.stream, plan, run)) {
      const reader = unfoldingReader(folded, node.stream, connectors.claims);
      const { route } = reader;
      inputs.push({
        source: node,
        reader,
        positionOf: (split) => positions[node.id]?.[positionKey({ route, split })],
        isSkipped: (split) => isSkipped(skips, node.id, route, split),
        marks: marksOfRoute(marks[node.id] ?? {}, route),
      });
    }
  }
  return inputs;
}

function marksOfRoute(
  marks: Readonly<Record<string, SplitMark>>,
  route: string,
): ReadonlyMap<string, SplitMark> {
  const prefix = `${route} `;
  return new Map(
    Object.entries(marks).flatMap(([key, mark]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), mark] as const] : [],
    ),
  );
}
