/**
 * Commands of `sluice` without a process of their own, which costs more than most of them do: what
 * one prints, and its exit code.
 */
import { commandLine } from '../../deploy/cli/command-line.ts';
import type { Entry } from '../../deploy/cli/find-commands.ts';
import type { Output } from '../../deploy/cli/output.ts';
import { reportFailure } from '../../deploy/cli/output.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { Ran } from './support.ts';

/** `entries`: the commands that it knows. Paths are from this process's working directory on. */
export async function commandHere(
  entries: readonly Entry[],
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  let [code, out, err]: [number, string, string] = [0, '', ''];
  const run: Parameters<typeof commandLine>[1] = async (
    { json = false, dir, config },
    _command,
    action,
  ) => {
    const output: Output = {
      json,
      line: (text) => void (out += `${text}\n`),
      data: (text) => void (out += text),
      note: (text) => void (err += `${text}\n`),
    };
    const configFile = (): string => config ?? 'sluice.yaml';
    const context = { json, dir, config, configFile, env, output };
    code = await Promise.resolve(
      action({ ...context, clock: systemClock, random: systemRandom }),
    ).catch((thrown: unknown) => reportFailure(thrown, output));
  };
  await commandLine('0', run, entries).parseAsync(['node', 'sluice', ...args]);
  return { code, out, err };
}
