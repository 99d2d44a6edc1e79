/**
 * `sluice config check`: the effective configuration and where each value came from, or every
 * problem with its line.
 */
import { loadDataCheck } from '../../ingest/data-check.ts';
import { readAddressSecret } from '../../ingest/http/address-secret.ts';
import type { ConfigProblem, ConfigResult, Environment } from '../../schemas/config-file.ts';
import { problemLine, readConfig } from '../../schemas/config-file.ts';
import { maskAddresses, maskAll } from '../../schemas/config-secrets.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { refuseOpenToAll } from '../host/open-to-all.ts';
import type { Output } from './output.ts';

type Valid = Extract<ConfigResult, { ok: true }>;

/** What a start would refuse beyond the file itself. */
async function startProblems({ config, origins }: Valid): Promise<readonly ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  const look = async (path: string, expected: string, at: () => unknown): Promise<void> => {
    try {
      await at();
    } catch (thrown) {
      const line = Number(
        /:(\d+)\)?$/.exec(origins.find((origin) => origin.path === path)?.from ?? '')?.[1] ?? 1,
      );
      problems.push({
        file: config.file,
        line,
        column: 1,
        path,
        message: maskAddresses(messageOf(thrown)),
        expected,
      });
    }
  };
  await look(
    'ingress.host',
    'an address of this machine, or a key made with `sluice key new`',
    () => refuseOpenToAll(config),
  );
  for (const [index, stream] of config.streams.entries())
    await look(`streams[${index}].schema`, 'a file with a JSON Schema (draft 2020-12)', () =>
      loadDataCheck(stream),
    );
  await look('ingress.address_secret_file', 'a file that has the secret', () =>
    readAddressSecret(config.ingress.addressSecret),
  );
  return problems;
}

function shown({ ok, config, origins, masked }: Valid): object {
  return { ok, config: maskAll(config, masked), origins };
}

/** Resolves with the exit code. Throws `SluiceError` `config-missing`. */
export async function configCheck(file: string, env: Environment, output: Output): Promise<number> {
  const read = readConfig(file, env);
  const problems = read.ok ? await startProblems(read) : [];
  const result: ConfigResult = problems.length === 0 ? read : { ok: false, problems };
  if (output.json) output.line(JSON.stringify(result.ok ? shown(result) : result));
  else if (result.ok) {
    const width = Math.max(...result.origins.map((origin) => origin.path.length));
    const values = Math.max(...result.origins.map((origin) => String(origin.value).length));
    for (const { path, value, from } of result.origins)
      output.line(`${path.padEnd(width)}  ${String(value).padEnd(values)}  ${from}`);
    output.line(
      `${file} is valid: ${result.config.streams.length} stream(s), ${result.config.topologies.length} topology file(s)`,
    );
  } else {
    for (const problem of result.problems) output.line(problemLine(problem));
    output.line(`${result.problems.length} problem(s)`);
  }
  return result.ok ? 0 : 1;
}
