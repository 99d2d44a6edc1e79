/**
 * `sluice config check`: the effective configuration and where each value came from, or every problem with its line.
 */
import type { ConfigProblem, ConfigResult, Environment } from '../../schemas/config-file.ts';
import { problemLine, readConfig } from '../../schemas/config-file.ts';
import { maskAll } from '../../schemas/config-secrets.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { refuseOpenToAll } from '../host/open-to-all.ts';
import type { Output } from './output.ts';

/** What a start would refuse beyond the file itself. */
async function startProblem({ config, origins }: Extract<ConfigResult, { ok: true }>): Promise<ConfigProblem | undefined> {
  try {
    await refuseOpenToAll(config);
    return undefined;
  } catch (thrown) {
    const path = 'ingress.host';
    const line = Number(/:(\d+)\)?$/.exec(origins.find((origin) => origin.path === path)?.from ?? '')?.[1] ?? 1);
    const expected = 'an address of this machine, or a key made with `sluice key new`';
    return { file: config.file, line, column: 1, path, message: messageOf(thrown), expected };
  }
}

function shown({ ok, config, origins, masked }: Extract<ConfigResult, { ok: true }>): object {
  return { ok, config: maskAll(config, masked), origins };
}

/** Resolves with the exit code. Throws `SluiceError` `config-missing`. */
export async function configCheck(file: string, env: Environment, output: Output): Promise<number> {
  const read = readConfig(file, env);
  const problem = read.ok ? await startProblem(read) : undefined;
  const result: ConfigResult = problem === undefined ? read : { ok: false, problems: [problem] };
  if (output.json) output.line(JSON.stringify(result.ok ? shown(result) : result));
  else if (result.ok) {
    const width = Math.max(...result.origins.map((origin) => origin.path.length));
    const values = Math.max(...result.origins.map((origin) => String(origin.value).length));
    for (const { path, value, from } of result.origins) output.line(`${path.padEnd(width)}  ${String(value).padEnd(values)}  ${from}`);
    output.line(`${file} is valid: ${result.config.streams.length} stream(s), ${result.config.topologies.length} topology file(s)`);
  } else {
    for (const problem of result.problems) output.line(problemLine(problem));
    output.line(`${result.problems.length} problem(s)`);
  }
  return result.ok ? 0 : 1;
}
