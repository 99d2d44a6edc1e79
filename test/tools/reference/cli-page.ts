/**
 * The page docs/reference/cli.md, made of the commands.
 */
import type { Command } from '../../../deploy/cli/command.ts';
import { flagsOf, placeholderOf } from '../../../deploy/cli/command.ts';
import { globalOptions } from '../../../deploy/cli/command-line.ts';
import { findCommands } from '../../../deploy/cli/find-commands.ts';
import { made, markdownTable } from './markdown.ts';

const introduction = `${made('deploy/cli/commands/')}
# Commands

In a clone the command is \`npx --no sluice\`. Options of all commands come before the command:
\`sluice --json status\`. \`sluice --version\` prints the version, \`sluice <command> --help\` what is on this page.
`;

const exits = `## Exit codes

| code | when |
|---|---|
| 0 | it worked |
| 1 | it failed, or found problems; the reason is on standard error, with \`--json\` as \`{"error":{code, message, fix}}\` on standard output |
| 2 | it was called wrongly |
| 3 | \`sluice topics plan\`: \`sluice topics apply\` would change something |
| 4 | \`sluice topics\`: something that is configured is not done: it would shrink, or cannot be changed |
`;

export async function cliPage(): Promise<string> {
  const commands = await findCommands();
  const all = globalOptions.map(({ flags, summary, ...rest }) => [
    `\`${flags}\``,
    'default' in rest ? `\`${rest.default}\`` : '-',
    `${sentence(summary)}${'env' in rest ? ` In the environment: \`${rest.env}\`.` : ''}`,
  ]);
  const table = markdownTable(['option of all commands', 'default', 'what it does'], all);
  return [introduction, table, '', ...commands.map(sectionOf), exits].join('\n');
}

function sectionOf(command: Command): string {
  const { name, summary, arguments: places = {}, options = {}, examples } = command;
  const usage = [
    'sluice',
    name,
    ...Object.entries(places).map(([place, argument]) => placeholderOf(place, argument)),
    ...(Object.keys(options).length > 0 ? ['[options]'] : []),
  ].join(' ');
  const rows = [
    ...Object.entries(places).map(([place, argument]) => [
      `\`${placeholderOf(place, argument)}\``,
      argument.isOptional ? '-' : 'required',
      sentence(argument.summary),
    ]),
    ...Object.entries(options).map(([key, option]) => [
      `\`${flagsOf(key, option)}\``,
      option.isRequired === true
        ? 'required'
        : option.default === undefined
          ? '-'
          : `\`${option.default}\``,
      sentence(option.summary),
    ]),
  ];
  return [
    `## ${name}`,
    '',
    `${summary}.`,
    '',
    '```text',
    usage,
    ...examples.map((example) => `  sluice ${example}`),
    '```',
    '',
    ...(rows.length > 0 ? [markdownTable(['name', 'default', 'what it is'], rows), ''] : []),
  ].join('\n');
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
