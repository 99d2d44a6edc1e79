/**
 * `sluice topology describe|check`: looks at a topology file without running it.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { GraphFormat } from '../../topology/index.ts';
import { describeGraph, validateTopology } from '../../topology/index.ts';
import { loadTopologyFile } from '../host/topology-file.ts';
import type { Output } from './output.ts';

const formats: readonly GraphFormat[] = ['json', 'mermaid', 'dot'];

export async function describeCommand(file: string, format: string, output: Output): Promise<number> {
  const known = formats.find((candidate) => candidate === format);
  if (known === undefined) throw new SluiceError('format-unknown', `invalid --format '${format}': expected ${formats.join(', ')}`);
  const { graph } = await loadTopologyFile(file);
  output.line(describeGraph(graph, known).trimEnd());
  return 0;
}

/** Exit code 1 when the topology has problems, each told with its node. */
export async function checkCommand(file: string, output: Output): Promise<number> {
  const { topology, graph } = await loadTopologyFile(file);
  const problems = validateTopology(topology);
  if (output.json) output.line(JSON.stringify({ ok: problems.length === 0, name: graph.name, problems }));
  else {
    for (const { node, message } of problems) output.line(`${file}: ${node}: ${message}`);
    output.line(
      problems.length === 0 ? `${file}: topology '${graph.name}' is valid, ${graph.nodes.length} nodes` : `${problems.length} problem(s)`,
    );
  }
  return problems.length === 0 ? 0 : 1;
}
