/**
 * The command line, made of the commands: a walk over them that tells commander what there is.
 */
import { Command as Commander, Option as CommanderOption } from 'commander';
import { printable } from '../../schemas/kernel/printable.ts';
import type { Command, Context } from './command.ts';
import { flagsOf, placeholderOf } from './command.ts';
import type { Entry } from './find-commands.ts';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly dir: string;
  readonly config?: string;
}

/** Options of every command, by their flags. */
export const globalOptions = [
  { flags: '--json', summary: 'answer as JSON, for programs' },
  {
    flags: '--dir <dir>',
    summary: 'folder for all local data',
    default: '.sluice',
    env: 'SLUICE_DIR',
  },
  {
    flags: '--config <file>',
    env: 'SLUICE_CONFIG',
    summary: 'configuration (default: sluice.yaml here, else the shipped example)',
  },
] as const;

/** Carries out a command and sets the exit code. */
type Runner = (
  options: GlobalOptions,
  command: Command,
  run: (context: Context) => number | Promise<number>,
) => Promise<void>;

/**
 * Everything that is printed of the command line passes `printable`: errors repeat what was given.
 */
export function commandLine(version: string, runner: Runner, entries: readonly Entry[]): Commander {
  const root = new Commander('sluice')
    .description('Captures every event, of any size, and enriches the streams.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => void process.stdout.write(printable(text)),
      writeErr: (text) => void process.stderr.write(printable(text)),
    })
    .exitOverride();
  for (const option of globalOptions) {
    const made = new CommanderOption(option.flags, option.summary);
    if ('default' in option) made.default(option.default);
    if ('env' in option) made.env(option.env);
    root.addOption(made);
  }
  for (const entry of entries) {
    if ('commands' in entry) {
      const parent = root.command(entry.name).description(entry.summary);
      for (const command of entry.commands)
        addCommand(parent, command.name.slice(entry.name.length + 1), command, root, runner);
    } else addCommand(root, entry.name, entry, root, runner);
  }
  return root;
}

function addCommand(
  parent: Commander,
  name: string,
  command: Command,
  root: Commander,
  runner: Runner,
): void {
  const { arguments: places = {}, options = {} } = command;
  const added = parent.command(name).description(command.summary);
  for (const [place, argument] of Object.entries(places))
    added.argument(placeholderOf(place, argument), argument.summary);
  for (const [key, option] of Object.entries(options)) {
    const made = new CommanderOption(flagsOf(key, option), option.summary);
    if (option.default !== undefined) made.default(option.default);
    // One that may be without a value can be given several times.
    if (option.value?.startsWith('[') === true)
      made.argParser<readonly unknown[] | true>((given, before) =>
        before === true ? before : [...(before ?? []), given],
      );
    added.addOption(made.makeOptionMandatory(option.isRequired === true));
  }
  added.addHelpText('after', examplesOf(command));
  added.action(async (...given: unknown[]) => {
    const own = given[Object.keys(places).length] as Readonly<Record<string, unknown>>;
    const [values, read] = [
      Object.fromEntries(Object.keys(places).map((place, index) => [place, given[index]])),
      Object.fromEntries(
        Object.entries(options).map(([key, option]) => [key, option.read(own[key])]),
      ),
    ];
    await runner(root.opts<GlobalOptions>(), command, (context) =>
      command.run(context, { arguments: values as never, options: read as never }),
    );
  });
}

function examplesOf({ examples }: Command): string {
  const lines = examples.map((example) => `  sluice ${example}`);
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}`;
}
