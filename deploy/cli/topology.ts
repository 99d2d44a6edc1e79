/**
 * `sluice topology describe|check`: looks at a topology file without running it.
 */
import type { Environment } from '../../schemas/config-file.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { GraphFormat } from '../../topology/index.ts';
import { describeGraph } from '../../topology/index.ts';
import { findingText } from '../host/findings.ts';
import { checkTopologyFile } from '../host/topology-check.ts';
import { loadTopologyFile } from '../host/topology-file.ts';
import type { Finding } from '../host/worker-protocol.ts';
import type { Output } from './output.ts';
import { typesOf } from './schema-types.ts';

const formats: readonly GraphFormat[] = ['json', 'mermaid', 'dot'];

export async function describeCommand(file: string, format: string, output: Output): Promise<number> {
  const known = formats.find((candidate) => candidate === format);
  if (known === undefined) throw new SluiceError('format-unknown', `invalid --format '${format}': expected ${formats.join(', ')}`);
  const { graph } = await loadTopologyFile(file);
  output.line(describeGraph(graph, known).trimEnd());
  return 0;
}

export interface CheckCommand {
  readonly file: string;
  readonly config: string | undefined;
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
}

/** Exit code 1 when there are findings, each told with its place and its fix. */
export async function checkCommand(command: CheckCommand, output: Output): Promise<number> {
  const { file } = command;
  const { name, nodes, findings, notes } = await checkTopologyFile({ ...command, typesOf });
  for (const note of notes) output.note(`${file}: ${note}`);
  const isGood = findings.length === 0;
  if (output.json) output.line(JSON.stringify({ ok: isGood, name, problems: findings.map((finding) => flat(finding, file)) }));
  else {
    for (const finding of findings) output.line(findingText(finding, file));
    output.line(isGood ? `${file}: topology '${name}' is valid, ${nodes} nodes` : `${findings.length} problem(s)`);
  }
  return isGood ? 0 : 1;
}

function flat({ place, ...finding }: Finding, file: string): object {
  return { ...finding, file: place?.file ?? file, line: place?.line ?? null, column: place?.column ?? null };
}
