/**
 * `sluice topology describe|check|build`: looks at a topology file without running it, and makes of
 * it what `sluice enrich` runs.
 */
import { relative } from 'node:path';
import type { Environment } from '../../../../schemas/config-file.ts';
import { loadConfig } from '../../../../schemas/config-file.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { PlanFormat } from '../../../../topology/index.ts';
import { describePlan } from '../../../../topology/index.ts';
import { buildTopologyFile } from '../../../host/built-topology.ts';
import { findingText } from '../../../host/findings.ts';
import type { CheckTarget } from '../../../host/topology-check.ts';
import { checkTopologyFile } from '../../../host/topology-check.ts';
import { loadTopologyFile } from '../../../host/topology-file.ts';
import type { Finding } from '../../../host/worker-protocol.ts';
import type { Output } from '../../output.ts';
import { typesOf } from '../schema/schema-types.ts';

const formats: readonly PlanFormat[] = ['json', 'mermaid', 'dot'];

export async function describeCommand(
  file: string,
  format: string,
  output: Output,
): Promise<number> {
  const known = formats.find((candidate) => candidate === format);
  if (known === undefined)
    throw new SluiceError(
      'format-unknown',
      `invalid --format '${format}': expected ${formats.join(', ')}`,
    );
  const { plan } = await loadTopologyFile(file);
  output.line(describePlan(plan, known).trimEnd());
  return 0;
}

export interface CheckCommand {
  readonly file: string;
  /** As it was given. */
  readonly target: string | undefined;
  readonly config: string | undefined;
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
}

/**
 * Exit code 1 when there are findings, each told with its place and its fix; warnings are told
 * beside them, and change nothing.
 */
export async function checkCommand(command: CheckCommand, output: Output): Promise<number> {
  const { file } = command;
  const target = await targetOf(command.target);
  const check = await checkTopologyFile({ ...command, target, typesOf });
  const { name, nodes, findings, warnings = [], unchecked, notes } = check;
  if (unchecked !== undefined) output.note(`${file}: its types: ${unchecked}`);
  for (const note of notes) output.note(`${file}: ${note}`);
  const isGood = findings.length === 0;
  if (output.json) {
    const [problems, more] = [findings, warnings].map((list) =>
      list.map((finding) => flat(finding, file)),
    );
    output.line(JSON.stringify({ ok: isGood, name, problems, warnings: more }));
  } else {
    for (const warning of warnings) output.line(`warning: ${findingText(warning, file)}`);
    for (const finding of findings) output.line(findingText(finding, file));
    const found = findings.length > 0 ? `${findings.length} problem(s)` : undefined;
    const valid = target === undefined ? 'is valid' : 'can run on Flink';
    output.line(found ?? `${file}: topology '${name}' ${valid}, ${nodes} nodes`);
  }
  return isGood ? 0 : 1;
}

/** Throws `SluiceError` `option-invalid`. */
async function targetOf(text: string | undefined): Promise<CheckTarget | undefined> {
  if (text === undefined) return undefined;
  if (text === 'flink') return (await import('../../../flink/check/findings.ts')).flinkTarget;
  throw new SluiceError('option-invalid', `invalid --for '${text}': expected flink`);
}

export interface BuildCommand {
  /** None: those of the configuration. */
  readonly files: readonly string[];
  readonly config: string;
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
}

/** What depends on where a topology runs is looked at when it starts there. */
const ofThePlace: ReadonlySet<Finding['kind']> = new Set([
  'stream',
  'connector',
  'table',
  'state',
  'configuration',
]);

/** Exit code 1 when one has findings; then none is written. */
export async function buildCommand(
  { files, config, ...rest }: BuildCommand,
  output: Output,
): Promise<number> {
  const named =
    files.length > 0
      ? files
      : loadConfig(config, rest.env).topologies.map((file) => relative(process.cwd(), file));
  const problems: object[] = [];
  for (const file of named) {
    const { findings, unchecked } = await checkTopologyFile({ ...rest, file, config, typesOf });
    // What is not checked is not built.
    if (unchecked !== undefined)
      throw new SluiceError(
        'types-unchecked',
        `the types of ${file} cannot be checked: ${unchecked}`,
      );
    const found = findings.filter(({ kind }) => !ofThePlace.has(kind));
    for (const finding of found) problems.push(flat(finding, file));
    if (!output.json) for (const finding of found) output.line(findingText(finding, file));
  }
  const built = problems.length > 0 ? [] : await Promise.all(named.map(buildTopologyFile));
  const targets = built.map((target) => relative(process.cwd(), target));
  if (output.json)
    output.line(JSON.stringify({ ok: problems.length === 0, built: targets, problems }));
  else if (problems.length > 0) output.line(`${problems.length} problem(s); nothing was built`);
  else for (const target of targets) output.line(`${target} written`);
  return problems.length === 0 ? 0 : 1;
}

function flat({ place, ...finding }: Finding, file: string): object {
  return {
    ...finding,
    file: place?.file ?? file,
    line: place?.line ?? null,
    column: place?.column ?? null,
  };
}
