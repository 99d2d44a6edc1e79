/**
 * `sluice config check`: the effective configuration and where each value came from, or every
 * problem with its line. With `--explain` also what each setting is.
 */
import { loadDataCheck } from '../../../../ingest/data-check.ts';
import { readAddressSecret } from '../../../../ingest/http/address-secret.ts';
import type { ExplainedSetting } from '../../../../schemas/config/values.ts';
import type { ConfigProblem, ConfigResult, Environment } from '../../../../schemas/config-file.ts';
import { problemLine, readConfig } from '../../../../schemas/config-file.ts';
import { maskAddresses, maskAll } from '../../../../schemas/config-secrets.ts';
import { messageOf } from '../../../../schemas/kernel/errors.ts';
import { refuseOpenToAll } from '../../../host/open-to-all.ts';
import type { Output } from '../../output.ts';

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

/** A setting of `--explain`: null where it has no value. */
function explained({ path, schema, origin }: ExplainedSetting): object {
  const { description, unit = null } = schema;
  return { path, value: origin?.value ?? null, unit, from: origin?.from ?? 'not set', description };
}

/** Columns, as wide as their widest text; the last one as it is. */
function* tableOf(rows: readonly (readonly string[])[]): Iterable<string> {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((text, index) => Math.max(widest[index] ?? 0, text.length)),
    [],
  );
  for (const row of rows)
    yield row
      .map((text, index) => (index < row.length - 1 ? text.padEnd(widths[index] ?? 0) : text))
      .join('  ');
}

function* linesOf({ config, origins, settings }: Valid, explain: boolean): Iterable<string> {
  if (explain)
    yield* tableOf(
      settings.map(({ path, schema: { unit, description }, origin }) => [
        path,
        origin === undefined
          ? '-'
          : [origin.value, unit].filter((part) => part !== undefined).join(' '),
        origin?.from ?? 'not set',
        description,
      ]),
    );
  else yield* tableOf(origins.map(({ path, value, from }) => [path, String(value), from]));
  yield `${config.file} is valid: ${config.streams.length} stream(s), ${config.topologies.length} topology file(s)`;
}

export interface ConfigCheckCommand {
  readonly file: string;
  readonly env: Environment;
  /** Whether every setting is told, those without a value too, each with what it is. */
  readonly explain: boolean;
}

/** Resolves with the exit code. Throws `SluiceError` `config-missing`. */
export async function configCheck(
  { file, env, explain }: ConfigCheckCommand,
  output: Output,
): Promise<number> {
  const read = readConfig(file, env);
  const problems = read.ok ? await startProblems(read) : [];
  const result: ConfigResult = problems.length === 0 ? read : { ok: false, problems };
  if (output.json && result.ok)
    output.line(
      JSON.stringify({
        ...shown(result),
        ...(explain ? { settings: result.settings.map(explained) } : {}),
      }),
    );
  else if (output.json) output.line(JSON.stringify(result));
  else if (result.ok) for (const line of linesOf(result, explain)) output.line(line);
  else {
    for (const problem of result.problems) output.line(problemLine(problem));
    output.line(`${result.problems.length} problem(s)`);
  }
  return result.ok ? 0 : 1;
}
