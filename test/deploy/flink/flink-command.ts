/**
 * `sluice flink ...` without a process of its own: what it prints, and its exit code.
 */
import { commandLine } from '../../../deploy/cli/command-line.ts';
import flinkCommands from '../../../deploy/cli/commands/flink/command.ts';
import type { Output } from '../../../deploy/cli/output.ts';
import { reportFailure } from '../../../deploy/cli/output.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { Ran } from '../support.ts';

export async function flinkCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  let [code, out, err]: [number, string, string] = [0, '', ''];
  const run: Parameters<typeof commandLine>[1] = async ({ json = false }, _command, action) => {
    const output: Output = {
      json,
      line: (text) => void (out += `${text}\n`),
      data: (text) => void (out += text),
      note: (text) => void (err += `${text}\n`),
    };
    const context = { json, dir: '', config: undefined, configFile: () => '', env, output };
    code = await Promise.resolve(
      action({ ...context, clock: systemClock, random: systemRandom }),
    ).catch((thrown: unknown) => reportFailure(thrown, output));
  };
  await commandLine('0', run, [flinkCommands]).parseAsync(['node', 'sluice', ...args]);
  return { code, out, err };
}
