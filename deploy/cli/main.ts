#!/usr/bin/env -S node --no-memory-reducer --min-semi-space-size=64 --max-semi-space-size=64
/**
 * The command `sluice`. What it can be asked is in commands/. This is the one place where defects
 * are caught, to be printed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { Command, Context } from './command.ts';
import type { GlobalOptions } from './command-line.ts';
import { commandLine } from './command-line.ts';
import { findEntries } from './find-commands.ts';
import { reportFailure, terminalOutput } from './output.ts';

const usageExitCode = 2;
const { version } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };
const exampleConfig = fileURLToPath(
  new URL('../../../topology/examples/flights/sluice.yaml', import.meta.url),
);

async function run(
  { json = false, dir, config }: GlobalOptions,
  { writes }: Command,
  action: (context: Context) => number | Promise<number>,
): Promise<void> {
  const output = terminalOutput(json);
  if (writes === true) process.umask(0o077);
  try {
    process.exitCode = await action({
      json,
      dir,
      config,
      configFile: () => config ?? (existsSync('sluice.yaml') ? 'sluice.yaml' : exampleConfig),
      env: process.env,
      clock: systemClock,
      random: systemRandom,
      output,
    });
  } catch (thrown) {
    process.exitCode = reportFailure(thrown, output);
  }
}

// A reader that has seen enough, such as `head`, is not a failure.
process.stdout.on('error', (thrown: NodeJS.ErrnoException) => {
  if (thrown.code === 'EPIPE') process.exit(0);
  throw thrown;
});

commandLine(version, run, await findEntries())
  .parseAsync(process.argv.map((argument, index) => (index < 2 ? resolve(argument) : argument)))
  .catch((thrown: unknown) => {
    if (thrown instanceof CommanderError)
      process.exitCode = thrown.exitCode === 0 ? 0 : usageExitCode;
    else process.exitCode = reportFailure(thrown, terminalOutput(false));
  });
