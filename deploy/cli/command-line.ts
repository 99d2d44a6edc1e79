/**
 * The command line, made of the commands: a walk over them that tells commander what there is.
 */
import { Command as Commander, Option as CommanderOption } from 'commander';
import { printable } from '../../schemas/kernel/printable.ts';
import type { Command, CommandGroup, Context } from './command.ts';
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
    if ('commands' in entry) addGroup(entry, root, runner);
    else addCommand(root, entry.name, entry, root, runner);
  }
  return root;
}

function addGroup(group: CommandGroup, root: Commander, runner: Runner): void {
  const { name, summary, own, commands } = group;
  const parent =
    own === undefined
      ? root.command(name).description(summary)
      : addCommand(root, name, own, root, runner);
  for (const command of commands)
    addCommand(parent, command.name.slice(name.length + 1), command, root, runner);
  if (own !== undefined) keepApart(parent);
}

/**
 * commander reads the options of the first word also behind the second, and asks there for what it
 * requires: here they are the second's where it has them, and unknown where not.
 */
function keepApart(parent: Commander): void {
  const required = parent.options.filter((option) => option.mandatory);
  for (const option of required) option.makeOptionMandatory(false);
  parent.hook('preAction', (_, called) => {
    const given = givenTo(parent);
    const missing = required.find((option) => !(option.attributeName() in given));
    if (called === parent && missing !== undefined)
      parent.error(`error: required option '${missing.flags}' not specified`);
    const own = called.options.map((option) => option.attributeName());
    const foreign = parent.options.find(
      (option) => option.attributeName() in given && !own.includes(option.attributeName()),
    );
    if (called !== parent && foreign !== undefined)
      parent.error(`error: unknown option '${foreign.long}'`);
  });
}

/** The options that the command line gives to a command; not its defaults. */
function givenTo(command: Commander): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === 'cli'),
  );
}

function addCommand(
  parent: Commander,
  name: string,
  command: Command,
  root: Commander,
  runner: Runner,
): Commander {
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
    const after = given[Object.keys(places).length] as Readonly<Record<string, unknown>>;
    const own = parent === root ? after : { ...after, ...givenTo(parent) };
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
  return added;
}

function examplesOf({ examples }: Command): string {
  const lines = examples.map((example) => `  sluice ${example}`);
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}`;
}
