/**
 * `sluice flink ...` without a process of its own: what it prints, and its exit code.
 */
import flinkCommands from '../../../deploy/cli/commands/flink/command.ts';
import { commandHere } from '../command-here.ts';
import type { Ran } from '../support.ts';

export const flinkCommand = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> => commandHere([flinkCommands], args, env);
